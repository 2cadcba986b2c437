// Each engine inside a FaultEngine that really hurts: callers see clean errors, and what was confirmed
// is there, once and in order, when it has healed.
#include <set>

#include "contract_test.h"

namespace tidegate::test {
namespace {

using storage::LogOffsets;

class FaultContract : public testing::TestWithParam<EngineFactory> {
 protected:
  static constexpr std::uint64_t kSeed = 77;

  EngineHost& host(bool hold_tails = false) {
    if (!host_)
      host_ = std::make_unique<EngineHost>(
          GetParam(), HostOptions{.wrapped = true, .hold_tails = hold_tails, .seed = kSeed});
    return *host_;
  }
  LogHandle new_log() {
    const storage::Topic topic{.name = "t", .id = random_uuid(host().rng()), .partitions = 1};
    auto created = host().call(0, [this, topic] { return host().engine().topics().create({topic}); });
    if (!created) throw std::runtime_error(created.error().message);
    return {host(), {.topic = topic.id, .index = 0}, {.retention_ms = -1, .segment_bytes = 4096}};
  }

  struct Outcome {
    std::string value;
    Offset offset = -1;
    ErrorCode append_error = ErrorCode::none;
    ErrorCode durable_error = ErrorCode::none;
    bool acked() const { return append_error == ErrorCode::none && durable_error == ErrorCode::none; }
  };
  struct Load {
    std::vector<Outcome> outcomes;
    int ended = 0;
  };
  static Task<void> produce(storage::PartitionLog* log, std::shared_ptr<Load> load, std::size_t i) {
    const std::string value = "v" + std::to_string(i);
    auto batches = list(batch_of({value}));
    auto appended = co_await log->append(log->leader_epoch(), std::move(batches));
    Outcome outcome{.value = value, .append_error = code_of(appended)};
    if (appended) {
      outcome.offset = appended->base_offset;
      auto durable = co_await log->wait_durable(appended->log_end);
      outcome.durable_error = code_of(durable);
    }
    load->outcomes[i] = outcome;
    ++load->ended;
  }
  // `count` producers at once, each one record; returns when all have ended.
  std::vector<Outcome> produce_all(const LogHandle& log, std::size_t count) {
    auto load = std::make_shared<Load>();
    load->outcomes.resize(count);
    log.on_shard([load, count](storage::PartitionLog& to) {
      for (std::size_t i = 0; i < count; ++i) Shard::current()->spawn(produce(&to, load, i), "produce");
    });
    while (log.on_shard([load](storage::PartitionLog&) { return load->ended; }) < static_cast<int>(count)) {
    }
    return log.on_shard([load](storage::PartitionLog&) { return load->outcomes; });
  }

  // The log holds exactly what was acknowledged, at the offsets that were told.
  static void expect_exactly_acked(const LogHandle& log, const std::vector<Outcome>& outcomes) {
    std::map<Offset, std::string> acked;
    for (const auto& outcome : outcomes) {
      if (!outcome.acked()) {
        EXPECT_TRUE(outcome.append_error == ErrorCode::kafka_storage_error ||
                    outcome.durable_error == ErrorCode::kafka_storage_error);
        continue;
      }
      EXPECT_TRUE(acked.emplace(outcome.offset, outcome.value).second) << "two values at " << outcome.offset;
    }
    std::map<Offset, std::string> found;
    for (const auto& record : log.read_all(0, {.end = log.offsets().high_watermark})) {
      found.emplace(record.offset, record.value);
    }
    EXPECT_EQ(found, acked);
  }
  static std::size_t count_acked(const std::vector<Outcome>& outcomes) {
    return static_cast<std::size_t>(std::ranges::count_if(outcomes, &Outcome::acked));
  }

 private:
  std::unique_ptr<EngineHost> host_;
};
INSTANTIATE_TEST_SUITE_P(Engine, FaultContract, testing::ValuesIn(contract_engines()),
                         [](const auto& info) { return info.param.name; });

TEST_P(FaultContract, FailingAppends_LeaveOnlyWhatWasConfirmed) {
  auto log = new_log();
  host().faults().set({.delay = 500, .append_error = 100});
  const auto outcomes = produce_all(log, 300);
  const std::size_t acked = count_acked(outcomes);
  EXPECT_GT(acked, 0U);
  EXPECT_LT(acked, 300U) << "no fault struck";
  host().faults().heal();
  expect_exactly_acked(log, outcomes);
  EXPECT_EQ(log.offsets().log_end, static_cast<Offset>(acked));
  EXPECT_EQ(log.must_append(batch_of({"healed"})).base_offset, static_cast<Offset>(acked));
}

TEST_P(FaultContract, FailingReads_AreCleanAndHeal) {
  auto log = new_log();
  for (int i = 0; i < 50; ++i) log.must_append(numbered_batch("v", 2 * i, 2));
  const auto before = log.read_all(0);
  host().faults().set({.delay = 200, .read_error = 300, .short_read = 300});
  int failed = 0;
  std::vector<ReadRecord> survived;
  for (Offset from = 0; from < 100;) {
    const auto read = log.read(from);
    if (!read) {
      EXPECT_EQ(read.error().code, ErrorCode::kafka_storage_error);
      ++failed;
      continue;
    }
    ASSERT_GT(read->next_offset, from) << "nothing, where there is something";
    for (auto& record : records_of(*read)) survived.push_back(std::move(record));
    from = read->next_offset;
  }
  EXPECT_GT(failed, 0);
  EXPECT_EQ(survived, before);
  host().faults().heal();
  EXPECT_EQ(log.read_all(0), before);
}

TEST_P(FaultContract, HeldTail_IsReadableButNotBelowTheHighWatermark) {
  host(true);
  auto log = new_log();
  ASSERT_TRUE(log.append(list(numbered_batch("a", 0, 3))));
  EXPECT_EQ(log.offsets().log_end, 3);
  EXPECT_EQ(log.offsets().high_watermark, 0);
  EXPECT_EQ(log.read_all(0).size(), 3U);
  EXPECT_EQ(log.read_all(0, {.end = log.offsets().high_watermark}).size(), 0U);
  EXPECT_GT(log.readable_bytes(0, 3), 0U);
  EXPECT_EQ(log.readable_bytes(0, 0), 0U);
  EXPECT_EQ(log.scan_headers(0, 10, 10)->size(), 1U);
  EXPECT_EQ(code_of(log.trim_before(2)), ErrorCode::offset_out_of_range);
  ASSERT_TRUE(log.wait_durable(3));
  EXPECT_EQ(log.offsets().high_watermark, 3);
  EXPECT_EQ(log.values(), (std::vector<std::string>{"a0", "a1", "a2"}));
}

TEST_P(FaultContract, LostTail_FailsItsWaitersAndTellsTheListener) {
  host(true);
  auto log = new_log();
  log.must_append(batch_of({"kept"}));
  const auto lost = log.append(list(batch_of({"lost"})));
  ASSERT_TRUE(lost);
  auto told = std::make_shared<std::vector<LogOffsets>>();
  log.set_listener([told](const LogOffsets& offsets) { told->push_back(offsets); });
  host().call(0, [this] { return host().fault_engine().lose_tails(); });
  EXPECT_EQ(log.offsets().log_end, 1);
  EXPECT_EQ(log.offsets().high_watermark, 1);
  const auto calls = log.on_shard([told](storage::PartitionLog&) { return *told; });
  ASSERT_FALSE(calls.empty());
  EXPECT_EQ(calls.back().log_end, 1);
  EXPECT_EQ(code_of(log.wait_durable(lost->log_end)), ErrorCode::kafka_storage_error);
  EXPECT_EQ(log.must_append(batch_of({"next"})).base_offset, 1);
  EXPECT_EQ(log.values(), (std::vector<std::string>{"kept", "next"}));
}

TEST_P(FaultContract, TailsLostAtRandom_TakeNothingThatWasAcked) {
  host(true);
  auto log = new_log();
  Offset watermark = 0;
  bool went_back = false;
  log.set_listener([&](const LogOffsets& offsets) {
    went_back = went_back || offsets.high_watermark < watermark;
    watermark = offsets.high_watermark;
  });
  host().faults().set({.delay = 600, .append_error = 20, .lost_tail = 250});
  const auto outcomes = produce_all(log, 500);
  host().faults().heal();
  const std::size_t acked = count_acked(outcomes);
  EXPECT_GT(acked, 0U);
  EXPECT_LT(acked, 500U);
  ASSERT_TRUE(log.flush());
  expect_exactly_acked(log, outcomes);
  EXPECT_FALSE(log.on_shard([&went_back](storage::PartitionLog&) { return went_back; }));
  log.set_listener(nullptr);
}

TEST_P(FaultContract, Crash_LosesOnlyTheUnsyncedTail) {
  host(true);
  if (!host().engine().capabilities().durable)
    GTEST_SKIP() << GetParam().name << " keeps nothing over a restart";
  auto log = new_log();
  for (int i = 0; i < 10; ++i) log.must_append(numbered_batch("synced", 2 * i, 2));
  const auto before = log.read_all(0);
  ASSERT_TRUE(log.append(list(batch_of({"unsynced"}))));
  host().call(0, [this] { return host().fault_engine().lose_tails(); });
  host().reopen();
  EXPECT_EQ(log.read_all(0), before);
  EXPECT_EQ(log.offsets().log_end, 20);
}

TEST_P(FaultContract, FailingMetaWrites_WriteNothing) {
  auto& engine = host().engine();
  host().faults().set({.delay = 300, .meta_error = 300});
  std::map<std::string, std::string> expected;
  int failed = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string key = "k" + std::to_string(i % 7);
    const std::string value = std::to_string(i);
    auto put = host().call(0, [&] {
      return engine.meta().put_batch("s", 0, {put_op(key, value), put_op(key + "/twin", value)},
                                     storage::MetaDurability::policy);
    });
    if (put) {
      expected[key] = expected[key + "/twin"] = value;
    } else {
      EXPECT_EQ(put.error().code, ErrorCode::kafka_storage_error);
      ++failed;
    }
  }
  EXPECT_GT(failed, 0);
  host().faults().heal();
  std::map<std::string, std::string> found;
  const auto entries = host().call(0, [&] { return engine.meta().scan("s", "", "", 1000); });
  ASSERT_TRUE(entries);
  for (const auto& entry : *entries) found[entry.key] = entry.value;
  EXPECT_EQ(found, expected);
}

TEST_P(FaultContract, FailingTopicChanges_ChangeNothing) {
  auto& engine = host().engine();
  host().faults().set({.delay = 300, .topic_error = 400});
  std::set<std::string> expected;
  int failed = 0;
  for (int i = 0; i < 40; ++i) {
    const storage::Topic topic{
        .name = "t" + std::to_string(i), .id = random_uuid(host().rng()), .partitions = 1};
    auto created = host().call(0, [&] { return engine.topics().create({topic}); });
    if (!created) {
      EXPECT_EQ(created.error().code, ErrorCode::kafka_storage_error);
      ++failed;
      continue;
    }
    auto removed = host().call(0, [&] { return engine.topics().remove({topic.id}); });
    if (!removed.at(0)) expected.insert(topic.name);
  }
  EXPECT_GT(failed, 0);
  host().faults().heal();
  std::set<std::string> found;
  const auto all = host().call(0, [&] { return engine.topics().list(); });
  ASSERT_TRUE(all);
  for (const auto& topic : *all) found.insert(topic.name);
  EXPECT_EQ(found, expected);
}

}  // namespace
}  // namespace tidegate::test
