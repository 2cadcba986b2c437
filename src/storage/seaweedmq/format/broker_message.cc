#include "broker_message.h"

#include "batch_layout.h"
#include "coding.h"

namespace tidegate::storage::seaweedmq {

std::string message_key(const protocol::BatchHeader& header, std::uint32_t session) {
  std::string key = batch_key(header);
  put_be(key, session);
  return key;
}

std::optional<BatchMessage> batch_of_message(const LogEntry& entry, const SharedBuffer& chunk) {
  if (entry.key.size() != kBatchKeyBytes + sizeof(std::uint32_t)) return std::nullopt;
  const auto session = BigEndianReader(entry.key.last(sizeof(std::uint32_t))).integer<std::uint32_t>();
  LogEntry as_batch = entry;
  as_batch.key = entry.key.first(kBatchKeyBytes);
  as_batch.offset = BigEndianReader(as_batch.key).integer<Offset>();
  auto batch = batch_of_entry(as_batch, chunk);
  if (!batch || !protocol::batch_crc_is_valid(batch->bytes, batch->header)) return std::nullopt;
  const MessageRank rank{.epoch = batch->header.partition_leader_epoch, .session = session};
  const std::uint32_t crc = batch->header.crc;
  return BatchMessage{.batch = std::move(*batch),
                      .mark = {.rank = rank, .message = entry.offset, .ts_ns = entry.ts_ns, .crc = crc}};
}

}  // namespace tidegate::storage::seaweedmq
