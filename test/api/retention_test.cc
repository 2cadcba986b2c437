// After a restart retention has to reach data that no client asks for: the broker's housekeeping opens
// the logs that hold any. Over an engine that says, as after a restart, which ones do.
#include <gtest/gtest.h>

#include "data_plane.h"
#include "fault_engine.h"
#include "support/api_harness.h"

namespace tidegate {
namespace {

using test::ApiHarness;

// The memory engine, with a say in what it holds; remembers which logs were opened. Of one shard.
class RestartedEngine final : public storage::Engine {
 public:
  explicit RestartedEngine(std::unique_ptr<storage::Engine> inner) : inner_(std::move(inner)) {}

  std::vector<PartitionId> stored;
  std::vector<PartitionId> opened;
  std::vector<storage::LogConfig> applied;
  std::size_t opened_before_housekeeping = 0;

  std::string_view name() const override { return inner_->name(); }
  Task<Result<void>> start() override { return inner_->start(); }
  Task<void> stop() override { return inner_->stop(); }
  storage::Health health() const override { return inner_->health(); }
  storage::Capabilities capabilities() const override { return inner_->capabilities(); }
  std::string cluster_id() const override { return inner_->cluster_id(); }
  storage::TopicStore& topics() override { return inner_->topics(); }
  storage::MetaStore& meta() override { return inner_->meta(); }
  Task<Result<std::shared_ptr<storage::PartitionLog>>> partition(PartitionId id,
                                                                 storage::LogConfig config) override {
    opened.push_back(id);
    return inner_->partition(id, config);
  }
  LeaderEpoch leader_epoch(const PartitionId& id) const override { return inner_->leader_epoch(id); }
  std::vector<PartitionId> partitions_with_data() const override { return stored; }
  void apply_config(PartitionId id, storage::LogConfig config) override {
    applied.push_back(config);
    inner_->apply_config(id, config);
  }
  Task<void> housekeeping() override {
    opened_before_housekeeping = opened.size();
    return inner_->housekeeping();
  }

 private:
  std::unique_ptr<storage::Engine> inner_;
};

class Retention : public ::testing::Test {
 protected:
  // One round of housekeeping.
  void keep_house() {
    api.shards().advance(std::chrono::minutes(5));
    api.shards().settle();
  }

  RestartedEngine* engine = nullptr;
  ApiHarness api{{.shards = 1, .wrap_engine = [this](std::unique_ptr<storage::Engine> inner, ShardPool&) {
                    auto wrapped = std::make_unique<RestartedEngine>(std::move(inner));
                    engine = wrapped.get();
                    return wrapped;
                  }}};
};

TEST_F(Retention, LogsThatNobodyAskedFor_AreOpenedForIt) {
  const auto old = api.make_topic("old", 3);
  const auto kept = api.make_topic("kept", 1, {{"retention.ms", "-1"}});
  const auto by_size = api.make_topic("by-size", 1, {{"retention.ms", "-1"}, {"retention.bytes", "1000"}});
  TopicId gone;
  gone.bytes.fill(9);
  engine->stored = {
      {old->topic.id, 0}, {gone, 0}, {kept->topic.id, 0}, {by_size->topic.id, 0}, {old->topic.id, 2}};
  keep_house();
  const std::vector<PartitionId> wanted{{old->topic.id, 0}, {by_size->topic.id, 0}, {old->topic.id, 2}};
  EXPECT_EQ(engine->opened, wanted);
  EXPECT_EQ(engine->opened_before_housekeeping, 3U) << "the same round reaches them";
  keep_house();
  EXPECT_EQ(engine->opened.size(), 3U) << "what is open stays so";
}

TEST_F(Retention, OneRound_OpensABoundedNumberOfLogs) {
  const auto topic = api.make_topic("wide", 1500);
  for (std::int32_t i = 0; i < 1500; ++i) engine->stored.push_back({topic->topic.id, i});
  keep_house();
  EXPECT_EQ(engine->opened.size(), 1000U);
  keep_house();
  EXPECT_EQ(engine->opened.size(), 1500U);
}

// The engine keeps the log that a failed attempt opened, with the settings of that time.
TEST(LogOpenedByAFailedAttempt, TakesOverSettingsThatChangedSince) {
  test::FaultEngine* faulty = nullptr;
  RestartedEngine* engine = nullptr;
  test::DataPlane plane(
      {.shards = 1, .wrap_engine = [&](std::unique_ptr<storage::Engine> inner, ShardPool& shards) {
         auto faults = std::make_unique<test::FaultEngine>(std::move(inner), shards, 1);
         faulty = faults.get();
         auto wrapped = std::make_unique<RestartedEngine>(std::move(faults));
         engine = wrapped.get();
         return wrapped;
       }});
  const auto topic = plane.api.make_topic("t");
  ASSERT_EQ(plane.produce(topic, 0, test::make_batch(1).bytes).error_code, ErrorCode::none);
  broker::Broker second(plane.api.broker().parts());
  ASSERT_TRUE(plane.api.run([&] { return second.start(); }));
  const auto append = [&] {
    return plane.api.run([&]() -> Task<ErrorCode> {
      std::vector<broker::ProduceItem> items;
      items.push_back({.partition = {topic->topic.id, 0}, .records = test::make_batch(1).bytes});
      auto got = co_await second.produce().append(std::move(items), {}, [] {});
      co_return got.front().error;
    });
  };
  faulty->faults().set({.meta_error = 1000});
  EXPECT_EQ(append(), ErrorCode::kafka_storage_error);
  faulty->faults().heal();
  const auto changed = plane.api.run([&] {
    auto change = [](broker::TopicConfigs configs) -> Result<broker::TopicConfigs> {
      configs["retention.ms"] = "777";
      return configs;
    };
    return second.topics().set_configs("t", change, false);
  });
  ASSERT_TRUE(changed);
  engine->applied.clear();
  EXPECT_EQ(append(), ErrorCode::none);
  ASSERT_FALSE(engine->applied.empty());
  EXPECT_EQ(engine->applied.back().retention_ms, 777);
  plane.api.run([&]() -> Task<void> { co_await second.stop(); });
}

}  // namespace
}  // namespace tidegate
