// What is wrong with the records of one batch, by what is known of their schemas: one pass over them, on the
// shard or on the CPU lane. Schemas that nobody knows yet are told, for a second pass. Pure but for look-ups
// in caches. Used by BatchValidator.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiled_schema.h"
#include "tidegate/base/result.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/schema/batch_validator.h"
#include "tidegate/schema/policy.h"

namespace tidegate::schema {

enum class Outcome : std::uint8_t {
  accepted,
  unchecked,
  no_id,
  unknown_id,
  other_subject,
  unavailable,
  unusable,
  mismatch,
};
inline constexpr std::array kOutcomeNames = {"accepted",      "unchecked",   "no_id",    "unknown_id",
                                             "other_subject", "unavailable", "unusable", "mismatch"};

struct SchemaKey {
  Field field = Field::value;
  std::int32_t id = 0;
  // Set where the subject is named after the record's type: whether the id belongs to that subject. Without
  // it there the schema itself is meant, whoever it belongs to.
  std::string record_name;
  auto operator<=>(const SchemaKey&) const = default;
};
// What a schema id is for a field of the topic.
struct Resolved {
  Outcome outcome = Outcome::accepted;
  std::string problem;
  CompiledSchemaPtr schema;  // set: records have to be values of it
};
using ResolvedSchemas = std::map<SchemaKey, Resolved>;

struct Judgement {
  BatchVerdict verdict;      // means nothing with `unresolved`
  ResolvedSchemas resolved;  // of the batch's ids, as far as they are known
  std::vector<SchemaKey> unresolved;
  using Counts = std::array<std::size_t, kOutcomeNames.size()>;
  std::array<Counts, 2> counts{};  // by field
};

// Asked once for each id of the batch; nullopt: nobody knows yet.
using KnownSchemas = std::function<std::optional<Resolved>(const SchemaKey&)>;

// `resolved` is what an earlier pass left open.
Judgement judge(const TopicPolicy& policy, const protocol::RecordBatch& batch,
                const protocol::RecordLimits& limits, ResolvedSchemas resolved, const KnownSchemas& known);

}  // namespace tidegate::schema
