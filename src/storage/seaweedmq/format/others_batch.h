// A Kafka batch made of messages that are not a gateway's: key and value, and the time at which a broker took
// them; no compression, no producer, no headers. There is no telling null from empty: what has no bytes is
// null, as SeaweedFS's own gateway answers. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "log_entry.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::storage::seaweedmq {

class OthersBatch {
 public:
  explicit OthersBatch(LeaderEpoch epoch = kNoEpoch) { header_.partition_leader_epoch = epoch; }

  bool empty() const { return header_.records_count == 0; }
  std::size_t size_bytes() const { return records_.size(); }
  Offset base_offset() const { return header_.base_offset; }
  // Offsets ascend. False when a batch cannot reach so far, and nothing was added then.
  bool add(const LogEntry& entry, Offset offset);
  Result<protocol::RecordBatch> pack() const;

 private:
  protocol::BatchHeader header_;
  std::string records_;
};

}  // namespace tidegate::storage::seaweedmq
