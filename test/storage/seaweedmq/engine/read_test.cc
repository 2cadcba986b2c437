// Reading from volume servers, and files that others have changed, damaged or removed.
#include "log/file_index.h"
#include "seaweed_rig.h"
#include "tidegate/protocol/compression.h"

namespace tidegate::test {
namespace {

using storage::seaweedmq::LogFile;

class SeaweedRead : public testing::TestWithParam<seaweed::Layout> {
 protected:
  SeaweedRead() {
    rig.options.tail_cache_bytes = 0;
    rig.options.chunk_cache_bytes = 0;
    rig.options.topics.layout = GetParam();
  }
  // Five appends of two records, in one file of five chunks.
  std::unique_ptr<Gateway> filled() {
    auto gateway = rig.gateway(true);
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(gateway->append(list(numbered_batch("v", 2 * i, 2))));
    return gateway;
  }
  std::string only_file() const { return rig.log_files().at(0); }
  // As a merge does: one needle with the bytes of all.
  void merge_chunks() {
    auto entry = *rig.cluster.entry(only_file());
    LogFile file = **storage::seaweedmq::file_of(entry);
    std::vector<SharedBuffer> pieces;
    storage::seaweedmq::LogChunk merged = file.chunks.front();
    merged.stored.file_id = "9,merged";
    merged.stored.size_bytes = 0;
    merged.facts.record_bytes = 0;
    for (const auto& chunk : file.chunks) {
      pieces.push_back(rig.cluster.needle(chunk.stored.file_id));
      merged.stored.size_bytes += chunk.stored.size_bytes;
      merged.facts.record_bytes += chunk.facts.record_bytes;
      merged.facts.end = chunk.facts.end;
      rig.cluster.drop_needle(chunk.stored.file_id);
    }
    rig.cluster.set_needle("9,merged", joined(pieces));
    file.chunks = {merged};
    rig.cluster.set_entry(only_file(), storage::seaweedmq::entry_of(file));
  }

  SeaweedRig rig;
  const Values all{"v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9"};
};

TEST_P(SeaweedRead, NeedlesThatWereMerged_AreFoundAnew) {
  auto gateway = filled();
  EXPECT_EQ(gateway->values(), all);
  merge_chunks();
  EXPECT_EQ(gateway->values(), all);
  EXPECT_EQ(values_of(gateway->read_all(7)), (Values{"v6", "v7", "v8", "v9"}));
  EXPECT_EQ(gateway->on_log([](auto& log) { return log.offset_for_time(kFirstTimestamp + 1, 10); })->offset,
            1);
}

TEST_P(SeaweedRead, FilerThatLagsBehind_IsAskedAgainBeforeAFileCountsAsGone) {
  rig.options.direct.max_chunks_per_file = 2;
  rig.cluster.keep_view();  // in which there is no file
  auto gateway = filled();
  merge_chunks();
  auto stale = std::make_shared<int>(0);
  rig.cluster.set_script([stale, file = only_file()](const SeaweedCall& call) {
    const bool behind = call.op == SeaweedOp::lookup && call.path == file && ++*stale <= 3;
    return behind ? SeaweedFault::stale : SeaweedFault::none;
  });
  EXPECT_EQ(gateway->values(), all);
  EXPECT_GT(*stale, 3);
  EXPECT_EQ(gateway->offsets().log_start, 0);
}

// A chunk for each append, and each read takes one of them.
TEST_P(SeaweedRead, ReadingOn_FindsTheNextChunksInMemory) {
  rig.options.chunk_cache_bytes = 1U << 20;
  auto gateway = filled();
  gateway->stop();
  gateway = rig.gateway();
  const storage::ReadLimits little{.max_bytes = 1, .at_least_one_batch = true};
  const auto downloads = [&] { return rig.cluster.calls(SeaweedOp::download); };
  const auto before = downloads();
  ASSERT_TRUE(gateway->read(0, little));
  rig.shards().settle(50);
  EXPECT_EQ(downloads() - before, 1U) << "whoever reads once may want no more";
  ASSERT_TRUE(gateway->read(2, little));
  rig.shards().settle(50);
  EXPECT_EQ(downloads() - before, 5U) << "whoever goes on does: the rest comes by itself";
  for (const Offset from : {4, 6, 8})
    EXPECT_EQ(values_of(records_of(*gateway->read(from, little))).front(),
              all[static_cast<std::size_t>(from)]);
  rig.shards().settle(50);
  EXPECT_EQ(downloads() - before, 5U) << "once each";
}

TEST_P(SeaweedRead, ReadAhead_KeepsWithinTheCache) {
  auto gateway = filled();  // whose cache has no room
  gateway->stop();
  gateway = rig.gateway();
  const storage::ReadLimits little{.max_bytes = 1, .at_least_one_batch = true};
  const auto before = rig.cluster.calls(SeaweedOp::download);
  for (const Offset from : {0, 2, 4}) ASSERT_TRUE(gateway->read(from, little));
  rig.shards().settle(50);
  EXPECT_EQ(rig.cluster.calls(SeaweedOp::download) - before, 3U);
}

TEST_P(SeaweedRead, HeadersAlone_AreWhatABatchHas) {
  auto gateway = filled();
  const auto batches = gateway->on_log([](auto& log) { return log.read(0, {}); });
  const auto headers = gateway->on_log([](auto& log) { return log.scan_headers(0, 10, 100); });
  ASSERT_EQ(headers->size(), 5U);
  const auto whole = batches_of(*batches);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ((*headers)[i].base_offset, whole[i].header.base_offset);
    EXPECT_EQ((*headers)[i].next_offset(), whole[i].header.next_offset());
    EXPECT_EQ((*headers)[i].records_count, 2);
    EXPECT_EQ((*headers)[i].max_timestamp, whole[i].header.max_timestamp);
  }
  EXPECT_EQ(gateway->on_log([](auto& log) { return log.scan_headers(3, 7, 100); })->size(), 3U);
  EXPECT_EQ(gateway->on_log([](auto& log) { return log.scan_headers(0, 10, 2); })->size(), 2U);
}

TEST_P(SeaweedRead, LostNeedle_FailsItsRangeAlone) {
  auto gateway = filled();
  const auto entry = *rig.cluster.entry(only_file());
  rig.cluster.drop_needle(entry.chunks[1].file_id);
  EXPECT_EQ(gateway->read(2).error().code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(values_of(gateway->read_all(4)), (Values{"v4", "v5", "v6", "v7", "v8", "v9"}));
  EXPECT_TRUE(gateway->append_values({"more"}));
}

TEST_P(SeaweedRead, DamagedNeedle_IsCorrupt_AndPassedOverByScans) {
  auto gateway = filled();
  const auto entry = *rig.cluster.entry(only_file());
  const std::string id = entry.chunks[1].file_id;
  const SharedBuffer good = rig.cluster.needle(id);
  MutableBuffer bad(good.size());
  std::ranges::copy(good.bytes(), bad.data());
  bad.data()[good.size() - 3] ^= 1;
  rig.cluster.set_needle(id, std::move(bad).freeze());
  EXPECT_EQ(values_of(records_of(*gateway->read(0))), (Values{"v0", "v1"})) << "up to the damage";
  EXPECT_EQ(gateway->read(2).error().code, ErrorCode::corrupt_message);
  EXPECT_EQ(gateway->on_log([](auto& log) { return log.scan_headers(0, 10, 100); })->size(), 4U);
  rig.cluster.set_needle(id, good);
  EXPECT_EQ(gateway->values(), all) << "nothing of the damage is kept";
  rig.cluster.set_needle(id, good.slice(0, good.size() / 2));
  EXPECT_EQ(gateway->read(2).error().code, ErrorCode::corrupt_message);
}

TEST_P(SeaweedRead, GzippedNeedles_AreInflated) {
  auto gateway = filled();
  gateway->stop();
  auto entry = *rig.cluster.entry(only_file());
  for (auto& chunk : entry.chunks) {
    const auto packed = protocol::compress(protocol::Compression::gzip, rig.cluster.needle(chunk.file_id));
    rig.cluster.set_needle(chunk.file_id, *packed);
    chunk.gzipped = true;
    chunk.size_bytes = std::max<std::uint64_t>(chunk.size_bytes, packed->size());
  }
  rig.cluster.set_entry(only_file(), entry);
  EXPECT_EQ(rig.gateway()->values(), all);
}

TEST_P(SeaweedRead, FailingVolumeServer_IsAStorageErrorThatHeals) {
  auto gateway = filled();
  rig.cluster.set_script([](const SeaweedCall& call) {
    return call.op == SeaweedOp::download ? SeaweedFault::error_before : SeaweedFault::none;
  });
  EXPECT_EQ(gateway->read(0).error().code, ErrorCode::kafka_storage_error);
  rig.cluster.set_script({});
  EXPECT_EQ(gateway->values(), all);
}

TEST_P(SeaweedRead, FilesThatWentAway_RaiseLogStart) {
  rig.options.direct.max_chunks_per_file = 2;
  auto gateway = filled();
  gateway->stop();
  ASSERT_EQ(rig.log_files().size(), 3U);
  rig.cluster.drop_entry(only_file());
  auto next = rig.gateway();
  EXPECT_EQ(next->offsets().log_start, 4);
  EXPECT_EQ(next->offsets().log_end, 10);
  EXPECT_EQ(next->read(3).error().code, ErrorCode::offset_out_of_range);
  EXPECT_EQ(values_of(next->read_all(4)), (Values{"v4", "v5", "v6", "v7", "v8", "v9"}));
  next->stop();
  // All of them: the log goes on where it was.
  for (const auto& path : rig.log_files()) rig.cluster.drop_entry(path);
  ASSERT_TRUE(rig.log_files().empty());
}

TEST_P(SeaweedRead, DamagedAttributes_RefuseTheLog) {
  auto gateway = filled();
  gateway->stop();
  auto entry = *rig.cluster.entry(only_file());
  entry.extended["tidegate"].resize(20);
  rig.cluster.set_entry(only_file(), entry);
  auto next = rig.gateway();
  const auto opened = next->open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::corrupt_message);
  EXPECT_NE(opened.error().message.find("/topics/kafka/topic/v"), std::string::npos)
      << opened.error().message;
}

TEST_P(SeaweedRead, MergeThatWasCutShort_LeavesNothingTwice) {
  rig.options.direct.max_chunks_per_file = 2;
  auto gateway = filled();
  gateway->stop();
  // The first file has taken in the second one, which is still there.
  const auto files = rig.log_files();
  LogFile first = **storage::seaweedmq::file_of(*rig.cluster.entry(files[0]));
  const LogFile second = **storage::seaweedmq::file_of(*rig.cluster.entry(files[1]));
  for (const auto& chunk : second.chunks) {
    auto copy = chunk;
    copy.stored.file_id = "9," + chunk.stored.file_id.substr(2);
    rig.cluster.set_needle(copy.stored.file_id, rig.cluster.needle(chunk.stored.file_id));
    first.add(copy, second.first_ts_ns, second.last_ts_ns);
  }
  rig.cluster.set_entry(files[0], storage::seaweedmq::entry_of(first));
  auto next = rig.gateway();
  EXPECT_EQ(next->values(), all);
  next->housekeeping();
  EXPECT_EQ(rig.log_files().size(), 2U);
  EXPECT_EQ(next->values(), all);
}

TEST(SeaweedGather, AppendsBehindAnUpload_ShareTheNextChunkAndCommit) {
  SeaweedRig rig;
  auto gateway = rig.gateway(true);
  ASSERT_TRUE(gateway->append_values({"first"}));
  const auto uploads = rig.cluster.calls(SeaweedOp::upload);
  rig.cluster.hold(SeaweedOp::upload);
  auto ended = std::make_shared<int>(0);
  static constexpr auto append = [](storage::PartitionLog* to, std::shared_ptr<int> done) -> Task<void> {
    auto batches = list(batch_of({"x"}));
    auto appended = co_await to->append(to->leader_epoch(), std::move(batches));
    EXPECT_TRUE(appended);
    ++*done;
  };
  auto& log = gateway->log();
  rig.shards().shard().spawn(append(&log, ended), "append");
  while (rig.cluster.held() == 0) rig.shards().settle();
  rig.shards().call([&] {
    for (int i = 0; i < 200; ++i) rig.shards().shard().spawn(append(&log, ended), "append");
  });
  rig.shards().settle();
  EXPECT_EQ(rig.cluster.held(), 1U) << "one upload at a time";
  rig.cluster.resume_held();
  while (rig.shards().call([ended] { return *ended; }) < 201) {
  }
  EXPECT_EQ(rig.cluster.calls(SeaweedOp::upload), uploads + 2);
  EXPECT_EQ(rig.chunks(), 3U);
}

TEST(SeaweedGather, FullQueue_IsToldAtOnce) {
  SeaweedRig rig;
  rig.options.direct.append_queue_bytes = 1000;
  auto gateway = rig.gateway(true);
  gateway->log();
  rig.cluster.hold(SeaweedOp::upload);
  auto ended = std::make_shared<int>(0);
  static constexpr auto append = [](storage::PartitionLog* to, std::shared_ptr<int> done) -> Task<void> {
    auto batches = list(sized_batch(2000));
    auto appended = co_await to->append(to->leader_epoch(), std::move(batches));
    EXPECT_TRUE(appended) << "one that is larger than the limit is taken alone";
    ++*done;
  };
  rig.shards().shard().spawn(append(&gateway->log(), ended), "append");
  while (rig.cluster.held() == 0) rig.shards().settle();
  EXPECT_EQ(gateway->append_values({"more"}).error().code, ErrorCode::throttling_quota_exceeded);
  rig.cluster.resume_held();
  while (rig.shards().call([ended] { return *ended; }) < 1) {
  }
  EXPECT_EQ(gateway->append_values({"more"})->base_offset, 1);
}

TEST(SeaweedGather, FullQueuesTogether_HoldUpNoOtherPartition) {
  SeaweedRig rig;
  rig.options.direct.append_queues_bytes = 3000;
  auto gateway = rig.gateway();
  ASSERT_TRUE(gateway->make_topic(3));
  for (std::int32_t i = 0; i < 3; ++i) gateway->log(i);
  rig.cluster.hold(SeaweedOp::upload);
  auto ended = std::make_shared<int>(0);
  static constexpr auto append = [](storage::PartitionLog* to, std::shared_ptr<int> done) -> Task<void> {
    auto batches = list(sized_batch(1400));
    auto appended = co_await to->append(to->leader_epoch(), std::move(batches));
    EXPECT_TRUE(appended);
    ++*done;
  };
  const auto begin = [&](std::int32_t partition) {
    rig.shards().shard().spawn(append(&gateway->log(partition), ended), "append");
  };
  begin(0);
  begin(1);
  while (rig.cluster.held() < 2) rig.shards().settle();
  const auto refused = gateway->append_values({std::string(1400, 'x')});
  EXPECT_EQ(refused.error().code, ErrorCode::throttling_quota_exceeded);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("all partitions"));
  begin(2);
  while (rig.cluster.held() < 3) rig.shards().settle();
  rig.cluster.resume_held();
  while (rig.shards().call([ended] { return *ended; }) < 3) {
  }
  EXPECT_EQ(gateway->append_values({std::string(1400, 'x')})->base_offset, 1) << "there is room again";
}

TEST(SeaweedGather, ChunksOfLayoutRecord_AreBuiltWhileThereIsRoom) {
  SeaweedRig rig;
  rig.options.topics.layout = seaweed::Layout::record;
  rig.options.direct.building_bytes = 16;  // a byte for each of those that are built at a time
  auto gateway = rig.gateway();
  ASSERT_TRUE(gateway->make_topic(2));
  for (std::int32_t i = 0; i < 2; ++i) gateway->log(i);
  rig.cluster.hold(SeaweedOp::upload);
  auto ended = std::make_shared<int>(0);
  static constexpr auto append = [](storage::PartitionLog* to, std::shared_ptr<int> done) -> Task<void> {
    auto batches = list(sized_batch(1400));
    auto appended = co_await to->append(to->leader_epoch(), std::move(batches));
    EXPECT_TRUE(appended);
    ++*done;
  };
  rig.shards().shard().spawn(append(&gateway->log(0), ended), "append");
  while (rig.cluster.held() < 1) rig.shards().settle();
  rig.shards().shard().spawn(append(&gateway->log(1), ended), "append");
  rig.shards().settle(50);
  EXPECT_EQ(rig.cluster.held(), 1U) << "the first chunk takes all the room until it has been sent";
  rig.cluster.resume_held();
  while (rig.shards().call([ended] { return *ended; }) < 2) {
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts, SeaweedRead,
                         testing::Values(seaweed::Layout::batch, seaweed::Layout::record),
                         [](const auto& info) { return std::string(seaweed::layout_name(info.param)); });

TEST(SeaweedClock, NamesAndTimesAscend_WhereverTheClockGoes) {
  SeaweedRig rig(static_cast<ManualClock*>(nullptr));
  rig.options.direct.max_chunks_per_file = 1;
  rig.cluster.set_delay_turns(1);
  auto gateway = rig.gateway(true);
  const std::int64_t start = rig.shards().manual_clock().wall_ms();
  std::int64_t last_ts = 0;
  std::string last_name;
  for (const std::int64_t at : {0, 0, 5000, -3'600'000, -3'600'000, 10'000}) {
    rig.shards().manual_clock().set_wall_ms(start + at);
    ASSERT_TRUE(gateway->append(list(batch_of({"a"}), batch_of({"b"}))));
    const std::string name = rig.log_files().back();
    EXPECT_GT(name, last_name);
    const auto file = **storage::seaweedmq::file_of(*rig.cluster.entry(name));
    EXPECT_GT(file.first_ts_ns, last_ts);
    EXPECT_EQ(file.last_ts_ns, file.first_ts_ns + 1);
    last_name = name;
    last_ts = file.last_ts_ns;
    if (at == -3'600'000) {
      // The next owner goes on from there too.
      gateway->stop();
      gateway = rig.gateway();
    }
  }
  EXPECT_EQ(rig.log_files().size(), 6U);
}

}  // namespace
}  // namespace tidegate::test
