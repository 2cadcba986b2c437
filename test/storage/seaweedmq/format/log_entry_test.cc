// Frames as SeaweedMQ reads them: our codec against the generated protobuf class, and damage.
#include "format/log_entry.h"

#include "format/batch_layout.h"
#include "format/coding.h"
#include "seaweedfs/filer.pb.h"
#include "support/batches.h"

namespace tidegate::test {
namespace {

using namespace storage::seaweedmq;

std::string frame_of(LogEntry entry, std::string_view data) {
  std::string out;
  put_frame_head(out, entry, data.size());
  EXPECT_EQ(out.size(), frame_head_bytes(entry, data.size()));
  return out.append(data);
}

TEST(SeaweedLogEntry, OurFrames_AreProtobufMessages) {
  for (const std::int64_t ts : {std::int64_t{0}, std::int64_t{1}, std::int64_t{1'700'000'000'000'000'123}}) {
    for (const std::int32_t hash : {0, 77, -5}) {
      for (const std::string& data : {std::string(), std::string("value"), std::string(70'000, 'x')}) {
        const LogEntry entry{.ts_ns = ts,
                             .partition_key_hash = hash,
                             .offset = ts / 3,
                             .key = as_bytes("key"),
                             .extra = as_bytes("e")};
        const std::string frame = frame_of(entry, data);
        BigEndianReader head(frame);
        ASSERT_EQ(head.integer<std::uint32_t>(), frame.size() - 4);
        filer_pb::LogEntry message;
        ASSERT_TRUE(message.ParseFromString(frame.substr(4)));
        EXPECT_EQ(message.ts_ns(), ts);
        EXPECT_EQ(message.partition_key_hash(), hash);
        EXPECT_EQ(message.offset(), ts / 3);
        EXPECT_EQ(message.key(), "key");
        EXPECT_EQ(message.data(), data);
      }
    }
  }
}

TEST(SeaweedLogEntry, ProtobufMessages_AreOurFrames) {
  SeededRng rng(5);
  std::string chunk;
  std::vector<filer_pb::LogEntry> written;
  for (int i = 0; i < 50; ++i) {
    filer_pb::LogEntry message;
    message.set_ts_ns(static_cast<std::int64_t>(rng.next() >> 1));
    message.set_partition_key_hash(static_cast<std::int32_t>(rng.next()));
    message.set_offset(i);
    message.set_key(std::string(rng.below(40), 'k'));
    message.set_data(std::string(rng.below(300), 'd'));
    const std::string bytes = message.SerializeAsString();
    put_be(chunk, static_cast<std::uint32_t>(bytes.size()));
    chunk += bytes;
    written.push_back(message);
  }
  FrameReader frames(as_bytes(chunk));
  for (const auto& message : written) {
    const auto entry = frames.next();
    ASSERT_TRUE(entry && *entry);
    EXPECT_EQ((*entry)->ts_ns, message.ts_ns());
    EXPECT_EQ((*entry)->partition_key_hash, message.partition_key_hash());
    EXPECT_EQ((*entry)->offset, message.offset());
    EXPECT_EQ(as_text((*entry)->key), message.key());
    EXPECT_EQ(as_text((*entry)->data), message.data());
  }
  EXPECT_FALSE(frames.next().has_value());
}

TEST(SeaweedLogEntry, UnknownFields_ArePassedOver) {
  // Field 9 as varint, 10 as fixed64, 11 as bytes, 12 as fixed32, then offset 3.
  const std::string bytes(
      "\x48\x96\x01\x51"
      "12345678"
      "\x5a\x02"
      "ab"
      "\x65"
      "abcd"
      "\x28\x03",
      23);
  const auto entry = parse_log_entry(as_bytes(bytes));
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->offset, 3);
}

TEST(SeaweedLogEntry, EveryCut_IsCorrupt) {
  const std::string frame = frame_of({.ts_ns = 5, .offset = 300, .key = as_bytes("key")}, "data");
  for (std::size_t size = 1; size < frame.size(); ++size) {
    FrameReader frames(as_bytes(frame).first(size));
    const auto entry = frames.next();
    ASSERT_TRUE(entry.has_value()) << size;
    ASSERT_FALSE(*entry) << size;
    EXPECT_EQ(entry->error().code, ErrorCode::corrupt_message);
    EXPECT_FALSE(*frames.next()) << "it stays broken";
  }
}

SharedBuffer chunk_of(const std::vector<protocol::RecordBatch>& batches, std::int64_t ts_ns = 1000) {
  ChunkBuilder builder;
  for (const auto& batch : batches) {
    // Every second one in two parts, as the log has large ones.
    const bool split = batch.bytes.size() % 2 == 0;
    const std::size_t front = split ? protocol::kBatchHeaderBytes : batch.bytes.size();
    builder.add(batch.header, batch.bytes.slice(0, front),
                batch.bytes.slice(front, batch.bytes.size() - front), ts_ns++);
  }
  const std::size_t size = builder.size_bytes();
  const SharedBuffer joined = tidegate::test::joined(builder.take());
  EXPECT_EQ(joined.size(), size);
  EXPECT_TRUE(builder.empty());
  return joined;
}

TEST(SeaweedBatchLayout, Batches_ComeBackVerbatim) {
  std::vector<protocol::RecordBatch> batches;
  Offset base = 0;
  for (int i = 0; i < 20; ++i) {
    batches.push_back(numbered_batch(std::string(static_cast<std::size_t>(i), 'p'), i, 1 + i % 3,
                                     {.base_offset = base, .leader_epoch = 4}));
    base = batches.back().header.next_offset();
  }
  const SharedBuffer chunk = chunk_of(batches);
  FrameReader frames(chunk);
  std::int64_t ts_ns = 1000;
  for (const auto& batch : batches) {
    const auto entry = frames.next();
    ASSERT_TRUE(entry && *entry);
    EXPECT_EQ((*entry)->ts_ns, ts_ns++);
    const auto found = batch_of_entry(**entry, chunk);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->bytes, batch.bytes);
    EXPECT_EQ(found->header.base_offset, batch.header.base_offset);
    EXPECT_GE(found->bytes.data(), chunk.data()) << "a slice, not a copy";
    EXPECT_LT(found->bytes.data(), chunk.data() + chunk.size());
  }
  EXPECT_FALSE(frames.next().has_value());
}

TEST(SeaweedBatchLayout, EntriesThatDoNotFit_AreCorrupt) {
  const auto batch = numbered_batch("v", 0, 3, {.base_offset = 7});
  const std::string key = batch_key(batch.header);
  const auto parse = [&](Offset offset, std::string_view with_key, std::size_t bytes) {
    const std::string frame = frame_of({.offset = offset, .key = as_bytes(with_key)},
                                       as_text(batch.bytes.bytes()).substr(0, bytes));
    const SharedBuffer chunk = SharedBuffer::copy_of(as_bytes(frame));
    FrameReader frames(chunk);
    const auto entry = frames.next();
    return batch_of_entry(**entry, chunk).has_value();
  };
  EXPECT_TRUE(parse(7, key, batch.bytes.size()));
  EXPECT_FALSE(parse(8, key, batch.bytes.size()));
  EXPECT_FALSE(parse(7, "native key", batch.bytes.size()));
  EXPECT_FALSE(parse(7, key, batch.bytes.size() - 1));
  EXPECT_FALSE(parse(7, key, 20));
}

}  // namespace
}  // namespace tidegate::test
