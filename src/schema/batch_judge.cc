#include "batch_judge.h"

#include <algorithm>

#include <fmt/format.h>

#include "framing.h"

namespace tidegate::schema {
namespace {

class Judge {
 public:
  Judge(const TopicPolicy& policy, ResolvedSchemas resolved, const KnownSchemas& known)
      : policy_(policy), known_(known) {
    made_.resolved = std::move(resolved);
  }

  // False: the batch names too many schemas.
  bool look(Field field, const std::optional<ByteView>& bytes, const protocol::RecordView& record);
  void next_record() { ++record_; }
  Judgement finish(const Result<void>& walked);

 private:
  // nullptr: not known; then it is in made_.unresolved.
  const Resolved* resolve(const SchemaKey& key);
  void refuse(Field field, Outcome outcome, std::string message);
  void count(Field field, Outcome outcome) {
    ++made_.counts[static_cast<std::size_t>(field)][static_cast<std::size_t>(outcome)];
  }

  const TopicPolicy& policy_;
  const KnownSchemas& known_;
  Judgement made_;
  std::int32_t record_ = 0;
  // Most batches have one schema a field: the last one is the right one.
  std::array<std::pair<SchemaKey, const Resolved*>, 2> last_{};
  std::string unavailable_;
};

const Resolved* Judge::resolve(const SchemaKey& key) {
  auto& last = last_[static_cast<std::size_t>(key.first)];
  if (last.second != nullptr && last.first == key) return last.second;
  auto at = made_.resolved.find(key);
  if (at == made_.resolved.end()) {
    if (std::ranges::find(made_.unresolved, key) != made_.unresolved.end()) return nullptr;
    auto known = known_(key);
    if (!known) {
      made_.unresolved.push_back(key);
      return nullptr;
    }
    at = made_.resolved.emplace(key, std::move(*known)).first;
  }
  last = {key, &at->second};
  return &at->second;
}

void Judge::refuse(Field field, Outcome outcome, std::string message) {
  count(field, outcome);
  BatchVerdict& verdict = made_.verdict;
  // A record with a bad key and a bad value is named once.
  if (!verdict.problems.empty() && verdict.problems.back().index == record_) return;
  if (++verdict.problems_total > kMaxNamedRecords) return;
  verdict.problems.push_back({record_, std::move(message)});
}

bool Judge::look(Field field, const std::optional<ByteView>& bytes, const protocol::RecordView& record) {
  if (policy_.of(field).validation == Validation::off || !bytes) return true;
  Framed framed = unframe(field, *bytes, record.headers);
  if (!framed.problem.empty()) {
    refuse(field, Outcome::no_id, std::move(framed.problem));
    return true;
  }
  const Resolved* resolved = resolve({field, framed.id});
  if (made_.resolved.size() + made_.unresolved.size() > kMaxIdsPerBatch) return false;
  // Another pass follows: what records hold is looked at then.
  if (resolved == nullptr || !made_.unresolved.empty()) return true;
  if (resolved->outcome == Outcome::accepted && resolved->schema) {
    const std::string problem = resolved->schema->check(framed.payload);
    if (!problem.empty()) {
      refuse(field, Outcome::mismatch,
             fmt::format("{}: no value of schema id {}: {}", field_name(field), framed.id, problem));
      return true;
    }
  }
  if (resolved->outcome == Outcome::accepted || resolved->outcome == Outcome::unchecked) {
    count(field, resolved->outcome);
  } else if (resolved->outcome == Outcome::unavailable) {
    count(field, resolved->outcome);
    if (unavailable_.empty()) unavailable_ = resolved->problem;
  } else {
    refuse(field, resolved->outcome, fmt::format("{}: {}", field_name(field), resolved->problem));
  }
  return true;
}

std::string first_reason(const BatchVerdict& verdict) {
  const auto& first = verdict.problems.front();
  if (verdict.problems_total == 1) return fmt::format("Record {}: {}", first.index, first.message);
  return fmt::format("{} records are invalid; record {}: {}", verdict.problems_total, first.index,
                     first.message);
}

Judgement Judge::finish(const Result<void>& walked) {
  BatchVerdict& verdict = made_.verdict;
  if (!walked) {
    verdict.error = walked.error().code;
    verdict.message = walked.error().message;
    made_.unresolved.clear();
  } else if (made_.resolved.size() + made_.unresolved.size() > kMaxIdsPerBatch) {
    verdict = {.error = ErrorCode::invalid_record,
               .message = fmt::format("the batch names more than {} different schemas", kMaxIdsPerBatch),
               .problems = {}};
    made_.unresolved.clear();
  } else if (verdict.problems_total > 0) {
    // A bad record stays bad: trying again would not help.
    verdict.error = ErrorCode::invalid_record;
    verdict.message = first_reason(verdict);
  } else if (!unavailable_.empty()) {
    verdict.error = ErrorCode::not_enough_replicas;
    verdict.message = unavailable_;
  }
  return std::move(made_);
}

}  // namespace

Judgement judge(const TopicPolicy& policy, const protocol::RecordBatch& batch,
                const protocol::RecordLimits& limits, ResolvedSchemas resolved, const KnownSchemas& known) {
  Judge judge(policy, std::move(resolved), known);
  const auto walked = protocol::for_each_record(batch, limits, [&](const protocol::RecordView& record) {
    const bool go_on =
        judge.look(Field::key, record.key, record) && judge.look(Field::value, record.value, record);
    judge.next_record();
    return go_on;
  });
  return judge.finish(walked);
}

}  // namespace tidegate::schema
