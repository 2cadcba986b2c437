// One batch: scan its records, look each schema up once, judge.
#include "tidegate/schema/batch_validator.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "record_scan.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::schema {
namespace {

// Inflating more than this leaves the shard for the CPU lane.
constexpr std::size_t kInlineCodecBytes = 16U << 10;
// A batch keeps its turn in the partition's order meanwhile: whoever names many schemas to a slow registry
// must not hold up everyone else for a look-up's time each.
constexpr Duration kLookUpsTogether = std::chrono::seconds(5);

enum class Outcome : std::uint8_t { accepted, unchecked, no_id, unknown_id, other_subject, unavailable };
constexpr std::array kOutcomeNames = {"accepted",   "unchecked",     "no_id",
                                      "unknown_id", "other_subject", "unavailable"};

using SchemaKey = std::pair<Field, std::int32_t>;
// What a schema id is for a field of the topic.
struct Resolved {
  Outcome outcome = Outcome::accepted;
  std::string problem;
};
using ResolvedSchemas = std::map<SchemaKey, Resolved>;

}  // namespace

struct BatchValidator::State {
  State(Registry* r, BlockingPool& pool, MetricRegistry& metrics) : registry(r), blocking(pool) {
    for (const Field field : {Field::key, Field::value}) {
      auto& counters = records.emplace_back();
      for (std::size_t i = 0; i < kOutcomeNames.size(); ++i) {
        counters[i] =
            &metrics.counter("tidegate_schema_records_total", "Records whose schema was checked",
                             {{"field", std::string(field_name(field))}, {"result", kOutcomeNames[i]}});
      }
    }
  }
  void count(Field field, Outcome outcome, std::size_t by = 1) {
    records[static_cast<std::size_t>(field)][static_cast<std::size_t>(outcome)]->add(by);
  }

  Task<Result<RecordScan>> scan(TopicPolicy policy, protocol::RecordBatch batch,
                                protocol::RecordLimits limits);
  Task<Resolved> resolve(FieldPolicy policy, std::string subject, std::int32_t id, bool registry_lost);
  Task<ResolvedSchemas> resolve_all(TopicPolicy policy, std::string topic, std::vector<SchemaKey> keys);

  Registry* registry;
  BlockingPool& blocking;
  std::vector<std::array<Counter*, kOutcomeNames.size()>> records;
};

namespace {

std::vector<SchemaKey> distinct_keys(const RecordScan& scan) {
  std::vector<SchemaKey> keys;
  for (const SchemaUse& use : scan.uses) {
    const SchemaKey key{use.field, use.id};
    // Most batches have one schema: the last one is the right one.
    if (!keys.empty() && keys.back() == key) continue;
    if (std::ranges::find(keys, key) != keys.end()) continue;
    keys.push_back(key);
    if (keys.size() > kMaxIdsPerBatch) break;
  }
  return keys;
}

std::string first_reason(const BatchVerdict& verdict) {
  const auto& first = verdict.problems.front();
  if (verdict.problems_total == 1) return fmt::format("Record {}: {}", first.index, first.message);
  return fmt::format("{} records are invalid; record {}: {}", verdict.problems_total, first.index,
                     first.message);
}

void add_problem(BatchVerdict& verdict, std::int32_t record, std::string message) {
  // A record with a bad key and a bad value is named once.
  if (!verdict.problems.empty() && verdict.problems.back().index == record) return;
  if (++verdict.problems_total > kMaxNamedRecords) return;
  verdict.problems.push_back({record, std::move(message)});
}

}  // namespace

Task<Result<RecordScan>> BatchValidator::State::scan(TopicPolicy policy, protocol::RecordBatch batch,
                                                     protocol::RecordLimits limits) {
  const bool inflates = batch.header.compression() != protocol::Compression::none;
  if (!inflates || batch.bytes.size() <= kInlineCodecBytes) {
    co_return scan_records(policy, batch, limits, kMaxNamedRecords);
  }
  auto work = [policy, batch = std::move(batch), limits] {
    return scan_records(policy, batch, limits, kMaxNamedRecords);
  };
  co_return co_await blocking.run(Lane::cpu, std::move(work));
}

Task<Resolved> BatchValidator::State::resolve(FieldPolicy policy, std::string subject, std::int32_t id,
                                              bool registry_lost) {
  MembershipAnswer answer{Membership::unavailable, "no schema registry is configured"};
  if (registry != nullptr) {
    auto known = registry->cached_membership(subject, id);
    if (known) {
      answer = std::move(*known);
    } else if (registry_lost) {
      answer.problem = "the registry did not answer for the other schemas of the batch in time";
    } else {
      answer = co_await registry->membership(subject, id);
    }
  }
  switch (answer.membership) {
    case Membership::registered:
      co_return Resolved{Outcome::accepted, {}};
    case Membership::unknown_id:
      co_return Resolved{Outcome::unknown_id, fmt::format("schema id {} is unknown to the registry", id)};
    case Membership::other_subject:
      co_return Resolved{Outcome::other_subject,
                         fmt::format("schema id {} is not registered under subject {}", id, subject)};
    case Membership::unavailable:
      break;
  }
  if (policy.accept_unchecked) co_return Resolved{Outcome::unchecked, std::move(answer.problem)};
  co_return Resolved{Outcome::unavailable,
                     fmt::format("schema id {} cannot be looked up now: {}", id, answer.problem)};
}

Task<ResolvedSchemas> BatchValidator::State::resolve_all(TopicPolicy policy, std::string topic,
                                                         std::vector<SchemaKey> keys) {
  ResolvedSchemas resolved;
  const Clock& clock = Shard::current()->clock();
  const MonoTime enough = clock.now() + kLookUpsTogether;
  bool registry_lost = false;
  for (const auto& [field, id] : keys) {
    std::string subject = subject_of(policy.of(field).strategy, topic, field, {});
    Resolved one = co_await resolve(policy.of(field), std::move(subject), id, registry_lost);
    // One look-up's time is enough to learn that the registry is away.
    registry_lost = registry_lost || one.outcome == Outcome::unavailable ||
                    one.outcome == Outcome::unchecked || clock.now() >= enough;
    resolved.emplace(SchemaKey{field, id}, std::move(one));
  }
  co_return resolved;
}

BatchValidator::BatchValidator(Registry* registry, BlockingPool& blocking, MetricRegistry& metrics)
    : state_(std::make_unique<State>(registry, blocking, metrics)) {}
BatchValidator::~BatchValidator() = default;
Registry* BatchValidator::registry() const { return state_->registry; }

Task<BatchVerdict> BatchValidator::check(TopicPolicy policy, std::string topic, protocol::RecordBatch batch,
                                         protocol::RecordLimits limits) {
  BatchVerdict verdict;
  auto scan = co_await state_->scan(policy, std::move(batch), limits);
  if (!scan) {
    verdict.error = scan.error().code;
    verdict.message = std::move(scan.error().message);
    co_return verdict;
  }
  auto keys = distinct_keys(*scan);
  if (keys.size() > kMaxIdsPerBatch) {
    verdict.error = ErrorCode::invalid_record;
    verdict.message = fmt::format("the batch names more than {} different schemas", kMaxIdsPerBatch);
    co_return verdict;
  }
  const ResolvedSchemas resolved = co_await state_->resolve_all(policy, std::move(topic), std::move(keys));

  // Both lists ascend by record: merged, so do the problems.
  auto unframed = scan->problems.begin();
  const std::string* unavailable = nullptr;
  const auto add_unframed_before = [&](std::int32_t record) {
    for (; unframed != scan->problems.end() && unframed->record < record; ++unframed) {
      add_problem(verdict, unframed->record, std::move(unframed->message));
      state_->count(unframed->field, Outcome::no_id);
    }
  };
  for (const SchemaUse& use : scan->uses) {
    const Resolved& one = resolved.at({use.field, use.id});
    state_->count(use.field, one.outcome);
    if (one.outcome == Outcome::accepted || one.outcome == Outcome::unchecked) continue;
    if (one.outcome == Outcome::unavailable) {
      unavailable = &one.problem;
      continue;
    }
    add_unframed_before(use.record + 1);
    add_problem(verdict, use.record, fmt::format("{}: {}", field_name(use.field), one.problem));
  }
  add_unframed_before(INT32_MAX);
  verdict.problems_total += scan->problems_total - scan->problems.size();
  if (verdict.problems_total > 0) {
    // A bad record stays bad: trying again would not help.
    verdict.error = ErrorCode::invalid_record;
    verdict.message = first_reason(verdict);
  } else if (unavailable != nullptr) {
    verdict.error = ErrorCode::not_enough_replicas;
    verdict.message = *unavailable;
  }
  co_return verdict;
}

}  // namespace tidegate::schema
