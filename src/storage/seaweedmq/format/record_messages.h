// Layout `record` on the broker path: one message of a SeaweedMQ broker is one Kafka record, key and value as
// they are, so that SeaweedMQ's subscribers and SQL engine read them. A broker gives a message nothing that
// readers pass over; so what a record has beside key and value, and all that belongs to the batch, is in an
// envelope in front of the value of the batch's first record (docs/seaweedmq.md has the bytes). The others
// are plain, but for values that begin as an envelope does. A batch that cannot be taken apart is one message
// that is an envelope alone.
//
// The records of a batch follow each other in the files, as they do on the stream they were sent on. One that
// another message divides, or that misses a record, is not there: its CRC fails, and its owner sends it
// again. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker_message.h"

namespace tidegate::storage::seaweedmq {

struct RecordMessage {
  std::string key;
  std::string value;
};

struct RecordMessages {
  std::vector<RecordMessage> messages;
  bool opaque = false;  // kept whole because it could not be taken apart
};

// `front` and `rest` together are the batch, as it is to be stored. One that inflates to more than
// `max_inflated_bytes`, or whose messages would take more, is kept whole.
RecordMessages record_messages(const protocol::BatchHeader& header, const SharedBuffer& front,
                               const SharedBuffer& rest, std::uint32_t session,
                               std::size_t max_inflated_bytes = 64U << 20);

// Puts batches together again from the messages of a partition, in the order of its files. Memory is bounded
// by the messages', whatever they claim.
class RecordMessageReader {
 public:
  struct Taken {
    // The batch that the message completes.
    std::optional<BatchMessage> batch;
    // It is the first one of a batch; what was not complete before is not there.
    bool begins = false;
  };
  // `chunk` has the bytes of `entry`, and outlives the reader or its next batch.
  Taken take(const LogEntry& entry, const SharedBuffer& chunk);
  // A batch has begun that misses records.
  bool is_open() const { return !entries_.empty(); }

 private:
  std::optional<BatchMessage> complete();
  protocol::BatchHeader shape_;
  std::uint32_t crc_ = 0;          // as the producer's batch had it
  std::uint32_t records_crc_ = 0;  // of the above as it was stored and of the records, inflated
  ByteView batch_;
  std::uint32_t session_ = 0;
  ByteView facts_;  // of each record
  std::vector<LogEntry> entries_;
};

}  // namespace tidegate::storage::seaweedmq
