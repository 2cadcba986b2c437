// Appending: from the bytes of a Produce request to offsets. Called by api/produce on the connection's
// shard; the work happens on the owner shards of the partitions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tidegate/base/clock.h"
#include "tidegate/base/ids.h"
#include "tidegate/base/result.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/runtime/task.h"

namespace tidegate::broker {

struct BrokerParts;
class PartitionTables;

// One record of a refused batch, by its index in the batch.
struct RecordError {
  std::int32_t index = 0;
  std::string message;
};

// Where a partition is led, told with not_leader_or_follower and fenced_leader_epoch (KIP-951).
struct LeaderHint {
  NodeId node = -1;
  LeaderEpoch epoch = kNoEpoch;
};

struct ProduceItem {
  PartitionId partition;
  SharedBuffer records;  // as the client sent them; never changed
};

struct ProduceOptions {
  std::int16_t acks = -1;    // checked by the handler: -1, 0 or 1
  bool zstd_allowed = true;  // Produce 7 on
  bool has_transactional_id = false;
  // What is not durable by then is answered request_timed_out; the work goes on.
  MonoTime deadline = MonoTime::max();
};

// Appends of one call on one shard that were answered before they ended.
struct ProduceRest;

struct ProduceOutcome {
  ErrorCode error = ErrorCode::none;
  std::string message;
  Offset base_offset = -1;
  std::int64_t log_append_time = -1;
  Offset log_start = -1;
  std::vector<RecordError> record_errors;
  LeaderHint leader;                  // set with not_leader_or_follower
  std::shared_ptr<ProduceRest> rest;  // set when the deadline came first
};

class ProducePath {
 public:
  ProducePath(const BrokerParts& parts, PartitionTables& tables) : parts_(parts), tables_(tables) {}

  // Appends each item and completes when all are as durable as the flush policy promises (with acks 0:
  // when they are in the log). Outcomes stand at their items' places. `dispatched` is called once, when
  // the place of every item in its partition's order is fixed, whatever happens later.
  Task<std::vector<ProduceOutcome>> append(std::vector<ProduceItem> items, ProduceOptions options,
                                           std::function<void()> dispatched);
  // Holds `charge`, the memory of the request, until the appends that outlive their answer have ended;
  // they still refer to its bytes. On the shard that called append().
  static void hold_for_rest(const std::vector<ProduceOutcome>& outcomes, std::shared_ptr<void> charge);

 private:
  const BrokerParts& parts_;
  PartitionTables& tables_;
};

}  // namespace tidegate::broker
