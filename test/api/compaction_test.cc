// Compaction as a client meets it: through Produce, Fetch and topic settings, over the memory engine on a
// clock that the test turns. What a cleaning does to a log is tested in test/broker/compaction.
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <map>

#include "data_plane.h"
#include "fault_engine.h"
#include "support/captured_log.h"

namespace tidegate {
namespace {

using Values = std::map<std::string, std::string>;

constexpr std::size_t kValueBytes = 300'000;  // the smallest segment holds three

test::ApiHarnessOptions with(std::map<std::string, std::string> config) {
  config.try_emplace("log.cleaner.backoff.ms", "1000");
  return {.config = std::move(config)};
}

class CompactionPlane {
 public:
  explicit CompactionPlane(test::ApiHarnessOptions options) : plane(std::move(options)) {}

  broker::CatalogueTopicPtr make_topic(const std::string& name, broker::TopicConfigs more = {}) {
    more.try_emplace("cleanup.policy", "compact");
    more.try_emplace("segment.bytes", "1048576");
    more.try_emplace("min.cleanable.dirty.ratio", "0.1");
    return plane.api.make_topic(name, 1, std::move(more));
  }
  // A record of its own batch; no value: a tombstone.
  void put(const broker::CatalogueTopicPtr& topic, const std::string& key, std::optional<std::string> value) {
    if (value) value->resize(kValueBytes, '.');
    const auto now = plane.api.shards().clock().wall_ms();
    const std::vector<protocol::NewRecord> records{
        {.timestamp = now, .key = key, .value = value, .headers = {}}};
    const auto batch = protocol::build_batch(records, {});
    ASSERT_EQ(plane.produce(topic, 0, batch->bytes).error_code, ErrorCode::none);
  }
  // Each key in turn, with the values 0, 1, ...
  void put_many(const broker::CatalogueTopicPtr& topic, int records, int keys) {
    for (int i = 0; i < records; ++i) put(topic, "key-" + std::to_string(i % keys), std::to_string(i));
  }
  struct Content {
    Values last;  // with "(null)" for a tombstone
    std::size_t records = 0;
  };
  Content read(const broker::CatalogueTopicPtr& topic) {
    Content content;
    for (Offset from = 0;;) {
      const auto some = plane.fetch_one(topic, 0, from);
      EXPECT_EQ(some.error_code, ErrorCode::none);
      if (from >= some.high_watermark) return content;
      for (const auto& batch : test::DataPlane::batches(some)) {
        from = batch.header.next_offset();
        auto walked = protocol::for_each_record(batch, {}, [&](const protocol::RecordView& record) {
          ++content.records;
          std::string value = record.value ? std::string(as_text(*record.value)) : "(null)";
          content.last[std::string(as_text(*record.key))] = value.substr(0, value.find('.'));
          return true;
        });
        EXPECT_TRUE(walked);
      }
    }
  }

  // The workers look again.
  void turn_clock(Duration by = std::chrono::seconds(1)) { plane.api.shards().advance(by); }
  std::uint64_t counted(const std::string& what) {
    return plane.api.shards().metrics().counter("tidegate_broker_compaction_" + what, "").value();
  }
  std::int64_t gauge(const std::string& what) {
    return plane.api.shards().metrics().gauge("tidegate_broker_compaction_" + what, "").value();
  }
  double shown(const std::string& what) {
    for (const auto& family : plane.api.shards().metrics().collect()) {
      if (family.name == "tidegate_broker_compaction_" + what) return family.samples.at(0).value;
    }
    return -1;
  }
  template <class F>
  bool wait_until(F holds) {
    const auto give_up = std::chrono::steady_clock::now() + test::kHangLimit;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      plane.api.shards().settle();
    }
    return true;
  }
  bool wait_for(const std::string& counter, std::uint64_t value) {
    return wait_until([&] { return counted(counter) >= value; });
  }
  // Fills and cleans another topic: then the workers have seen everything else too, and left it alone.
  void let_workers_look() {
    if (!fence_) fence_ = make_topic("fence");
    for (int i = 0; i < 2; ++i) {
      const auto before = counted("cleaned_partitions_total");
      put_many(fence_, 12, 2);
      turn_clock();
      ASSERT_TRUE(wait_for("cleaned_partitions_total", before + 1));
    }
  }

  test::DataPlane plane;

 private:
  broker::CatalogueTopicPtr fence_;
};

TEST(CompactedTopic, KeepsTheLastValueOfEachKey) {
  CompactionPlane at(with({}));
  const auto topic = at.make_topic("t");
  at.put_many(topic, 20, 3);
  const auto before = at.read(topic);
  EXPECT_EQ(before.records, 20U);
  at.turn_clock();
  ASSERT_TRUE(at.wait_for("cleaned_partitions_total", 1));
  const auto after = at.read(topic);
  EXPECT_EQ(after.last, before.last);
  EXPECT_LE(after.records, 6U) << "three at most, and those of the open segment";
  EXPECT_EQ(at.counted("dropped_records_total"), 20 - after.records);
  EXPECT_GT(at.counted("read_bytes_total"), at.counted("written_bytes_total"));
  EXPECT_EQ(at.counted("failures_total"), 0U);
  EXPECT_GT(at.shown("last_run_timestamp_seconds"), 1.6e9);
}

TEST(CompactedTopic, TombstonesGoWithTheFirstCleaningAfterTheirTime) {
  CompactionPlane at(with({}));
  const auto topic = at.make_topic("t", {{"delete.retention.ms", "60000"}});
  at.put(topic, "gone", "1");
  at.put(topic, "gone", std::nullopt);
  const auto clean = [&] {
    const auto before = at.counted("cleaned_partitions_total");
    at.put_many(topic, 20, 3);
    at.turn_clock();
    ASSERT_TRUE(at.wait_for("cleaned_partitions_total", before + 1));
  };
  clean();
  EXPECT_EQ(at.read(topic).last.at("gone"), "(null)") << "a reader that follows has to learn of it";
  at.turn_clock(std::chrono::seconds(30));
  clean();
  EXPECT_TRUE(at.read(topic).last.contains("gone"));
  at.turn_clock(std::chrono::seconds(61));
  clean();
  EXPECT_FALSE(at.read(topic).last.contains("gone"));
}

TEST(CompactedTopic, BecomesOneByItsSettings) {
  CompactionPlane at(with({}));
  const auto topic = at.make_topic("t", {{"cleanup.policy", "delete"}});
  at.put_many(topic, 20, 3);
  at.let_workers_look();
  EXPECT_EQ(at.read(topic).records, 20U);
  const auto changed = at.plane.api.run([&] {
    auto change = [](broker::TopicConfigs configs) -> Result<broker::TopicConfigs> {
      configs["cleanup.policy"] = "compact,delete";
      return configs;
    };
    return at.plane.api.broker().topics().set_configs("t", change, false);
  });
  ASSERT_TRUE(changed);
  const auto before = at.counted("cleaned_partitions_total");
  at.turn_clock();
  ASSERT_TRUE(at.wait_for("cleaned_partitions_total", before + 1));
  EXPECT_LE(at.read(topic).records, 6U);
}

TEST(CompactedTopic, RecordsYoungerThanTheMinimumLagStay) {
  CompactionPlane at(with({}));
  const auto topic = at.make_topic("t", {{"min.compaction.lag.ms", "600000"}});
  at.put_many(topic, 20, 3);
  at.let_workers_look();
  EXPECT_EQ(at.read(topic).records, 20U);
  const auto before = at.counted("cleaned_partitions_total");
  at.turn_clock(std::chrono::minutes(11));
  ASSERT_TRUE(at.wait_for("cleaned_partitions_total", before + 1));
  EXPECT_LE(at.read(topic).records, 6U);
}

TEST(CompactedTopic, MaximumLagCleansWhatIsNotDirtyEnough) {
  CompactionPlane at(with({}));
  const auto topic =
      at.make_topic("t", {{"min.cleanable.dirty.ratio", "1"}, {"max.compaction.lag.ms", "600000"}});
  at.put_many(topic, 20, 3);
  at.let_workers_look();
  EXPECT_EQ(at.read(topic).records, 20U);
  const auto before = at.counted("cleaned_partitions_total");
  at.turn_clock(std::chrono::minutes(11));
  ASSERT_TRUE(at.wait_for("cleaned_partitions_total", before + 1));
  EXPECT_LE(at.read(topic).records, 6U);
}

TEST(CompactedTopic, KeylessRecordIsRefusedByItsIndex) {
  CompactionPlane at(with({}));
  const auto topic = at.make_topic("t");
  const std::vector<protocol::NewRecord> records{{.timestamp = 1'700'000'000'000, .key = "k", .value = "v"},
                                                 {.timestamp = 1'700'000'000'000, .value = "no key"}};
  for (const auto codec : {protocol::Compression::none, protocol::Compression::lz4}) {
    const auto batch = protocol::build_batch(records, {.compression = codec});
    const auto answer = at.plane.produce(topic, 0, batch->bytes);
    EXPECT_EQ(answer.error_code, ErrorCode::invalid_record);
    ASSERT_EQ(answer.record_errors.size(), 1U);
    EXPECT_EQ(answer.record_errors.at(0).batch_index, 1);
  }
  EXPECT_EQ(at.read(topic).records, 0U) << "none of the batch is stored";
}

TEST(CompactedTopic, IsNotCleanedAgainAfterARestart) {
  CompactionPlane at(with({}));
  const auto topic = at.make_topic("t");
  at.put_many(topic, 20, 3);
  at.turn_clock();
  ASSERT_TRUE(at.wait_for("cleaned_partitions_total", 1));
  at.plane.api.restart_broker();
  at.let_workers_look();
  EXPECT_EQ(at.counted("cleaned_partitions_total"), 3U) << "of the other topic twice";
}

TEST(CompactedTopic, DeletedOne_LeavesNoCheckpoint) {
  CompactionPlane at(with({}));
  const auto topic = at.make_topic("t");
  at.put_many(topic, 20, 3);
  at.turn_clock();
  const auto scopes = [&] {
    return at.plane.api.run([&] { return at.plane.api.engine().meta().scopes("compaction/", "", 10); })
        ->size();
  };
  ASSERT_TRUE(at.wait_until([&] { return scopes() == 1; }));
  ASSERT_TRUE(
      at.plane.api.run([&] { return at.plane.api.broker().topics().remove({topic->topic.id}); }).at(0));
  EXPECT_TRUE(at.wait_until([&] { return scopes() == 0; }));
}

TEST(CompactedTopic, SwitchedOffCleaner_DoesNothing) {
  CompactionPlane at(with({{"log.cleaner.enable", "false"}}));
  const auto topic = at.make_topic("t");
  at.put_many(topic, 20, 3);
  for (int i = 0; i < 20; ++i) {
    at.turn_clock();
    at.plane.api.shards().settle(10);
  }
  EXPECT_EQ(at.read(topic).records, 20U);
  EXPECT_EQ(at.counted("read_bytes_total"), 0U);
}

TEST(CompactedTopic, Stop_DoesNotWaitForTheThrottle) {
  CompactionPlane at(with({{"log.cleaner.io.max.bytes.per.second", "1000"}}));
  const auto topic = at.make_topic("t");
  at.put_many(topic, 20, 3);
  at.turn_clock();
  ASSERT_TRUE(at.wait_until([&] { return at.gauge("running_partitions") == 1; }));
  auto stopped = std::async(std::launch::async,
                            [&] { return at.plane.api.run([&] { return at.plane.api.broker().stop(); }); });
  // At this rate the cleaning would take more than an hour.
  int steps = 0;
  for (; steps < 1200 && stopped.wait_for(std::chrono::seconds(0)) != std::future_status::ready; ++steps) {
    at.turn_clock(std::chrono::milliseconds(50));
  }
  EXPECT_LT(steps, 1200);
  EXPECT_TRUE(stopped.get());
  EXPECT_EQ(at.counted("failures_total"), 0U) << "being stopped is none";
  at.plane.api.restart_broker();
  EXPECT_EQ(at.read(at.plane.api.find_topic("t")).records, 20U);
}

class FailingCleaner : public ::testing::TestWithParam<std::uint32_t test::FaultRates::*> {
 protected:
  test::CapturedLog log;
  test::FaultEngine* engine = nullptr;
};

TEST_P(FailingCleaner, TellsOfIt_AndGoesOnAfterAPause) {
  auto options = with({});
  options.wrap_engine = [this](std::unique_ptr<storage::Engine> inner, ShardPool& shards) {
    auto faulty = std::make_unique<test::FaultEngine>(std::move(inner), shards, 1);
    engine = faulty.get();
    return faulty;
  };
  CompactionPlane at(std::move(options));
  log.listen();
  const auto topic = at.make_topic("prices");
  at.put_many(topic, 20, 3);
  test::FaultRates rates;
  rates.*GetParam() = 1000;
  engine->faults().set(rates);
  at.turn_clock();
  ASSERT_TRUE(at.wait_for("failures_total", 1));
  ASSERT_TRUE(at.wait_until([&] { return at.gauge("paused_partitions") == 1; }));
  ASSERT_TRUE(
      at.wait_until([&] { return log.count("event=compaction_failed topic=prices partition=0") == 1; }));
  engine->faults().heal();
  at.let_workers_look();
  EXPECT_EQ(at.read(topic).records, 20U) << "left alone for a while";
  const auto before = at.counted("cleaned_partitions_total");
  at.turn_clock(std::chrono::minutes(6));
  ASSERT_TRUE(at.wait_for("cleaned_partitions_total", before + 1));
  EXPECT_LE(at.read(topic).records, 6U);
  EXPECT_TRUE(at.wait_until([&] { return at.gauge("paused_partitions") == 0; }));
  EXPECT_EQ(at.counted("failures_total"), 1U);
}

INSTANTIATE_TEST_SUITE_P(Faults, FailingCleaner,
                         ::testing::Values(&test::FaultRates::read_error, &test::FaultRates::meta_error));

}  // namespace
}  // namespace tidegate
