// Layout `record`: what goes in comes back, other readers see keys and values, others' entries make batches,
// and nothing that lies on a volume server does harm.
#include "format/record_layout.h"

#include <gmock/gmock.h>

#include "format/coding.h"
#include "random_batches.h"
#include "seaweedfs/filer.pb.h"
#include "support/batches.h"
#include "tidegate/protocol/batch_filter.h"

namespace tidegate::test {
namespace {

using namespace storage::seaweedmq;
using protocol::Compression;
using protocol::NewRecord;
using protocol::RecordBatch;

constexpr std::int64_t kNow = 1'750'000'000'000'000'000;

SharedBuffer chunk_of(const std::vector<RecordBatch>& batches) {
  RecordChunkBuilder builder;
  std::int64_t ts_ns = kNow;
  for (const auto& batch : batches) ts_ns += builder.add(batch.header, batch.bytes, {}, ts_ns);
  const std::size_t size = builder.size_bytes();
  const auto pieces = builder.take();
  EXPECT_EQ(builder.size_bytes(), 0U);
  EXPECT_EQ(pieces.size(), batches.empty() ? 0U : 1U);
  if (pieces.empty()) return {};
  EXPECT_EQ(pieces.front().size(), size);
  return pieces.front();
}

struct Read {
  std::vector<RecordBatch> batches;
  std::optional<Error> damage;
  std::size_t passed_over = 0;
};
Read read(const SharedBuffer& chunk, RecordChunkReader::Options options) {
  RecordChunkReader reader(chunk, options);
  Read found;
  while (auto batch = reader.next()) {
    if (!*batch) {
      found.damage = batch->error();
      const auto again = reader.next();
      EXPECT_TRUE(again && !*again) << "damage stays";
      break;
    }
    EXPECT_EQ((*batch)->bytes.size(), (*batch)->header.size_bytes());
    EXPECT_TRUE(protocol::batch_crc_is_valid((*batch)->bytes, (*batch)->header));
    const auto header = protocol::parse_batch_header((*batch)->bytes);
    EXPECT_TRUE(header && header->base_offset == (*batch)->header.base_offset);
    found.batches.push_back(std::move(**batch));
  }
  found.passed_over = reader.passed_over();
  return found;
}
Read read(const SharedBuffer& chunk) { return read(chunk, {}); }

TEST(SeaweedRecordLayout, RandomBatches_ComeBack) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    SeededRng rng(seed);
    std::vector<RecordBatch> batches;
    Offset next = static_cast<Offset>(rng.below(3) * rng.below(1'000'000'000'000));
    for (std::size_t i = rng.below(12); i > 0; --i) {
      next += rng.below(3) == 0 ? static_cast<Offset>(rng.below(50)) : 0;
      batches.push_back(random_batch(rng, next));
      next = batches.back().header.next_offset();
      if (rng.below(6) > 0) continue;
      auto marker = protocol::build_control_batch(protocol::ControlType::commit, 5, 1, 0, kFirstTimestamp);
      batches.push_back(RecordBatch(marker));
      MutableBuffer placed(marker.bytes.size());
      batches.back().header.base_offset = next++;
      std::ranges::copy(marker.bytes.bytes(), placed.data());
      protocol::write_batch_header(batches.back().header, placed.bytes());
      batches.back().bytes = std::move(placed).freeze();
    }
    const auto found = read(chunk_of(batches));
    EXPECT_FALSE(found.damage) << found.damage->message;
    ASSERT_EQ(found.batches.size(), batches.size());
    for (std::size_t i = 0; i < batches.size(); ++i) {
      ASSERT_EQ(seen(found.batches[i]), seen(batches[i]));
      if (batches[i].header.compression() == Compression::none)
        EXPECT_EQ(found.batches[i].bytes, batches[i].bytes) << "not even compressed anew";
    }
  }
}

std::vector<filer_pb::LogEntry> messages_of(const SharedBuffer& chunk) {
  std::vector<filer_pb::LogEntry> messages;
  BigEndianReader reader(chunk);
  while (reader.remaining() > 0) {
    const auto text = reader.text();
    EXPECT_TRUE(reader.ok());
    EXPECT_TRUE(messages.emplace_back().ParseFromString(std::string(text)));
  }
  return messages;
}

TEST(SeaweedRecordLayout, OtherReaders_SeeKeysAndValues) {
  const std::vector<NewRecord> records = {
      {.timestamp = 1, .key = "k1", .value = "v1", .headers = {{"h", "x"}}},
      {.timestamp = 2, .key = std::nullopt, .value = "v2"},
      {.timestamp = 3, .key = "", .value = "v3"},
      {.timestamp = 4, .key = "gone", .value = std::nullopt},
  };
  const auto chunk = chunk_of({build(records, {.compression = Compression::zstd, .base_offset = 40}),
                               protocol::build_control_batch(protocol::ControlType::abort, 1, 1, 1, 1)});
  const auto messages = messages_of(chunk);
  ASSERT_EQ(messages.size(), 5U);
  std::vector<std::string> keys;
  std::vector<std::string> values;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    keys.push_back(messages[i].key());
    values.push_back(messages[i].data());
    EXPECT_EQ(messages[i].ts_ns(), kNow + static_cast<std::int64_t>(i)) << "never the client's time";
    if (i < 4) EXPECT_EQ(messages[i].offset(), 40 + static_cast<Offset>(i));
  }
  EXPECT_THAT(keys, testing::ElementsAre("k1", "41", "42", "gone", "")) << "SQL passes over an empty key";
  EXPECT_THAT(values, testing::ElementsAre("v1", "v2", "v3", "", ""));
}

std::string others(Offset offset, std::string_view key, std::string_view data, std::int64_t ts_ns = kNow) {
  std::string out;
  put_frame_head(out, {.ts_ns = ts_ns, .partition_key_hash = 3, .offset = offset, .key = as_bytes(key)},
                 data.size());
  return out.append(data);
}

TEST(SeaweedRecordLayout, OthersEntries_MakeBatches) {
  std::string bytes = others(5, "a", "1") + others(6, "", "2", kNow + 2'000'000) + others(9, "c", "");
  const auto ours = chunk_of({batch_of({"x", "y"}, {.base_offset = 10, .leader_epoch = 4})});
  bytes += std::string(as_text(ours.bytes())) + others(12, "d", "3");
  const auto found = read(SharedBuffer::copy_of(as_bytes(bytes)), {.others = true, .leader_epoch = 7});
  EXPECT_FALSE(found.damage);
  ASSERT_EQ(found.batches.size(), 3U);
  EXPECT_EQ(seen(found.batches[0]),
            "5+4 epoch 7 attributes 0 times 1750000000000..1750000000002 producer -1/-1/-1 count 3\n"
            "0 0 'a' '1'\n1 2 null '2'\n4 0 'c' null\n");
  EXPECT_EQ(found.batches[1].header.partition_leader_epoch, 4);
  EXPECT_EQ(found.batches[2].header.base_offset, 12);
}

TEST(SeaweedRecordLayout, OthersEntries_AreSortedAndGivenOnce) {
  std::string bytes;
  for (const Offset offset : {2, 1, 4, 3, 3, 6, 5, 1}) bytes += others(offset, "k", std::to_string(offset));
  EXPECT_TRUE(read(SharedBuffer::copy_of(as_bytes(bytes))).damage) << "where only we write";
  const auto found = read(SharedBuffer::copy_of(as_bytes(bytes)), {.others = true});
  ASSERT_EQ(found.batches.size(), 1U);
  EXPECT_EQ(found.passed_over, 2U);
  EXPECT_EQ(found.batches[0].header.base_offset, 1);
  EXPECT_EQ(found.batches[0].header.records_count, 6);
}

TEST(SeaweedRecordLayout, OthersEntries_AreDividedIntoBatches) {
  std::string bytes;
  for (Offset offset = 0; offset < 5000; ++offset) bytes += others(offset, "k", std::string(100, 'v'));
  bytes += others(Offset{1} << 40, "far", "away");
  const auto found =
      read(SharedBuffer::copy_of(as_bytes(bytes)), {.others = true, .max_batch_bytes = 50'000});
  EXPECT_FALSE(found.damage);
  Offset next = 0;
  for (const auto& batch : found.batches) {
    if (next < 5000) EXPECT_EQ(batch.header.base_offset, next);
    EXPECT_LE(batch.bytes.size(), 50'200U);
    next = batch.header.next_offset();
  }
  EXPECT_EQ(next, (Offset{1} << 40) + 1) << "an offset too far for one batch";
}

TEST(SeaweedRecordLayout, BatchesThatCannotBeTakenApart_AreKeptWhole) {
  const auto good = batch_of({"some value", "another"}, {.compression = Compression::lz4, .base_offset = 3});
  auto lying = good;
  lying.header.records_count = 7;
  MutableBuffer bytes(good.bytes.size());
  std::ranges::copy(good.bytes.bytes(), bytes.data());
  protocol::write_batch_header(lying.header, bytes.bytes());
  lying.header.crc = protocol::batch_crc(bytes.bytes());
  protocol::write_batch_header(lying.header, bytes.bytes());
  lying.bytes = std::move(bytes).freeze();
  RecordChunkBuilder builder;
  EXPECT_EQ(builder.add(lying.header, lying.bytes, {}, kNow), 1);
  EXPECT_EQ(builder.opaque(), 1U);
  const auto found = read(builder.take().at(0));
  ASSERT_EQ(found.batches.size(), 1U);
  EXPECT_EQ(found.batches[0].bytes, lying.bytes);

  // Too large inflated.
  RecordChunkBuilder narrow(1000);
  const auto bomb = batch_of({std::string(100'000, 'x')}, {.compression = Compression::gzip});
  EXPECT_EQ(narrow.add(bomb.header, bomb.bytes, {}, kNow), 1);
  EXPECT_LT(narrow.size_bytes(), 2000U);
  EXPECT_EQ(read(narrow.take().at(0)).batches.at(0).bytes, bomb.bytes);

  // Too large as entries: each record has some bytes of its own there.
  const auto small = batch_of(std::vector<std::string>(60));
  ASSERT_LT(small.bytes.size(), 1000U);
  EXPECT_EQ(narrow.add(small.header, small.bytes, {}, kNow), 1);
  EXPECT_EQ(narrow.opaque(), 1U);
  EXPECT_EQ(read(narrow.take().at(0)).batches.at(0).bytes, small.bytes);
}

TEST(SeaweedRecordLayout, HeaderAndRecordsInTwoPieces_AreTheSame) {
  const auto batch = batch_of({"v1", "v2"}, {.compression = Compression::snappy, .base_offset = 8});
  const auto front = batch.bytes.slice(0, protocol::kBatchHeaderBytes);
  const auto rest =
      batch.bytes.slice(protocol::kBatchHeaderBytes, batch.bytes.size() - protocol::kBatchHeaderBytes);
  RecordChunkBuilder builder;
  EXPECT_EQ(builder.add(batch.header, front, rest, kNow), 2);
  EXPECT_EQ(builder.take().at(0), chunk_of({batch}));
}

TEST(SeaweedRecordLayout, EveryFlippedBit_IsDamageOrHarmless) {
  const auto first = batch_of({"a", "b"}, {.base_offset = 1});
  const auto second =
      build({{.timestamp = 5, .key = "k", .value = "v", .headers = {{"h", "x"}}}}, {.base_offset = 3});
  const auto good = chunk_of({first, second});
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    MutableBuffer bad(good.size());
    std::ranges::copy(good.bytes(), bad.data());
    bad.data()[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    const auto found = read(std::move(bad).freeze());
    if (found.damage) {
      EXPECT_EQ(found.damage->code, ErrorCode::corrupt_message);
      EXPECT_LT(found.batches.size(), 2U);
      continue;
    }
    // ts_ns and the hash are nobody's, and a field that lost its number is passed over.
    ASSERT_EQ(found.batches.size(), 2U) << bit;
    EXPECT_EQ(seen(found.batches[0]), seen(first)) << bit;
    EXPECT_EQ(seen(found.batches[1]), seen(second)) << bit;
  }
}

TEST(SeaweedRecordLayout, EveryCut_IsDamage) {
  const auto good = chunk_of({batch_of({"a", "b", "c"}), batch_of({"d"}, {.base_offset = 3})});
  for (std::size_t size = 1; size < good.size(); ++size) {
    const auto found = read(good.slice(0, size));
    EXPECT_LT(found.batches.size(), 2U);
    const bool between = !found.damage && found.batches.size() == 1;
    if (!between) ASSERT_TRUE(found.damage) << size;
  }
}

std::string entry_with(Offset offset, std::string_view extra, std::string_view data = {}) {
  std::string out;
  put_frame_head(out, {.ts_ns = 1, .offset = offset, .key = as_bytes("k"), .extra = as_bytes(extra)},
                 data.size());
  return out.append(data);
}

TEST(SeaweedRecordLayout, MixedUpEntries_AreDamage) {
  const auto entries = [](const SharedBuffer& chunk) {
    std::vector<std::string> frames;
    BigEndianReader reader(chunk);
    while (reader.remaining() > 0) {
      std::string frame;
      put_text(frame, reader.text());
      frames.push_back(frame);
    }
    return frames;
  };
  const auto frames = entries(chunk_of({batch_of({"a", "b"}), batch_of({"c", "d"}, {.base_offset = 2})}));
  ASSERT_EQ(frames.size(), 4U);
  const auto count_of = [&](const std::string& bytes) {
    const auto found = read(SharedBuffer::copy_of(as_bytes(bytes)), {.others = true});
    return found.damage ? static_cast<int>(found.batches.size()) : -1;
  };
  EXPECT_EQ(count_of(frames[1] + frames[0]), 0) << "begins inside of a batch";
  EXPECT_EQ(count_of(frames[0] + frames[2] + frames[3]), 0) << "a batch in a batch";
  EXPECT_EQ(count_of(frames[0] + frames[3]), 0) << "of another batch";
  EXPECT_EQ(count_of(frames[0] + frames[0]), 0) << "twice";
  EXPECT_EQ(count_of(frames[2] + frames[3] + frames[0] + frames[1]), 1) << "batches out of order";
  EXPECT_EQ(count_of(frames[0] + others(1, "k", "v")), 0) << "somebody else's in a batch";
  EXPECT_EQ(count_of(frames[0] + frames[1] + entry_with(2, "x")), 1);
  EXPECT_EQ(count_of(entry_with(0, std::string("\x02\x01", 2))), 0) << "a later version";
  EXPECT_EQ(count_of(entry_with(0, std::string("\x01\x20", 2))), 0) << "a whole batch of nothing";
  EXPECT_EQ(count_of(entry_with(0, std::string("\x01\x20", 2) + "no batch")), 0);
  EXPECT_EQ(count_of(others(-1, "k", "v")), 0);
  EXPECT_EQ(count_of(others(std::numeric_limits<Offset>::max(), "k", "v")), 0);
}

TEST(SeaweedRecordLayout, HugeCounts_CostNothing) {
  // Two billion records, of which one is there; with a CRC that is right.
  auto batch = batch_of({"a"});
  const auto good = chunk_of({batch});
  std::string extra;
  const auto entry = FrameReader(good).next();
  extra.append(as_text((**entry).extra));
  for (std::size_t i = 0; i < 4; ++i) extra[2 + 48 + i] = static_cast<char>(i == 0 ? 0x7F : 0xFF);
  extra.resize(extra.size() - 4);
  std::string place;
  put_be(place, Offset{0});
  put_be(place, std::uint32_t{1});
  auto crc = protocol::crc32c(as_bytes(place));
  crc = protocol::crc32c(as_bytes(extra), crc);
  crc = protocol::crc32c(as_bytes("ka"), crc);
  put_be(extra, crc);
  const auto found = read(SharedBuffer::copy_of(as_bytes(entry_with(0, extra, "a"))));
  ASSERT_TRUE(found.damage);
  EXPECT_THAT(found.damage->message, testing::HasSubstr("cut"));
}

}  // namespace
}  // namespace tidegate::test
