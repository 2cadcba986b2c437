// One batch: a pass over its records; where that needs schemas that nobody knows yet, they are looked up, and
// a second pass judges.
#include "tidegate/schema/batch_validator.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "batch_judge.h"
#include "schema_loader.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::schema {
namespace {

// Inflating or decoding more than this leaves the shard for the CPU lane.
constexpr std::size_t kInlineBytes = 16U << 10;
// A batch keeps its turn in the partition's order meanwhile: whoever names many schemas to a slow registry
// must not hold up everyone else for a look-up's time each.
constexpr Duration kLookUpsTogether = std::chrono::seconds(5);

// The schema, and whether it belongs to the subject of a record's type, are two questions then.
bool is_by_name(const FieldPolicy& policy) { return policy.strategy != SubjectStrategy::topic; }
bool is_full(const FieldPolicy& policy) { return policy.validation == Validation::full; }

// With `registered`: what the id means for the topic is not settled under full validation.
Resolved judged_membership(MembershipAnswer answer, const FieldPolicy& policy, const std::string& subject,
                           std::int32_t id) {
  switch (answer.membership) {
    case Membership::registered:
      return {.outcome = Outcome::accepted, .problem = {}, .schema = {}};
    case Membership::unknown_id:
      return {Outcome::unknown_id, fmt::format("schema id {} is unknown to the registry", id), {}};
    case Membership::other_subject:
      return {Outcome::other_subject,
              fmt::format("schema id {} is not registered under subject {}", id, subject),
              {}};
    case Membership::unavailable:
      break;
  }
  if (policy.accept_unchecked) return {Outcome::unchecked, std::move(answer.problem), {}};
  return {
      Outcome::unavailable, fmt::format("schema id {} cannot be looked up now: {}", id, answer.problem), {}};
}

Resolved judged_schema(LoadedSchema loaded, const FieldPolicy& policy, std::int32_t id) {
  if (loaded.schema) return {Outcome::accepted, {}, std::move(loaded.schema)};
  if (loaded.unusable) {
    return {
        Outcome::unusable, fmt::format("schema id {} cannot be validated with: {}", id, loaded.problem), {}};
  }
  return judged_membership({Membership::unavailable, std::move(loaded.problem)}, policy, {}, id);
}

}  // namespace

struct BatchValidator::State {
  State(Registry* r, BlockingPool& pool, MetricRegistry& metrics, const ValidationOptions& options)
      : registry(r), blocking(pool) {
    if (registry != nullptr) loader.emplace(*registry, blocking, options, metrics);
    for (const Field field : {Field::key, Field::value}) {
      auto& counters = records.emplace_back();
      for (std::size_t i = 0; i < kOutcomeNames.size(); ++i) {
        counters[i] =
            &metrics.counter("tidegate_schema_records_total", "Records whose schema was checked",
                             {{"field", std::string(field_name(field))}, {"result", kOutcomeNames[i]}});
      }
    }
  }

  KnownSchemas known(const TopicPolicy& policy, const std::string& topic) const;
  Task<Judgement> pass(TopicPolicy policy, std::string topic, protocol::RecordBatch batch,
                       protocol::RecordLimits limits, ResolvedSchemas resolved);
  Task<Resolved> resolve(FieldPolicy policy, std::string topic, SchemaKey key, bool registry_lost);
  Task<ResolvedSchemas> resolve_all(TopicPolicy policy, std::string topic, std::vector<SchemaKey> keys,
                                    ResolvedSchemas resolved);
  void count(const Judgement& judgement) const;

  Registry* registry;
  BlockingPool& blocking;
  std::optional<SchemaLoader> loader;
  std::vector<std::array<Counter*, kOutcomeNames.size()>> records;
};

// Looks into caches alone, on any thread; may outlive this.
KnownSchemas BatchValidator::State::known(const TopicPolicy& policy, const std::string& topic) const {
  if (registry == nullptr) {
    return [](const SchemaKey&) { return std::nullopt; };
  }
  return [policy, topic, membership = registry->membership_reader(),
          kept = loader->kept()](const SchemaKey& key) -> std::optional<Resolved> {
    const FieldPolicy& wanted = policy.of(key.field);
    if (!is_by_name(wanted) || !key.record_name.empty()) {
      const std::string subject = subject_of(wanted.strategy, topic, key.field, key.record_name);
      auto answer = membership(subject, key.id);
      if (!answer) return std::nullopt;
      Resolved resolved = judged_membership(std::move(*answer), wanted, subject, key.id);
      const bool all = resolved.outcome != Outcome::accepted || is_by_name(wanted) || !is_full(wanted);
      if (all) return resolved;
    }
    auto loaded = kept.find(key.id);
    if (!loaded) return std::nullopt;
    return judged_schema(std::move(*loaded), wanted, key.id);
  };
}

Task<Judgement> BatchValidator::State::pass(TopicPolicy policy, std::string topic,
                                            protocol::RecordBatch batch, protocol::RecordLimits limits,
                                            ResolvedSchemas resolved) {
  const bool works = batch.header.compression() != protocol::Compression::none || is_full(policy.key) ||
                     is_full(policy.value);
  KnownSchemas look_up = known(policy, topic);
  if (!works || batch.bytes.size() <= kInlineBytes) {
    co_return judge(policy, batch, limits, std::move(resolved), look_up);
  }
  auto work = [policy, batch = std::move(batch), limits, resolved = std::move(resolved),
               look_up = std::move(look_up)]() mutable {
    return judge(policy, batch, limits, std::move(resolved), look_up);
  };
  co_return co_await blocking.run(Lane::cpu, std::move(work));
}

Task<Resolved> BatchValidator::State::resolve(FieldPolicy policy, std::string topic, SchemaKey key,
                                              bool registry_lost) {
  MembershipAnswer answer{Membership::unavailable, "no schema registry is configured"};
  if (registry_lost)
    answer.problem = "the registry did not answer for the other schemas of the batch in time";
  const bool can_ask = !registry_lost && registry != nullptr;
  if (!can_ask || !is_by_name(policy) || !key.record_name.empty()) {
    const std::string subject = subject_of(policy.strategy, topic, key.field, key.record_name);
    if (can_ask) answer = co_await registry->membership(subject, key.id);
    Resolved resolved = judged_membership(std::move(answer), policy, subject, key.id);
    const bool all = resolved.outcome != Outcome::accepted || is_by_name(policy) || !is_full(policy);
    if (all) co_return resolved;
  }
  LoadedSchema loaded = co_await loader->load(key.id);
  co_return judged_schema(std::move(loaded), policy, key.id);
}

Task<ResolvedSchemas> BatchValidator::State::resolve_all(TopicPolicy policy, std::string topic,
                                                         std::vector<SchemaKey> keys,
                                                         ResolvedSchemas resolved) {
  const Clock& clock = Shard::current()->clock();
  const MonoTime enough = clock.now() + kLookUpsTogether;
  bool registry_lost = false;
  for (const SchemaKey& key : keys) {
    Resolved one = co_await resolve(policy.of(key.field), topic, key, registry_lost);
    // One look-up's time is enough to learn that the registry is away.
    registry_lost = registry_lost || one.outcome == Outcome::unavailable ||
                    one.outcome == Outcome::unchecked || clock.now() >= enough;
    resolved.emplace(key, std::move(one));
  }
  co_return resolved;
}

void BatchValidator::State::count(const Judgement& judgement) const {
  for (std::size_t field = 0; field < records.size(); ++field) {
    for (std::size_t i = 0; i < kOutcomeNames.size(); ++i) {
      if (judgement.counts[field][i] > 0) records[field][i]->add(judgement.counts[field][i]);
    }
  }
}

BatchValidator::BatchValidator(Registry* registry, BlockingPool& blocking, MetricRegistry& metrics,
                               ValidationOptions options)
    : state_(std::make_unique<State>(registry, blocking, metrics, options)) {}
BatchValidator::~BatchValidator() = default;
Registry* BatchValidator::registry() const { return state_->registry; }

Task<std::string> BatchValidator::schema_text(std::int32_t id) {
  if (!state_->loader) co_return std::string();
  const LoadedSchema loaded = co_await state_->loader->load(id);
  co_return loaded.text ? *loaded.text : std::string();
}

Task<BatchVerdict> BatchValidator::check(TopicPolicy policy, std::string topic, protocol::RecordBatch batch,
                                         protocol::RecordLimits limits) {
  Judgement judgement = co_await state_->pass(policy, topic, batch, limits, {});
  // The schemas, and where subjects are named after types that those name, the subjects.
  while (!judgement.unresolved.empty()) {
    ResolvedSchemas resolved = co_await state_->resolve_all(policy, topic, std::move(judgement.unresolved),
                                                            std::move(judgement.resolved));
    judgement = co_await state_->pass(policy, topic, batch, limits, std::move(resolved));
  }
  state_->count(judgement);
  co_return std::move(judgement.verdict);
}

}  // namespace tidegate::schema
