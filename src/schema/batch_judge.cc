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
  const Resolved* resolve(Field field, std::int32_t id, std::string_view record_name = {});
  // Whether the record's type has a subject with this id. nullptr: not known yet, or refused.
  const Resolved* resolve_by_name(Field field, std::int32_t id, const CompiledSchema& schema,
                                  ByteView payload);
  void refuse(Field field, Outcome outcome, std::string message);
  void count(Field field, Outcome outcome) {
    ++made_.counts[static_cast<std::size_t>(field)][static_cast<std::size_t>(outcome)];
  }

  const TopicPolicy& policy_;
  const KnownSchemas& known_;
  Judgement made_;
  std::int32_t record_ = 0;
  // Most batches have one schema a field: the last one is the right one. For each field, without a name and
  // with one.
  std::array<std::pair<SchemaKey, const Resolved*>, 4> last_{};
  std::string unavailable_;
};

const Resolved* Judge::resolve(Field field, std::int32_t id, std::string_view record_name) {
  auto& last = last_[2 * static_cast<std::size_t>(field) + (record_name.empty() ? 0 : 1)];
  if (last.second != nullptr && last.first.id == id && last.first.record_name == record_name)
    return last.second;
  SchemaKey key{.field = field, .id = id, .record_name = std::string(record_name)};
  auto at = made_.resolved.find(key);
  if (at == made_.resolved.end()) {
    if (std::ranges::find(made_.unresolved, key) != made_.unresolved.end()) return nullptr;
    auto known = known_(key);
    if (!known) {
      made_.unresolved.push_back(std::move(key));
      return nullptr;
    }
    at = made_.resolved.emplace(key, std::move(*known)).first;
  }
  last = {std::move(key), &at->second};
  return &at->second;
}

const Resolved* Judge::resolve_by_name(Field field, std::int32_t id, const CompiledSchema& schema,
                                       ByteView payload) {
  const RecordNames names = schema.record_names(payload);
  if (!names.problem.empty()) {
    if (made_.unresolved.empty()) {
      refuse(field, Outcome::mismatch,
             fmt::format("{}: schema id {} names no subject: {}", field_name(field), id, names.problem));
    }
    return nullptr;
  }
  const Resolved* found = nullptr;
  for (std::size_t i = 0; i < names.count; ++i) {
    const Resolved* const one = resolve(field, id, names.names[i]);
    if (one == nullptr) return nullptr;
    // The first one's answer, unless the other is right.
    if (found == nullptr || one->outcome == Outcome::accepted) found = one;
    if (found->outcome == Outcome::accepted) break;
  }
  return found;
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
  const FieldPolicy& wanted = policy_.of(field);
  const Resolved* resolved = resolve(field, framed.id);
  const CompiledSchema* schema = resolved != nullptr ? resolved->schema.get() : nullptr;
  const bool by_name = wanted.strategy != SubjectStrategy::topic && resolved != nullptr && schema != nullptr;
  if (by_name) resolved = resolve_by_name(field, framed.id, *schema, framed.payload);
  if (made_.resolved.size() + made_.unresolved.size() > kMaxIdsPerBatch) return false;
  // Another pass follows: what records hold is looked at then.
  if (resolved == nullptr || !made_.unresolved.empty()) return true;
  if (resolved->outcome == Outcome::accepted && schema != nullptr && wanted.validation == Validation::full) {
    const std::string problem = schema->check(framed.payload);
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
