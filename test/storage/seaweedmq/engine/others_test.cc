// Topics that SeaweedMQ's brokers have made and write: found, read, watched, and left alone.
#include <future>

#include "format/coding.h"
#include "format/log_entry.h"
#include "format/records.h"
#include "seaweed_rig.h"

namespace tidegate::test {
namespace {

using storage::seaweedmq::RingRange;

constexpr std::int64_t kGeneration = 1'700'000'000'500'000'000;
constexpr std::int64_t kNow = 1'750'000'000'000'000'000;
constexpr std::int64_t kSecond = 1'000'000'000;

std::string entry_frame(Offset offset, std::int64_t ts_ns, std::string_view key, std::string_view value) {
  std::string out;
  seaweed::put_frame_head(out, {.ts_ns = ts_ns, .offset = offset, .key = as_bytes(key)}, value.size());
  return out.append(value);
}

class SeaweedOthers : public testing::Test {
 protected:
  SeaweedOthers() {
    rig.options.chunk_cache_bytes = 0;
    rig.options.direct.watch_others = std::chrono::milliseconds(1);
  }
  // As a broker writes it: leaders are named, and the parts come in any order.
  void put_conf(const std::string& name, std::int32_t partitions, std::int64_t generation = kGeneration) {
    std::string parts;
    for (std::int32_t i = partitions - 1; i >= 0; --i) {
      const RingRange range = seaweed::ring_range(i, partitions);
      parts += fmt::format(
          R"({}{{"partition":{{"ringSize":2520,"rangeStart":{},"rangeStop":{},"unixTimeNs":"{}"}},"leaderBroker":"b:17777"}})",
          parts.empty() ? "" : ",", range.start, range.stop, generation);
    }
    seaweed::Entry conf;
    conf.content =
        R"({"brokerPartitionAssignments":[)" + parts + R"(],"retention":{"retentionSeconds":"9"}})";
    rig.cluster.set_entry("/topics/kafka/" + name + "/topic.conf", conf);
  }
  std::string directory(std::int32_t index = 0, std::int32_t partitions = 1,
                        std::int64_t generation = kGeneration) {
    return seaweed::paths::partition_dir("theirs", generation, seaweed::ring_range(index, partitions));
  }
  // A window that a broker has flushed: entries "v<offset>" of [from, to), a millisecond apart.
  seaweed::Chunk flush(Offset from, Offset to, std::int64_t ts_ns) {
    std::string bytes;
    for (Offset offset = from; offset < to; ++offset)
      bytes += entry_frame(offset, ts_ns + (offset - from) * 1'000'000, "k", "v" + std::to_string(offset));
    const std::string id = "3," + std::to_string(++needles);
    rig.cluster.set_needle(id, SharedBuffer::copy_of(as_bytes(bytes)));
    return {.file_id = id, .size_bytes = bytes.size()};
  }
  // Into the file of that second; as brokers do it, without attributes when it begins at 0.
  std::string put_file(Offset from, Offset to, std::int64_t ts_ns, std::string in = "") {
    const std::string path =
        (in.empty() ? directory() : in) + "/" + seaweed::LogFileName{.second = ts_ns / kSecond}.to_string();
    seaweed::Entry file = rig.cluster.entry(path).value_or(seaweed::Entry{});
    file.chunks.push_back(flush(from, to, ts_ns));
    if (from > 0 && !file.extended.contains("offset_min"))
      file.extended["offset_min"] = seaweed::be_bytes(from);
    if (file.extended.contains("offset_min")) file.extended["offset_max"] = seaweed::be_bytes(to - 1);
    rig.cluster.set_entry(path, file);
    return path;
  }
  std::vector<storage::Topic> topics(Gateway& gateway) {
    auto listed = rig.shards().run([&] { return gateway.engine().topics().list(); });
    EXPECT_TRUE(listed) << listed.error().message;
    return listed.value_or(std::vector<storage::Topic>());
  }
  std::shared_ptr<storage::PartitionLog> open(Gateway& gateway, std::int32_t index = 0) {
    const TopicId id = topics(gateway).at(0).id;
    auto log = rig.shards().run([&, id] { return gateway.engine().partition({id, index}, {}); });
    EXPECT_TRUE(log) << log.error().message;
    return log.value_or(nullptr);
  }
  Result<storage::ReadResult> read(storage::PartitionLog& log, Offset from, storage::ReadLimits limits = {}) {
    return rig.shards().run([&] { return log.read(from, limits); });
  }
  std::vector<ReadRecord> read_all(storage::PartitionLog& log, Offset from = 0) {
    std::vector<ReadRecord> all;
    for (;;) {
      auto some = read(log, from);
      EXPECT_TRUE(some) << some.error().message;
      if (!some || some->batches == 0) return all;
      for (auto& record : records_of(*some)) {
        if (record.offset >= from) all.push_back(std::move(record));
      }
      from = some->next_offset;
    }
  }
  // "from-to" of the offsets, whose values have to be theirs, and ascending.
  std::string offsets_of(const std::vector<ReadRecord>& records) {
    std::string text;
    for (std::size_t i = 0; i < records.size(); ++i) {
      EXPECT_EQ(records[i].value, "v" + std::to_string(records[i].offset));
      const bool begins = i == 0 || records[i].offset != records[i - 1].offset + 1;
      const bool ends = i + 1 == records.size() || records[i + 1].offset != records[i].offset + 1;
      if (begins) text += std::to_string(records[i].offset) + "-";
      if (ends) text += std::to_string(records[i].offset) + " ";
    }
    return text;
  }
  storage::LogOffsets ends(storage::PartitionLog& log) {
    return rig.shards().call([&] { return log.offsets(); });
  }

  SeaweedRig rig;
  int needles = 0;
};

TEST_F(SeaweedOthers, AreTopicsWithOneIdAtEveryGateway) {
  put_conf("theirs", 4);
  put_conf("no kafka name", 1);
  seaweed::Entry broken;
  broken.content = "{";
  rig.cluster.set_entry("/topics/kafka/broken/topic.conf", broken);
  rig.cluster.set_entry("/topics/kafka/no-topic/file", {});
  auto one = rig.gateway();
  auto two = rig.gateway();
  const auto seen = topics(*one);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].name, "theirs");
  EXPECT_EQ(seen[0].partitions, 4);
  EXPECT_EQ(seen[0].created_ms, kGeneration / 1'000'000);
  EXPECT_EQ(seen[0].configs, (std::map<std::string, std::string>{{"seaweedmq.layout", "record"},
                                                                 {"seaweedmq.path", "broker"}}));
  EXPECT_EQ(topics(*two).at(0).id, seen[0].id);
  EXPECT_EQ(topics(*one).at(0).id, seen[0].id);
  EXPECT_TRUE(one->engine().partitions_with_data().empty()) << "nothing of them is ours to keep";
}

TEST_F(SeaweedOthers, ComeAndGoWhileTheGatewayRuns) {
  auto gateway = rig.gateway(true);
  EXPECT_EQ(topics(*gateway).size(), 1U);
  put_conf("theirs", 1);
  EXPECT_EQ(topics(*gateway).size(), 2U);
  rig.cluster.drop_entry("/topics/kafka/theirs/topic.conf");
  EXPECT_EQ(topics(*gateway).size(), 1U);
  EXPECT_FALSE(rig.cluster.entry("/topics/kafka/.meta/topics/theirs"));
  put_conf("theirs", 1);
  EXPECT_EQ(topics(*gateway).size(), 2U);
  rig.cluster.drop_entry("/topics/kafka/theirs/topic.conf");
  rig.cluster.drop_entry("/topics/kafka/theirs");
  EXPECT_EQ(topics(*gateway).size(), 1U) << "the directory, too";
}

TEST_F(SeaweedOthers, RecordsAreRead_WhateverFilesTheyAreIn) {
  put_conf("theirs", 1);
  put_file(0, 10, kNow);  // no attributes
  put_file(10, 20, kNow + 5 * kSecond);
  put_file(20, 25, kNow + 5 * kSecond + 500'000'000);  // another window of that second
  put_file(30, 40, kNow + 9 * kSecond);                // behind a gap
  seaweed::Entry parquet;
  parquet.chunks.push_back({.file_id = "3,0", .size_bytes = 9});
  rig.cluster.set_entry(directory() + "/2025-06-15-15-06-40-2025-06-15-15-06-50.parquet", parquet);
  auto gateway = rig.gateway();
  const auto log = open(*gateway);
  ASSERT_TRUE(log);
  const auto at = ends(*log);
  EXPECT_EQ(at.log_start, 0);
  EXPECT_EQ(at.high_watermark, 40);
  EXPECT_EQ(at.log_end, 40);
  const auto all = read_all(*log);
  EXPECT_EQ(offsets_of(all), "0-24 30-39 ");
  EXPECT_EQ(all[3].timestamp, kNow / 1'000'000 + 3);
  for (const Offset from : {0, 3, 9, 10, 17, 19, 20, 24, 27, 30, 39, 40}) {
    const auto some = read_all(*log, from);
    if (from == 40) {
      EXPECT_TRUE(some.empty());
    } else {
      EXPECT_EQ(some.front().offset, from == 27 ? 30 : from);
    }
  }
  EXPECT_EQ(read(*log, 41).error().code, ErrorCode::offset_out_of_range);
  const auto bytes =
      rig.shards().call([&] { return std::pair(log->readable_bytes(0, 40), log->readable_bytes(40, 50)); });
  EXPECT_GT(bytes.first, 0U);
  EXPECT_EQ(bytes.second, 0U);
  const auto little = read(*log, 12, {.max_bytes = 1, .at_least_one_batch = true});
  EXPECT_EQ(little->batches, 1U);
}

TEST_F(SeaweedOthers, WindowThatBeginsAtZero_IsNotInItsFilesAttributes) {
  put_conf("theirs", 1);
  const auto path = put_file(0, 10, kNow);
  put_file(10, 20, kNow + 1'000'000);
  put_file(30, 40, kNow + 5 * kSecond);  // behind a gap, in two windows
  put_file(40, 50, kNow + 5 * kSecond + 20'000'000);
  EXPECT_EQ(seaweed::BigEndianReader(rig.cluster.entry(path)->extended.at("offset_min")).integer<Offset>(),
            10);
  auto gateway = rig.gateway();
  const auto log = open(*gateway);
  EXPECT_EQ(ends(*log).log_start, 0);
  EXPECT_EQ(offsets_of(read_all(*log)), "0-19 30-49 ");
  EXPECT_EQ(offsets_of(read_all(*log, 15)), "15-19 30-49 ");
}

// The record that makes a broker flush is counted to the window in front of its own.
TEST_F(SeaweedOthers, RecordThatFlushedAWindow_IsRead) {
  put_conf("theirs", 1);
  const auto write = [&](Offset from, Offset to, std::optional<Offset> says_from, Offset says_last,
                         int after_s) {
    const std::string path = put_file(from, to, kNow + after_s * kSecond);
    seaweed::Entry file = *rig.cluster.entry(path);
    file.extended.clear();
    if (says_from) {
      file.extended["offset_min"] = seaweed::be_bytes(*says_from);
      file.extended["offset_max"] = seaweed::be_bytes(says_last);
    }
    rig.cluster.set_entry(path, file);
  };
  write(0, 10, std::nullopt, 0, 0);
  write(10, 20, 11, 20, 5);   // the first begins with what flushed the one in front,
  write(20, 30, 21, 30, 10);  // and claims what flushed it
  auto gateway = rig.gateway();
  const auto log = open(*gateway);
  EXPECT_EQ(ends(*log).log_end, 30) << "30 is not stored yet";
  EXPECT_EQ(offsets_of(read_all(*log)), "0-29 ");
  for (const Offset from : {9, 10, 11, 19, 20, 21, 29})
    EXPECT_EQ(offsets_of(read_all(*log, from)), std::to_string(from) + "-29 ");
  std::promise<void> forty;
  rig.shards().call([&] {
    log->set_listener([&](const storage::LogOffsets& now) {
      if (now.high_watermark == 40) forty.set_value();
    });
    return 0;
  });
  write(30, 40, 31, 39, 15);
  ASSERT_EQ(forty.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  rig.shards().call([&] {
    log->set_listener({});
    return 0;
  });
  EXPECT_EQ(offsets_of(read_all(*log)), "0-39 ");
  EXPECT_EQ(offsets_of(read_all(*log, 30)), "30-39 ");
}

TEST_F(SeaweedOthers, FirstFileOfALogThatBeginsLater_SaysWhereItBegins) {
  put_conf("theirs", 1);
  put_file(100, 110, kNow);
  auto gateway = rig.gateway();
  const auto log = open(*gateway);
  EXPECT_EQ(ends(*log).log_start, 100);
  EXPECT_EQ(offsets_of(read_all(*log, 100)), "100-109 ");
}

TEST_F(SeaweedOthers, OffsetsThatWereGivenTwice_AreReadOnce) {
  put_conf("theirs", 1);
  put_file(0, 10, kNow);
  put_file(10, 30, kNow + 5 * kSecond);
  put_file(22, 40, kNow + 60 * kSecond);  // a broker that went on from an old counter
  put_file(15, 20, kNow + 90 * kSecond);  // with nothing new
  auto gateway = rig.gateway();
  const auto log = open(*gateway);
  EXPECT_EQ(ends(*log).log_end, 40);
  EXPECT_EQ(offsets_of(read_all(*log)), "0-39 ");
  EXPECT_EQ(offsets_of(read_all(*log, 25)), "25-39 ");
  EXPECT_EQ(offsets_of(read_all(*log, 35)), "35-39 ");
}

TEST_F(SeaweedOthers, TimesAreThoseOfTheBroker) {
  put_conf("theirs", 1);
  for (int i = 0; i < 5; ++i) put_file(10 * i, 10 * i + 10, kNow + i * 5 * kSecond);
  auto gateway = rig.gateway();
  const auto log = open(*gateway);
  const auto at = [&](std::int64_t ms, Offset end = 50) {
    auto found = rig.shards().run([&] { return log->offset_for_time(kNow / 1'000'000 + ms, end); });
    return found ? found->offset : -9;
  };
  EXPECT_EQ(at(-1'000'000), 0);
  EXPECT_EQ(at(0), 0);
  EXPECT_EQ(at(9), 9);
  EXPECT_EQ(at(10), 10);
  EXPECT_EQ(at(5000), 10);
  EXPECT_EQ(at(10'004), 24);
  EXPECT_EQ(at(20'009), 49);
  EXPECT_EQ(at(20'010), -1);
  EXPECT_EQ(at(20'000, 40), -1);
  const auto latest = rig.shards().run([&] { return log->max_timestamp(50); });
  EXPECT_EQ(latest->offset, 49);
  EXPECT_EQ(latest->timestamp, kNow / 1'000'000 + 20'009);
  EXPECT_EQ(rig.shards().run([&] { return log->max_timestamp(25); })->offset, 24);
}

TEST_F(SeaweedOthers, WhatIsFlushedLater_WakesReaders) {
  put_conf("theirs", 1);
  auto gateway = rig.gateway();
  const auto log = open(*gateway);
  EXPECT_EQ(ends(*log).log_end, 0);
  std::promise<void> three;
  rig.shards().call([&] {
    log->set_listener([&](const storage::LogOffsets& now) {
      if (now.high_watermark == 30) three.set_value();
    });
    return 0;
  });
  put_file(0, 10, kNow);
  put_file(10, 20, kNow + 5 * kSecond);
  put_file(20, 30, kNow + 5 * kSecond + 1'000'000);
  ASSERT_EQ(three.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(offsets_of(read_all(*log)), "0-29 ");
  rig.shards().call([&] {
    log->set_listener({});
    return 0;
  });
}

TEST_F(SeaweedOthers, FilesThatGoAway_RaiseLogStart) {
  put_conf("theirs", 1);
  const auto first = put_file(0, 10, kNow);
  put_file(10, 20, kNow + 5 * kSecond);
  auto gateway = rig.gateway();
  const auto log = open(*gateway);
  EXPECT_EQ(offsets_of(read_all(*log)), "0-19 ");
  for (const auto& chunk : rig.cluster.entry(first)->chunks) rig.cluster.drop_needle(chunk.file_id);
  rig.cluster.drop_entry(first);
  EXPECT_EQ(read(*log, 3).error().code, ErrorCode::offset_out_of_range);
  EXPECT_EQ(ends(*log).log_start, 10);
  EXPECT_EQ(offsets_of(read_all(*log, 10)), "10-19 ");
}

TEST_F(SeaweedOthers, DamageFailsItsRangeAlone) {
  put_conf("theirs", 1);
  put_file(0, 10, kNow);
  const auto second = put_file(10, 20, kNow + 5 * kSecond);
  put_file(20, 30, kNow + 9 * kSecond);
  rig.cluster.set_needle(rig.cluster.entry(second)->chunks[0].file_id,
                         SharedBuffer::copy_of(as_bytes("rubbish")));
  auto gateway = rig.gateway();
  const auto log = open(*gateway);
  EXPECT_EQ(read(*log, 10).error().code, ErrorCode::corrupt_message);
  EXPECT_EQ(offsets_of(read_all(*log, 20)), "20-29 ");
  EXPECT_EQ(records_of(*read(*log, 5)).back().offset, 9) << "what is in front is given";
}

TEST_F(SeaweedOthers, NothingIsWritten) {
  put_conf("theirs", 2);
  put_file(0, 10, kNow, directory(0, 2));
  put_file(0, 3, kNow, directory(1, 2));
  auto gateway = rig.gateway();
  const auto log = open(*gateway, 1);
  EXPECT_EQ(ends(*log).log_end, 3) << "its own part of the ring";
  const auto refused =
      rig.shards().run([&] { return log->append(log->leader_epoch(), list(batch_of({"x"}))); });
  EXPECT_EQ(refused.error().code, ErrorCode::policy_violation);
  EXPECT_NE(refused.error().message.find("SeaweedMQ's brokers"), std::string::npos);
  EXPECT_EQ(rig.shards().run([&] { return log->trim_before(2); }).error().code, ErrorCode::policy_violation);
  const TopicId id = topics(*gateway).at(0).id;
  const auto grown = rig.shards().run([&] { return gateway->engine().topics().add_partitions({{id, 3}}); });
  EXPECT_EQ(grown.at(0).error().code, ErrorCode::invalid_partitions);
  const auto before = rig.cluster.paths("/topics/kafka/theirs");
  gateway->housekeeping();
  EXPECT_EQ(rig.cluster.paths("/topics/kafka/theirs"), before);
}

TEST_F(SeaweedOthers, NewerGeneration_IsAnotherTopic) {
  put_conf("theirs", 1);
  put_file(0, 10, kNow);
  auto gateway = rig.gateway();
  const auto log = open(*gateway);
  const TopicId id = topics(*gateway).at(0).id;
  put_conf("theirs", 3, kGeneration + 60 * kSecond);
  const auto next = topics(*gateway);
  ASSERT_EQ(next.size(), 1U);
  EXPECT_NE(next[0].id, id);
  EXPECT_EQ(next[0].partitions, 3);
  EXPECT_EQ(read(*log, 0).error().code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(ends(*open(*gateway, 2)).log_end, 0) << "the newest alone";
  EXPECT_FALSE(rig.cluster.paths(directory()).empty()) << "what is older stays";
}

TEST_F(SeaweedOthers, Deleted_GoesWithAllItsGenerations) {
  put_conf("theirs", 1, kGeneration - 60 * kSecond);
  put_file(0, 5, kNow - 60 * kSecond, directory(0, 1, kGeneration - 60 * kSecond));
  put_conf("theirs", 1);
  put_file(0, 10, kNow);
  auto gateway = rig.gateway();
  const TopicId id = topics(*gateway).at(0).id;
  ASSERT_TRUE(rig.shards().run([&] { return gateway->engine().topics().remove({id}); }).at(0));
  EXPECT_FALSE(rig.cluster.entry("/topics/kafka/theirs/topic.conf"));
  EXPECT_TRUE(topics(*gateway).empty());
  gateway->housekeeping();
  EXPECT_TRUE(rig.cluster.paths("/topics/kafka/theirs").empty());
  EXPECT_FALSE(rig.cluster.entry("/topics/kafka/theirs"));
  EXPECT_TRUE(rig.cluster.paths("/topics/kafka/.meta/topics/").empty());
}

TEST_F(SeaweedOthers, DividedInAnotherWay_IsLeftOut) {
  put_conf("theirs", 2);
  auto conf = *rig.cluster.entry("/topics/kafka/theirs/topic.conf");
  conf.content.replace(conf.content.find("1260"), 4, "1261");
  rig.cluster.set_entry("/topics/kafka/theirs/topic.conf", conf);
  auto gateway = rig.gateway();
  EXPECT_TRUE(topics(*gateway).empty());
  EXPECT_EQ(gateway->make_topic(1, kTopicId, "theirs").error().code, ErrorCode::topic_already_exists);
}

}  // namespace
}  // namespace tidegate::test
