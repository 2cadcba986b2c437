// Topics in layout `record`: fixed when they are made, with every record an entry of its own, and read back
// as they were written by whoever opens the log.
#include "format/log_entry.h"
#include "log/file_index.h"
#include "seaweed_rig.h"

namespace tidegate::test {
namespace {

using seaweed::Layout;

class SeaweedRecordLog : public testing::Test {
 protected:
  SeaweedRecordLog() {
    rig.options.tail_cache_bytes = 0;
    rig.options.chunk_cache_bytes = 0;
    rig.options.topics.layout = Layout::record;
  }
  Result<void> make(Gateway& gateway, std::map<std::string, std::string> configs) {
    storage::Topic topic{.name = "topic", .id = kTopicId, .partitions = 1, .configs = std::move(configs)};
    return rig.shards().run([&] { return gateway.engine().topics().create({topic}); });
  }
  Result<void> configure(Gateway& gateway, std::map<std::string, std::string> configs) {
    return rig.shards().run([&] { return gateway.engine().topics().set_config(kTopicId, configs); });
  }
  seaweed::LogFile file(std::size_t index) const {
    return **seaweed::file_of(*rig.cluster.entry(rig.log_files().at(index)));
  }
  // The entries of a file, as other readers see them.
  std::vector<seaweed::LogEntry> entries(std::size_t index) {
    std::vector<seaweed::LogEntry> found;
    for (const auto& chunk : file(index).chunks) {
      needles.push_back(rig.cluster.needle(chunk.stored.file_id));
      EXPECT_EQ(needles.back().size(), chunk.stored.size_bytes);
      seaweed::FrameReader frames(needles.back());
      while (const auto entry = frames.next()) found.push_back(**entry);
    }
    return found;
  }

  SeaweedRig rig;
  std::vector<SharedBuffer> needles;
};

TEST_F(SeaweedRecordLog, LayoutIsFixedWhenTheTopicIsMade) {
  rig.options.topics.layout = Layout::batch;
  auto gateway = rig.gateway();
  EXPECT_EQ(make(*gateway, {{"seaweedmq.layout", "rows"}}).error().code, ErrorCode::invalid_config);
  EXPECT_EQ(make(*gateway, {{"seaweedmq.path", "broker"}}).error().code, ErrorCode::invalid_config);
  ASSERT_TRUE(make(*gateway, {{"seaweedmq.layout", "record"}, {"seaweedmq.path", "direct"}}));
  EXPECT_TRUE(configure(*gateway, {{"retention.ms", "5"}}));
  EXPECT_EQ(configure(*gateway, {{"seaweedmq.path", "broker"}}).error().code, ErrorCode::invalid_config);
  EXPECT_TRUE(configure(*gateway, {{"seaweedmq.layout", "record"}}));
  EXPECT_EQ(configure(*gateway, {{"seaweedmq.layout", "batch"}}).error().code, ErrorCode::invalid_config);
  ASSERT_TRUE(gateway->append_values({"a"}));
  EXPECT_EQ(file(0).layout, Layout::record);
  gateway->stop();
  // Defaults are for topics that are made from now on, and what has another layout says so.
  auto next = rig.gateway();
  const auto listed = rig.shards().run([&] { return next->engine().topics().list(); });
  EXPECT_EQ(listed->at(0).configs.at("seaweedmq.layout"), "record");
  EXPECT_FALSE(listed->at(0).configs.contains("seaweedmq.path"));
  ASSERT_TRUE(next->append_values({"b"}));
  EXPECT_EQ(file(1).layout, Layout::record);
  EXPECT_EQ(next->values(), (Values{"a", "b"}));
}

TEST_F(SeaweedRecordLog, EachRecordIsAnEntry) {
  auto gateway = rig.gateway(true);
  const std::vector<protocol::NewRecord> records = {{.timestamp = 5, .key = "k", .value = "v"},
                                                    {.timestamp = 6, .value = "w"}};
  ASSERT_TRUE(
      gateway->append(list(build(records, {.compression = protocol::Compression::lz4}), batch_of({"x"}))));
  ASSERT_TRUE(gateway->append_values({"y"}));
  const auto found = entries(0);
  ASSERT_EQ(found.size(), 4U);
  std::int64_t last_ts = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].offset, static_cast<Offset>(i));
    EXPECT_GT(found[i].ts_ns, last_ts);
    EXPECT_EQ(as_text(found[i].key), i == 0 ? "k" : std::to_string(i));
    last_ts = found[i].ts_ns;
  }
  EXPECT_EQ(as_text(found[0].data), "v");
  EXPECT_EQ(as_text(found[3].data), "y");
  EXPECT_EQ(file(0).first_ts_ns, found[0].ts_ns);
  EXPECT_EQ(file(0).last_ts_ns, found[3].ts_ns) << "where the next owner goes on";
}

TEST_F(SeaweedRecordLog, ProducersAndHeaders_AreThereForTheNextOwner) {
  const std::vector<protocol::NewRecord> records = {
      {.timestamp = 5, .key = "", .value = std::nullopt, .headers = {{"h", "x"}, {"n", std::nullopt}}},
      {.timestamp = 2, .key = std::nullopt, .value = ""}};
  const auto batch = build(records, {.compression = protocol::Compression::none,
                                     .producer_id = 77,
                                     .producer_epoch = 3,
                                     .base_sequence = 12,
                                     .transactional = true});
  const auto marker = protocol::build_control_batch(protocol::ControlType::commit, 77, 3, 1, 9);
  auto gateway = rig.gateway(true);
  ASSERT_TRUE(gateway->append(list(batch, marker)));
  gateway->stop();
  auto next = rig.gateway();
  const auto headers = next->on_log([](auto& log) { return log.scan_headers(0, 3, 100); });
  ASSERT_TRUE(headers);
  ASSERT_EQ(headers->size(), 2U);
  EXPECT_EQ(headers->at(0).producer_id, 77);
  EXPECT_EQ(headers->at(0).producer_epoch, 3);
  EXPECT_EQ(headers->at(0).base_sequence, 12);
  EXPECT_TRUE(headers->at(0).is_transactional());
  EXPECT_TRUE(headers->at(1).is_control());
  const auto read = next->read(0);
  ASSERT_TRUE(read);
  const auto bytes = joined(read->chunks);
  const std::size_t behind = 16;  // base offset, length and leader epoch are the log's
  const auto tail = [&](std::size_t at, const protocol::RecordBatch& of) {
    return as_text(bytes.bytes().subspan(at + behind, of.bytes.size() - behind)) ==
           as_text(of.bytes.bytes().subspan(behind));
  };
  ASSERT_EQ(bytes.size(), batch.bytes.size() + marker.bytes.size());
  EXPECT_TRUE(tail(0, batch));
  EXPECT_TRUE(tail(batch.bytes.size(), marker));
}

TEST_F(SeaweedRecordLog, TimesAreTheClients_AndFoundByThem) {
  auto gateway = rig.gateway(true);
  ASSERT_TRUE(gateway->append(list(batch_at({100, 50}), batch_at({300}))));
  gateway->stop();
  auto next = rig.gateway();
  EXPECT_EQ(next->on_log([](auto& log) { return log.offset_for_time(60, 3); })->offset, 0);
  EXPECT_EQ(next->on_log([](auto& log) { return log.offset_for_time(101, 3); })->offset, 2);
  EXPECT_EQ(next->on_log([](auto& log) { return log.max_timestamp(3); })->timestamp, 300);
}

TEST_F(SeaweedRecordLog, LargeAppends_AreDividedByWhatIsWritten) {
  rig.options.direct.max_chunk_bytes = 10'000;
  rig.options.direct.linger = std::chrono::milliseconds(20);
  auto gateway = rig.gateway(true);
  auto& log = gateway->log();
  // Small on the wire, large as records.
  const auto append = [&log] {
    std::vector<protocol::RecordBatch> batches;
    batches.push_back(batch_of({std::string(9000, 'z')}, {.compression = protocol::Compression::zstd}));
    return log.append(log.leader_epoch(), std::move(batches));
  };
  static constexpr auto all = [](decltype(append)* one) -> Task<Result<void>> {
    std::vector<Task<Result<storage::Appended>>> appends;
    for (int i = 0; i < 4; ++i) appends.push_back((*one)());
    for (auto& each : appends) {
      auto done = co_await std::move(each);
      if (!done) co_return fail(std::move(done.error()));
    }
    co_return Result<void>{};
  };
  ASSERT_TRUE(rig.shards().run([&] { return all(&append); }));
  std::size_t chunks = 0;
  for (std::size_t i = 0; i < rig.log_files().size(); ++i) {
    for (const auto& chunk : file(i).chunks) EXPECT_LE(chunk.stored.size_bytes, 20'000U);
    chunks += file(i).chunks.size();
  }
  EXPECT_GE(chunks, 2U);
  EXPECT_EQ(gateway->read_all().size(), 4U);
}

TEST_F(SeaweedRecordLog, FilesOfAnotherLayout_AreNotTakenForRecords) {
  auto gateway = rig.gateway(true);
  ASSERT_TRUE(gateway->append_values({"a"}));
  gateway->stop();
  auto other = file(0);
  other.layout = Layout::batch;
  rig.cluster.set_entry(rig.log_files().at(0), seaweed::entry_of(other));
  auto next = rig.gateway();
  EXPECT_EQ(next->open().error().code, ErrorCode::corrupt_message);
}

}  // namespace
}  // namespace tidegate::test
