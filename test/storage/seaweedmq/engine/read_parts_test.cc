// Reading parts of chunks: what is fetched is about what is wanted, counted in requests and bytes.
#include "log/file_index.h"
#include "seaweed_rig.h"

namespace tidegate::test {
namespace {

using storage::seaweedmq::LogFile;

constexpr int kBatches = 64;
constexpr std::size_t kValueBytes = 1000;

class SeaweedParts : public testing::TestWithParam<seaweed::Layout> {
 protected:
  SeaweedParts() {
    rig.options.tail_cache_bytes = 0;
    rig.options.chunk_cache_bytes = 0;
    rig.options.topics.layout = GetParam();
    rig.options.direct.mark_bytes = 8U << 10;
  }
  // One append of many batches, which is one chunk; read by another gateway.
  void fill() {
    auto gateway = rig.gateway(true);
    append_chunk(*gateway, 0);
    gateway->stop();
    size = rig.cluster.entry(rig.log_files().at(0))->chunks.at(0).size_bytes;
  }
  static std::string value(int n) { return std::to_string(n) + std::string(kValueBytes, 'v'); }
  static void append_chunk(Gateway& gateway, int first) {
    std::vector<protocol::RecordBatch> batches;
    for (int n = first; n < first + kBatches; ++n) batches.push_back(batch_of({value(n)}));
    ASSERT_TRUE(gateway.append(std::move(batches)));
  }
  struct Fetched {
    std::uint64_t requests = 0;
    std::uint64_t bytes = 0;
  };
  Fetched fetched() const { return {rig.cluster.calls(SeaweedOp::download), rig.cluster.downloaded_bytes()}; }
  Fetched since(Fetched before) const {
    return {fetched().requests - before.requests, fetched().bytes - before.bytes};
  }
  std::vector<storage::seaweedmq::ChunkMark> marks(std::size_t chunk = 0) const {
    return (*storage::seaweedmq::file_of(*rig.cluster.entry(rig.log_files().at(0))))
        ->chunks.at(chunk)
        .facts.marks;
  }

  SeaweedRig rig;
  std::uint64_t size = 0;
  const storage::ReadLimits one{.max_bytes = 1, .at_least_one_batch = true};
};

TEST_P(SeaweedParts, EntryMarksBatches_ByTheirBytes) {
  fill();
  const auto found = marks();
  ASSERT_GE(found.size(), 5U);
  std::uint64_t last = 0;
  for (const auto& mark : found) {
    EXPECT_GE(mark.position, last + rig.options.direct.mark_bytes);
    EXPECT_LE(mark.position, last + rig.options.direct.mark_bytes + 2 * kValueBytes);
    last = mark.position;
  }
  EXPECT_LT(last, size);
}

TEST_P(SeaweedParts, LittleAnywhere_FetchesOnePart) {
  fill();
  auto gateway = rig.gateway();
  for (const Offset from : {0, 7, 31, 40, 63}) {
    const auto before = fetched();
    const auto result = gateway->read(from, one);
    ASSERT_TRUE(result);
    EXPECT_EQ(values_of(records_of(*result)), Values{value(static_cast<int>(from))});
    EXPECT_EQ(since(before).requests, 1U);
    EXPECT_LE(since(before).bytes, rig.options.direct.mark_bytes + 2 * kValueBytes) << "at offset " << from;
  }
}

// However small the pieces in which a chunk is read, and with no memory to keep any: no piece costs the
// chunk.
TEST_P(SeaweedParts, ReadingInPieces_IsNotQuadratic) {
  fill();
  auto gateway = rig.gateway();
  const auto before = fetched();
  const storage::ReadLimits some{.max_bytes = 16U << 10, .at_least_one_batch = true};
  int next = 0;
  while (next < kBatches) {
    const auto result = gateway->read(next, some);
    ASSERT_TRUE(result);
    for (const auto& got : values_of(records_of(*result))) EXPECT_EQ(got, value(next++));
  }
  // A piece can begin and end inside of a part, both of which its neighbours fetch too.
  EXPECT_LE(since(before).bytes, 3 * size);
}

TEST_P(SeaweedParts, AllAtOnce_IsOneRequest) {
  fill();
  auto gateway = rig.gateway();
  const auto before = fetched();
  EXPECT_EQ(gateway->values().size(), static_cast<std::size_t>(kBatches));
  EXPECT_EQ(since(before).requests, 1U);
  EXPECT_EQ(since(before).bytes, size);
}

TEST_P(SeaweedParts, WhatIsHereAlready_IsNotFetchedAgain) {
  rig.options.chunk_cache_bytes = 4U << 20;
  fill();
  auto gateway = rig.gateway();
  const auto before = fetched();
  ASSERT_TRUE(gateway->read(30, one));
  EXPECT_EQ(since(before).requests, 1U);
  EXPECT_EQ(gateway->values().size(), static_cast<std::size_t>(kBatches));
  EXPECT_EQ(since(before).requests, 3U) << "what is in front of it, and what is behind";
  EXPECT_EQ(since(before).bytes, size);
  EXPECT_EQ(gateway->values().size(), static_cast<std::size_t>(kBatches));
  EXPECT_EQ(gateway->on_log([](auto& log) { return log.scan_headers(0, kBatches, 1000); })->size(),
            static_cast<std::size_t>(kBatches));
  EXPECT_EQ(since(before).bytes, size);
}

TEST_P(SeaweedParts, HeadersAndTimes_AreThoseOfTheWholeChunk) {
  fill();
  auto gateway = rig.gateway();
  const auto headers = gateway->on_log([](auto& log) { return log.scan_headers(3, 60, 1000); });
  ASSERT_TRUE(headers);
  ASSERT_EQ(headers->size(), 57U);
  for (std::size_t i = 0; i < headers->size(); ++i)
    EXPECT_EQ((*headers)[i].base_offset, static_cast<Offset>(i) + 3);
  const auto latest = gateway->on_log([](auto& log) { return log.max_timestamp(kBatches); });
  ASSERT_TRUE(latest);
  EXPECT_GE(latest->offset, 0);
}

TEST_P(SeaweedParts, LargeChunk_ComesInSeveralRequests) {
  rig.options.direct.mark_bytes = 256U << 10;
  auto writer = rig.gateway(true);
  std::vector<protocol::RecordBatch> batches;
  for (int n = 0; n < 30; ++n) batches.push_back(batch_of({std::to_string(n) + std::string(100'000, 'v')}));
  ASSERT_TRUE(writer->append(std::move(batches)));
  writer->stop();
  const auto entry = *rig.cluster.entry(rig.log_files().at(0));
  ASSERT_EQ(entry.chunks.size(), 1U);
  auto gateway = rig.gateway();
  const auto before = fetched();
  const auto result = gateway->read(0, {.max_bytes = 64U << 20});
  ASSERT_TRUE(result);
  EXPECT_EQ(records_of(*result).size(), 30U);
  EXPECT_EQ(since(before).bytes, entry.chunks[0].size_bytes);
  EXPECT_GE(since(before).requests, 3U);
  EXPECT_LE(since(before).requests, 5U);
}

TEST_P(SeaweedParts, GzippedNeedle_IsFetchedWhole) {
  fill();
  auto entry = *rig.cluster.entry(rig.log_files().at(0));
  entry.chunks[0].gzipped = true;
  rig.cluster.set_entry(rig.log_files().at(0), entry);
  auto gateway = rig.gateway();
  const auto before = fetched();
  ASSERT_TRUE(gateway->read(40, one));
  EXPECT_EQ(since(before).bytes, size) << "positions are those of the bytes before they were packed";
}

TEST_P(SeaweedParts, Damage_IsThatOfItsPart) {
  fill();
  const std::string id = rig.cluster.entry(rig.log_files().at(0))->chunks.at(0).file_id;
  const SharedBuffer good = rig.cluster.needle(id);
  MutableBuffer bad(good.size());
  std::ranges::copy(good.bytes(), bad.data());
  const auto first = marks().at(0);
  bad.data()[first.position - 3] ^= 1;
  rig.cluster.set_needle(id, std::move(bad).freeze());
  auto gateway = rig.gateway();
  EXPECT_EQ(gateway->read(first.offset - 1, one).error().code, ErrorCode::corrupt_message);
  const auto behind = gateway->read(first.offset, one);
  ASSERT_TRUE(behind);
  EXPECT_EQ(values_of(records_of(*behind)), Values{value(static_cast<int>(first.offset))});
}

TEST_P(SeaweedParts, MergedFiles_KeepTheirMarks) {
  rig.options.direct.max_chunks_per_file = 1;
  rig.options.direct.listed_files = 1;
  rig.options.direct.merge_files = 2;
  auto gateway = rig.gateway(true);
  for (int n = 0; n < 6; ++n) append_chunk(*gateway, n * kBatches);
  for (int round = 0; round < 4; ++round) gateway->housekeeping();
  ASSERT_LT(rig.log_files().size(), 6U) << "nothing was merged";
  std::size_t merged_bytes = 0;
  for (const auto& chunk : rig.cluster.entry(rig.log_files().at(0))->chunks)
    merged_bytes = std::max<std::size_t>(merged_bytes, chunk.size_bytes);
  ASSERT_GT(merged_bytes, 2 * kBatches * kValueBytes) << "chunks were put together";
  for (const Offset from : {5, 70, 100}) {
    const auto before = fetched();
    const auto result = gateway->read(from, one);
    ASSERT_TRUE(result);
    EXPECT_EQ(values_of(records_of(*result)), Values{value(static_cast<int>(from))});
    EXPECT_LE(since(before).bytes, rig.options.direct.mark_bytes + 2 * kValueBytes) << "at offset " << from;
  }
  EXPECT_EQ(gateway->values().size(), static_cast<std::size_t>(6 * kBatches));
}

INSTANTIATE_TEST_SUITE_P(Layouts, SeaweedParts,
                         testing::Values(seaweed::Layout::batch, seaweed::Layout::record),
                         [](const auto& info) { return std::string(seaweed::layout_name(info.param)); });

}  // namespace
}  // namespace tidegate::test
