// What operators ask of partitions: how large they are, who produces into them, and the disk they are on.
// Called by api/admin on the connection's shard; answered on the owner shards.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tidegate/base/ids.h"
#include "tidegate/base/result.h"
#include "tidegate/runtime/task.h"

namespace tidegate::broker {

struct BrokerParts;
class PartitionTables;

struct PartitionQuestion {
  PartitionId partition;
};

struct PartitionSize {
  ErrorCode error = ErrorCode::none;
  std::int64_t bytes = 0;
};

// One idempotent producer, its batches that are not durable yet included.
struct ActiveProducer {
  std::int64_t id = -1;
  std::int16_t epoch = -1;
  std::int32_t last_sequence = -1;
  std::int64_t last_timestamp = -1;
  Offset transaction_start = -1;
};
struct PartitionProducers {
  ErrorCode error = ErrorCode::none;
  std::vector<ActiveProducer> producers;
};

// The one place where records are. -1: not known, or there is no such thing (records in memory).
struct LogDirectory {
  std::string path;
  std::int64_t total_bytes = -1;
  std::int64_t usable_bytes = -1;
};

// Answers stand at their questions' places. Logs that nobody has used since the start are opened, one
// after the other on each shard: a question about everything must not open everything at once.
class PartitionFacts {
 public:
  PartitionFacts(const BrokerParts& parts, PartitionTables& tables) : parts_(parts), tables_(tables) {}

  Task<std::vector<PartitionSize>> sizes(std::vector<PartitionQuestion> questions);
  Task<std::vector<PartitionProducers>> producers(std::vector<PartitionQuestion> questions);
  Task<LogDirectory> log_directory();

 private:
  const BrokerParts& parts_;
  PartitionTables& tables_;
};

}  // namespace tidegate::broker
