// Kafka batches as messages of a SeaweedMQ broker: the value is one batch as it is, the key says where it is
// to be {8 bytes base offset, 4 bytes count of offsets, 4 bytes session}, big-endian. The broker gives each
// message a number of its own, which goes back after a crash and means nothing to Kafka. What is sent twice,
// or too late, is told by its rank: the batch's leader epoch, then the session, which counts an owner's
// streams. In the order of the files, a message of a lower rank than one in front of it is void, and one that
// begins below the end of what is in front of it takes the place of that. Pure; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "log_entry.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::storage::seaweedmq {

struct MessageRank {
  LeaderEpoch epoch = kNoEpoch;
  std::uint32_t session = 0;
  auto operator<=>(const MessageRank&) const = default;
};

// Of one batch in a file.
struct MessageMark {
  MessageRank rank;
  Offset message = 0;  // the broker's number, of its last message
  std::int64_t ts_ns = 0;
  std::uint32_t crc = 0;  // as the batch had it when it was sent
  // Set: there is no batch, but a place where the log goes on (GoesOn); its header's base offset is that.
  std::optional<Offset> own_end = std::nullopt;
};

struct BatchMessage {
  protocol::RecordBatch batch;  // a slice of the chunk, or put together from records
  MessageMark mark;
};

std::string message_key(const protocol::BatchHeader& header, std::uint32_t session);
// nullopt: somebody else's message, or a damaged one; readers pass over it.
std::optional<BatchMessage> batch_of_message(const LogEntry& entry, const SharedBuffer& chunk);

}  // namespace tidegate::storage::seaweedmq
