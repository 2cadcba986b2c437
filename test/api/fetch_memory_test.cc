// Memory for Fetch answers at its limit: nobody hangs, nobody takes it all, nothing is left charged; and
// one request at a time in a fetch session.
#include <gtest/gtest.h>

#include <future>

#include "data_plane.h"
#include "fault_engine.h"

namespace tidegate {
namespace {

using test::DataPlane;
using test::make_batch;

constexpr std::int64_t kLimit = 1 << 20;  // of the one shard
constexpr std::size_t kShare = kLimit / 4;

class FetchMemory : public ::testing::Test {
 protected:
  using Reply = std::future<broker::FetchReply>;

  FetchMemory() {
    protocol::NewRecord record{
        .timestamp = 1'700'000'000'000, .key = "k", .value = std::string(100'000, 'v')};
    batch = *protocol::build_batch(std::vector<protocol::NewRecord>{record}, {});
    for (int i = 0; i < 3; ++i) plane.produce(topic, 0, batch.bytes);
  }
  ~FetchMemory() override {
    plane.api.shards().call([this] { unwritten.clear(); });
    plane.api.shards().settle();
    EXPECT_EQ(gauge("tidegate_broker_fetch_memory_bytes"), 0);
    EXPECT_EQ(gauge("tidegate_broker_fetches_waiting_for_memory"), 0);
  }
  std::int64_t gauge(const char* name) { return plane.api.shards().metrics().gauge(name, "").value(); }

  broker::FetchQuery query(std::uint64_t connection, std::int32_t max_wait_ms = 500) const {
    broker::FetchQuery query{.max_wait_ms = max_wait_ms,
                             .min_bytes = 1,
                             .max_bytes = 50 << 20,
                             .by_id = true,
                             .connection = connection};
    query.wants.push_back({.key = {.id = topic->topic.id, .partition = 0}, .max_bytes = 50 << 20});
    return query;
  }
  Reply start(broker::FetchQuery query, std::shared_ptr<broker::FetchCancel> cancel = {}) {
    auto done = std::make_shared<std::promise<broker::FetchReply>>();
    auto future = done->get_future();
    auto go = [&] { Shard::current()->start(run(std::move(query), std::move(cancel), done), "test"); };
    plane.api.shards().call(go);
    plane.api.shards().settle();
    return future;
  }
  Task<void> run(broker::FetchQuery query, std::shared_ptr<broker::FetchCancel> cancel,
                 std::shared_ptr<std::promise<broker::FetchReply>> done) {
    auto reply = co_await plane.api.broker().fetch().fetch(std::move(query), std::move(cancel));
    unwritten.push_back(std::exchange(reply.charge, nullptr));
    done->set_value(std::move(reply));
  }
  static bool is_ready(const Reply& reply) {
    return reply.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  static bool has_records(Reply& reply) {
    EXPECT_TRUE(is_ready(reply));
    if (!is_ready(reply)) return false;
    return !reply.get().partitions.at(0).records.empty();
  }
  // Answers that clients have been sent and do not read.
  void fill() {
    for (std::uint64_t connection = 1; connection <= 5; ++connection) {
      auto reply = start(query(connection, 0));
      EXPECT_TRUE(is_ready(reply));
      if (gauge("tidegate_broker_fetch_memory_bytes") + static_cast<std::int64_t>(batch.bytes.size()) >
          kLimit)
        return;
    }
  }

  DataPlane plane{{.shards = 1, .config = {{"fetch.response.memory.bytes", std::to_string(kLimit)}}}};
  broker::CatalogueTopicPtr topic = plane.api.make_topic("t");
  protocol::RecordBatch batch;
  std::vector<std::shared_ptr<void>> unwritten;  // shard 0
};

TEST_F(FetchMemory, SlowReaders_DelayOthersNoLongerThanMaxWait) {
  fill();
  auto waiting = start(query(7));
  ASSERT_FALSE(is_ready(waiting));
  EXPECT_EQ(gauge("tidegate_broker_fetches_waiting_for_memory"), 1);
  plane.api.shards().advance(std::chrono::milliseconds(501));
  plane.api.shards().settle();
  ASSERT_TRUE(is_ready(waiting));
  const auto reply = waiting.get();
  EXPECT_EQ(reply.error, ErrorCode::none);
  ASSERT_EQ(reply.partitions.size(), 1U);
  EXPECT_EQ(reply.partitions[0].error, ErrorCode::none);
  EXPECT_EQ(reply.partitions[0].high_watermark, 3) << "what there is, without records";
  EXPECT_EQ(reply.partitions[0].log_start, 0);
  EXPECT_TRUE(reply.partitions[0].records.empty());
}

TEST_F(FetchMemory, RoomInTime_IsGivenInTheOrderOfArrival) {
  fill();
  auto first = start(query(7));
  auto second = start(query(8));
  ASSERT_FALSE(is_ready(first));
  plane.api.shards().call([this] { unwritten.erase(unwritten.begin(), unwritten.begin() + 2); });
  plane.api.shards().settle();
  EXPECT_TRUE(has_records(first));
  plane.api.shards().call([this] { unwritten.clear(); });
  plane.api.shards().settle();
  EXPECT_TRUE(has_records(second));
}

TEST_F(FetchMemory, LostConnection_LeavesTheQueue) {
  fill();
  auto cancel = std::make_shared<broker::FetchCancel>();
  auto lost = start(query(7), cancel);
  auto next = start(query(8));
  ASSERT_FALSE(is_ready(lost));
  plane.api.shards().call([&] { cancel->cancel(); });
  plane.api.shards().settle();
  EXPECT_FALSE(has_records(lost));
  EXPECT_EQ(gauge("tidegate_broker_fetches_waiting_for_memory"), 1);
  plane.api.shards().call([this] { unwritten.clear(); });
  plane.api.shards().settle();
  EXPECT_TRUE(has_records(next));
}

TEST_F(FetchMemory, BrokerStop_EndsTheWait) {
  fill();
  auto waiting = start(query(7, 60'000));
  ASSERT_FALSE(is_ready(waiting));
  plane.api.run([&] { return plane.api.broker().fetch().stop(); });
  plane.api.shards().settle();
  EXPECT_FALSE(has_records(waiting));
}

TEST_F(FetchMemory, OneConnection_GetsAQuarterAndLeavesTheRest) {
  std::vector<Reply> greedy;
  for (int i = 0; i < 8; ++i) greedy.push_back(start(query(7, 60'000)));
  EXPECT_TRUE(is_ready(greedy.front()));
  EXPECT_FALSE(is_ready(greedy.back()));
  EXPECT_LE(gauge("tidegate_broker_fetch_memory_bytes"), static_cast<std::int64_t>(kShare));
  auto other = start(query(8));
  EXPECT_TRUE(has_records(other));
  for (int i = 0; i < 8; ++i) {
    plane.api.shards().call([this] { unwritten.clear(); });
    plane.api.shards().settle();
  }
  for (Reply& reply : greedy) EXPECT_TRUE(is_ready(reply));
}

TEST_F(FetchMemory, FirstBatchBeyondTheClientsLimit_IsChargedWhole) {
  auto wants = query(7);
  wants.wants[0].max_bytes = 1;
  auto reply = start(wants);
  EXPECT_TRUE(has_records(reply));
  EXPECT_EQ(gauge("tidegate_broker_fetch_memory_bytes"), static_cast<std::int64_t>(batch.bytes.size()));
  wants.wants[0].max_bytes = 1 << 20;
  wants.max_bytes = 0;
  reply = start(wants);
  EXPECT_TRUE(has_records(reply));
  EXPECT_EQ(gauge("tidegate_broker_fetch_memory_bytes"), static_cast<std::int64_t>(2 * batch.bytes.size()));
}

TEST(FetchWaiterLimit, OneMore_WaitsForItsDeadlineAlone) {
  DataPlane plane({.shards = 1, .config = {{"fetch.max.waiters", "1"}}});
  const auto topic = plane.api.make_topic("t");
  auto& waiters = plane.api.shards().metrics().gauge("tidegate_broker_fetch_waiters", "");
  std::vector<std::shared_ptr<std::promise<broker::FetchReply>>> done;
  std::vector<std::future<broker::FetchReply>> replies;
  for (int i = 0; i < 2; ++i) {
    broker::FetchQuery query{.max_wait_ms = 500, .min_bytes = 1, .max_bytes = 1 << 20, .by_id = true};
    query.wants.push_back({.key = {.id = topic->topic.id, .partition = 0}, .max_bytes = 1 << 20});
    done.push_back(std::make_shared<std::promise<broker::FetchReply>>());
    replies.push_back(done.back()->get_future());
    auto fetch = [](broker::Broker& broker, broker::FetchQuery q,
                    std::shared_ptr<std::promise<broker::FetchReply>> to) -> Task<void> {
      auto reply = co_await broker.fetch().fetch(std::move(q), nullptr);
      to->set_value(std::move(reply));
    };
    auto go = [&] {
      Shard::current()->start(fetch(plane.api.broker(), std::move(query), done.back()), "test");
    };
    plane.api.shards().call(go);
  }
  plane.api.shards().settle();
  EXPECT_EQ(waiters.value(), 1);
  plane.produce(topic, 0, make_batch(1).bytes);
  plane.api.shards().settle();
  ASSERT_EQ(replies[0].wait_for(std::chrono::seconds(30)), std::future_status::ready);
  EXPECT_NE(replies[1].wait_for(std::chrono::seconds(0)), std::future_status::ready);
  plane.api.shards().advance(std::chrono::milliseconds(501));
  ASSERT_EQ(replies[1].wait_for(std::chrono::seconds(30)), std::future_status::ready);
  EXPECT_FALSE(replies[1].get().partitions.at(0).records.empty());
  replies[0].get();
  EXPECT_EQ(waiters.value(), 0);
}

// A session of requests that overlap on purpose, on two shards.
class SessionTurns : public ::testing::Test {
 protected:
  using Reply = std::future<broker::FetchReply>;
  Reply start(broker::FetchQuery query, unsigned shard) {
    auto done = std::make_shared<std::promise<broker::FetchReply>>();
    auto future = done->get_future();
    auto go = [&] { Shard::current()->start(run(std::move(query), done), "test"); };
    plane.api.shards().call(go, shard);
    plane.api.shards().settle();
    return future;
  }
  Task<void> run(broker::FetchQuery query, std::shared_ptr<std::promise<broker::FetchReply>> done) {
    auto reply = co_await plane.api.broker().fetch().fetch(std::move(query), nullptr);
    done->set_value(std::move(reply));
  }
  static bool is_ready(const Reply& reply) {
    return reply.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  std::int32_t open(std::int32_t max_bytes = 1 << 20) {
    broker::FetchQuery query{.max_bytes = max_bytes, .session_epoch = 0, .by_id = true};
    for (std::int32_t i = 0; i < 3; ++i) {
      query.wants.push_back({.key = {.id = topic->topic.id, .partition = i}, .max_bytes = 1 << 20});
    }
    return start(std::move(query), plane.api.last_shard()).get().session_id;
  }
  static broker::FetchQuery next(std::int32_t id, std::int32_t epoch, std::int32_t max_bytes = 1 << 20) {
    return {.max_wait_ms = 500,
            .min_bytes = 1,
            .max_bytes = max_bytes,
            .session_id = id,
            .session_epoch = epoch,
            .by_id = true};
  }

  DataPlane plane;
  broker::CatalogueTopicPtr topic = plane.api.make_topic("t", 3);
};

TEST_F(SessionTurns, SecondRequest_WaitsForTheFirstOnesAnswer) {
  const std::int32_t id = open();
  ASSERT_NE(id, 0);
  for (const unsigned shard : {0U, plane.api.last_shard()}) {
    const std::int32_t epoch = shard == 0 ? 1 : 3;
    auto first = start(next(id, epoch), shard);
    auto second = start(next(id, epoch + 1), shard);
    ASSERT_FALSE(is_ready(first));
    ASSERT_FALSE(is_ready(second));
    plane.api.shards().advance(std::chrono::milliseconds(501));
    plane.api.shards().settle();
    ASSERT_TRUE(is_ready(first));
    EXPECT_EQ(first.get().error, ErrorCode::none);
    EXPECT_FALSE(is_ready(second)) << "its own max_wait_ms has only begun";
    plane.api.shards().advance(std::chrono::milliseconds(501));
    plane.api.shards().settle();
    ASSERT_TRUE(is_ready(second));
    EXPECT_EQ(second.get().error, ErrorCode::none);
  }
}

TEST_F(SessionTurns, RepeatedEpochWhileTheFirstIsUnderWay_IsRefusedAfterIt) {
  const std::int32_t id = open();
  auto first = start(next(id, 1), 0);
  auto again = start(next(id, 1), 1);
  ASSERT_FALSE(is_ready(again));
  plane.api.shards().advance(std::chrono::milliseconds(501));
  plane.api.shards().settle();
  ASSERT_TRUE(is_ready(again));
  EXPECT_EQ(again.get().error, ErrorCode::invalid_fetch_session_epoch);
  EXPECT_EQ(first.get().error, ErrorCode::none);
  auto on = start(next(id, 2), 0);  // the refused one gave its turn back
  plane.api.shards().advance(std::chrono::milliseconds(501));
  plane.api.shards().settle();
  ASSERT_TRUE(is_ready(on));
}

TEST_F(SessionTurns, ClosedMeanwhile_TheNextOneFindsNoSession) {
  const std::int32_t id = open();
  auto first = start(next(id, 1), 0);
  auto second = start(next(id, 2), 0);
  auto close = next(id, -1);
  close.max_wait_ms = 0;
  start(std::move(close), 0).get();
  plane.api.shards().advance(std::chrono::milliseconds(501));
  plane.api.shards().settle();
  EXPECT_EQ(first.get().error, ErrorCode::none);
  ASSERT_TRUE(is_ready(second));
  EXPECT_EQ(second.get().error, ErrorCode::fetch_session_id_not_found);
}

// Answers with room for one batch only: each partition of the session has its turn.
TEST_F(SessionTurns, SmallAnswers_StarveNoPartition) {
  const auto batch = make_batch(5);
  const auto room = static_cast<std::int32_t>(batch.bytes.size());
  for (std::int32_t i = 0; i < 3; ++i) plane.produce(topic, i, batch.bytes);
  broker::FetchQuery query{.max_bytes = room, .session_epoch = 0, .by_id = true};
  for (std::int32_t i = 0; i < 3; ++i) {
    query.wants.push_back({.key = {.id = topic->topic.id, .partition = i}, .max_bytes = 1 << 20});
  }
  auto reply = start(query, 0).get();
  const std::int32_t id = reply.session_id;
  std::vector<int> served(3);
  for (std::int32_t epoch = 1; epoch <= 6; ++epoch) {
    for (const auto& partition : reply.partitions) {
      if (!partition.records.empty()) ++served[static_cast<std::size_t>(partition.key.partition)];
    }
    reply = start(next(id, epoch, room), 0).get();
  }
  EXPECT_EQ(served, (std::vector{2, 2, 2}));
  // Without a session the order is the client's, who rotates it (wire behaviour of Kafka).
  query.session_epoch = -1;
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(start(query, 0).get().partitions[0].records.empty());
}

}  // namespace
}  // namespace tidegate
