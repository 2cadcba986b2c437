// Batches as messages of a broker: what comes back, and what is passed over.
#include "format/broker_message.h"

#include <gtest/gtest.h>

#include "format/batch_layout.h"
#include "support/batches.h"

namespace tidegate::storage::seaweedmq {
namespace {

using test::batch_of;

struct Stored {
  SharedBuffer chunk;
  std::string key;
};

// One message as a broker keeps it, with a number of its own.
Stored stored(const protocol::RecordBatch& batch, std::string key) {
  std::string bytes;
  const LogEntry entry{.ts_ns = 77, .offset = 4711, .key = as_bytes(key)};
  put_frame_head(bytes, entry, batch.bytes.size());
  bytes.append(as_text(batch.bytes.bytes()));
  return {.chunk = SharedBuffer::copy_of(as_bytes(bytes)), .key = std::move(key)};
}

std::optional<BatchMessage> parsed(const SharedBuffer& chunk) {
  FrameReader frames(chunk);
  const auto entry = frames.next();
  EXPECT_TRUE(entry && *entry);
  return batch_of_message(**entry, chunk);
}

TEST(BrokerMessage, BatchComesBackWithItsRankAndTheBrokersNumber) {
  const auto batch = batch_of({"a", "b"});
  const auto message = parsed(stored(batch, message_key(batch.header, 5)).chunk);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->batch.header.base_offset, batch.header.base_offset);
  EXPECT_EQ(message->batch.bytes.size(), batch.bytes.size());
  EXPECT_EQ(message->mark.rank, (MessageRank{.epoch = batch.header.partition_leader_epoch, .session = 5}));
  EXPECT_EQ(message->mark.message, 4711);
  EXPECT_EQ(message->mark.ts_ns, 77);
}

TEST(BrokerMessage, OthersMessagesArePassedOver) {
  const auto batch = batch_of({"a"});
  EXPECT_FALSE(parsed(stored(batch, "").chunk));
  EXPECT_FALSE(parsed(stored(batch, "sixteen bytes!!!").chunk));
  EXPECT_FALSE(parsed(stored(batch, batch_key(batch.header)).chunk)) << "of the direct path";
  EXPECT_FALSE(parsed(stored(batch, message_key(batch_of({"a", "b"}).header, 1)).chunk)) << "another count";
}

TEST(BrokerMessage, DamagedBatchIsPassedOver) {
  const auto batch = batch_of({"some value"});
  auto message = stored(batch, message_key(batch.header, 1));
  std::string bytes(as_text(message.chunk.bytes()));
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  EXPECT_FALSE(parsed(SharedBuffer::copy_of(as_bytes(bytes))));
}

TEST(BrokerMessage, RanksGoByEpochFirst) {
  EXPECT_LT((MessageRank{.epoch = 1, .session = 9}), (MessageRank{.epoch = 2, .session = 1}));
  EXPECT_LT((MessageRank{.epoch = 2, .session = 1}), (MessageRank{.epoch = 2, .session = 2}));
}

}  // namespace
}  // namespace tidegate::storage::seaweedmq
