// Checks the keys and values of one produced batch against the schemas that its topic asks for: before
// anything is stored, and the whole batch. Called by the produce path on the owner shard of a partition;
// look-ups go to the Registry, long work to the CPU lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/base/metrics.h"
#include "tidegate/protocol/batch_check.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/runtime/task.h"
#include "tidegate/schema/policy.h"
#include "tidegate/schema/registry.h"
#include "tidegate/schema/validation_options.h"

namespace tidegate::schema {

// Different schema ids in one batch; more are refused.
inline constexpr std::size_t kMaxIdsPerBatch = 100;
// Bad records that are named; all are counted.
inline constexpr std::size_t kMaxNamedRecords = 1000;

struct BatchVerdict {
  // none: store it. invalid_record with `problems`; message_too_large and corrupt_message when the records
  // cannot be read; not_enough_replicas, which producers retry, when nobody can tell now.
  ErrorCode error = ErrorCode::none;
  std::string message;
  std::vector<protocol::RecordProblem> problems;  // ascending; of a record with two the first
  std::size_t problems_total = 0;
};

class BatchValidator {
 public:
  // `registry` may be nullptr: then nobody can ever tell.
  BatchValidator(Registry* registry, BlockingPool& blocking, MetricRegistry& metrics,
                 ValidationOptions options = {});
  ~BatchValidator();

  // `policy` asks for something (any()). Does not look at the batch's CRC.
  Task<BatchVerdict> check(TopicPolicy policy, std::string topic, protocol::RecordBatch batch,
                           protocol::RecordLimits limits);
  Registry* registry() const;
  // A schema with all that it refers to, as TypedValues keeps it; from the cache or the registry, within
  // seconds. Empty: nobody can tell now.
  Task<std::string> schema_text(std::int32_t id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::schema
