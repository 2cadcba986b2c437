#include <gtest/gtest.h>

#include <algorithm>
#include <future>

#include "data_plane.h"

namespace tidegate {
namespace {

using test::DataPlane;
using test::make_batch;

class Fetch : public ::testing::Test {
 protected:
  // Starts a fetch and leaves it waiting; the clock stands still.
  std::future<broker::FetchReply> start(broker::FetchQuery query,
                                        std::shared_ptr<broker::FetchCancel> cancel = {}) {
    auto done = std::make_shared<std::promise<broker::FetchReply>>();
    auto future = done->get_future();
    const unsigned shard = plane.api.last_shard();
    auto& broker = plane.api.broker();
    plane.api.shards().call(
        [&] { Shard::current()->start(run(broker, std::move(query), std::move(cancel), done), "test"); },
        shard);
    plane.api.shards().settle();
    return future;
  }
  static Task<void> run(broker::Broker& broker, broker::FetchQuery query,
                        std::shared_ptr<broker::FetchCancel> cancel,
                        std::shared_ptr<std::promise<broker::FetchReply>> done) {
    done->set_value(co_await broker.fetch().fetch(std::move(query), std::move(cancel)));
  }
  static bool is_ready(const std::future<broker::FetchReply>& future) {
    return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  static broker::FetchReply take(std::future<broker::FetchReply>& future) {
    EXPECT_EQ(future.wait_for(std::chrono::seconds(30)), std::future_status::ready);
    return future.get();
  }
  static broker::FetchQuery query(const broker::CatalogueTopicPtr& topic, std::int32_t partitions,
                                  std::int32_t min_bytes = 1) {
    broker::FetchQuery query{.max_wait_ms = 500, .min_bytes = min_bytes, .max_bytes = 1 << 20, .by_id = true};
    for (std::int32_t i = 0; i < partitions; ++i) {
      query.wants.push_back({.key = {.id = topic->topic.id, .partition = i}, .max_bytes = 1 << 20});
    }
    return query;
  }

  DataPlane plane;
};

TEST_F(Fetch, EveryVersion_ReadsByNameOrId) {
  const auto topic = plane.api.make_topic("t");
  plane.produce(topic, 0, make_batch(2).bytes);
  for (std::int16_t version = 4; version <= 18; ++version) {
    const auto fetched = plane.fetch_one(topic, 0, 0, version);
    EXPECT_EQ(fetched.error_code, ErrorCode::none) << version;
    EXPECT_EQ(fetched.high_watermark, 2);
    EXPECT_EQ(fetched.log_start_offset, version >= 5 ? 0 : -1);
    EXPECT_FALSE(fetched.aborted_transactions.has_value());
    EXPECT_EQ(DataPlane::batches(fetched).size(), 1U) << version;
  }
}

TEST_F(Fetch, ReadCommitted_GetsAnEmptyListOfAborted) {
  const auto topic = plane.api.make_topic("t");
  plane.produce(topic, 0, make_batch(2).bytes);
  auto request = DataPlane::fetch_request(topic, {{0, 0}});
  request.isolation_level = 1;
  const auto fetched = plane.fetch(request).responses.at(0).partitions.at(0);
  ASSERT_TRUE(fetched.aborted_transactions.has_value());
  EXPECT_TRUE(fetched.aborted_transactions->empty());
}

TEST_F(Fetch, Unknown_IsToldPerPartition) {
  const auto topic = plane.api.make_topic("t");
  auto request = DataPlane::fetch_request(topic, {{0, 0}, {1, 0}});
  request.topics.push_back({.topic = "nowhere", .topic_id = Uuid{{9}}, .partitions = {{.partition = 0}}});
  const auto by_id = plane.fetch(request);
  EXPECT_EQ(by_id.responses[0].partitions[0].error_code, ErrorCode::none);
  EXPECT_EQ(by_id.responses[0].partitions[1].error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(by_id.responses[1].partitions[0].error_code, ErrorCode::unknown_topic_id);
  EXPECT_EQ(by_id.responses[1].partitions[0].high_watermark, -1);
  EXPECT_TRUE(by_id.responses[1].partitions[0].records.has_value());
  EXPECT_EQ(plane.fetch(request, 12).responses[1].partitions[0].error_code,
            ErrorCode::unknown_topic_or_partition);
}

TEST_F(Fetch, Offsets_OutsideTheLogAreOutOfRange) {
  const auto topic = plane.api.make_topic("t");
  plane.produce(topic, 0, make_batch(3).bytes);
  EXPECT_EQ(plane.fetch_one(topic, 0, 4).error_code, ErrorCode::offset_out_of_range);
  EXPECT_EQ(plane.fetch_one(topic, 0, -1).error_code, ErrorCode::offset_out_of_range);
  const auto at_end = plane.fetch_one(topic, 0, 3);
  EXPECT_EQ(at_end.error_code, ErrorCode::none);
  EXPECT_TRUE(at_end.records->empty());
}

TEST_F(Fetch, LeaderEpochs_AreFencedAndHinted) {
  const auto topic = plane.api.make_topic("t");
  plane.produce(topic, 0, make_batch(3).bytes);
  auto request = DataPlane::fetch_request(topic, {{0, 0}});
  request.topics[0].partitions[0].current_leader_epoch = 0;
  EXPECT_EQ(plane.fetch(request).responses[0].partitions[0].error_code, ErrorCode::none);
  request.topics[0].partitions[0].current_leader_epoch = 7;
  EXPECT_EQ(plane.fetch(request).responses[0].partitions[0].error_code, ErrorCode::unknown_leader_epoch);
}

TEST_F(Fetch, LastFetchedEpoch_BeyondTheLogIsOutOfRangeAndBelowDiverges) {
  const auto topic = plane.api.make_topic("t");
  plane.produce(topic, 0, make_batch(3).bytes);
  auto request = DataPlane::fetch_request(topic, {{0, 3}});
  auto& wanted = request.topics[0].partitions[0];
  wanted.last_fetched_epoch = 0;
  EXPECT_EQ(plane.fetch(request).responses[0].partitions[0].diverging_epoch.epoch, -1);
  wanted.last_fetched_epoch = 5;
  EXPECT_EQ(plane.fetch(request).responses[0].partitions[0].error_code, ErrorCode::offset_out_of_range);
  // A client that has read past what this log holds in its epoch.
  wanted.last_fetched_epoch = 0;
  wanted.fetch_offset = 10;
  const auto diverging = plane.fetch(request).responses[0].partitions[0];
  EXPECT_EQ(diverging.error_code, ErrorCode::none);
  EXPECT_EQ(diverging.diverging_epoch.epoch, 0);
  EXPECT_EQ(diverging.diverging_epoch.end_offset, 3);
  EXPECT_TRUE(diverging.records->empty());
}

TEST_F(Fetch, Limits_AreKeptButTheFirstBatchIsWhole) {
  const auto topic = plane.api.make_topic("t", 2);
  const auto batch = make_batch(10);
  for (std::int32_t partition = 0; partition < 2; ++partition) {
    for (int i = 0; i < 4; ++i) plane.produce(topic, partition, batch.bytes);
  }
  auto request = DataPlane::fetch_request(topic, {{0, 0}, {1, 0}});
  request.max_bytes = 1;
  auto small = plane.fetch(request);
  EXPECT_EQ(DataPlane::batches(small.responses[0].partitions[0]).size(), 1U);
  EXPECT_TRUE(small.responses[0].partitions[1].records->empty());

  const auto size = static_cast<std::int32_t>(batch.bytes.size());
  request.max_bytes = 50 << 20;
  for (auto& partition : request.topics[0].partitions) partition.partition_max_bytes = 2 * size + 1;
  auto two_each = plane.fetch(request);
  EXPECT_EQ(DataPlane::batches(two_each.responses[0].partitions[0]).size(), 2U);
  EXPECT_EQ(DataPlane::batches(two_each.responses[0].partitions[1]).size(), 2U);

  request.max_bytes = 3 * size;
  auto shared = plane.fetch(request);
  EXPECT_EQ(DataPlane::batches(shared.responses[0].partitions[0]).size(), 2U);
  EXPECT_LE(DataPlane::batches(shared.responses[0].partitions[1]).size(), 1U);
}

TEST_F(Fetch, OldClients_GetNoZstd) {
  const auto topic = plane.api.make_topic("t");
  plane.produce(topic, 0, make_batch(2, {.compression = protocol::Compression::zstd}).bytes);
  EXPECT_EQ(plane.fetch_one(topic, 0, 0, 9).error_code, ErrorCode::unsupported_compression_type);
  EXPECT_EQ(plane.fetch_one(topic, 0, 0, 10).error_code, ErrorCode::none);
  const auto zstd_topic = plane.api.make_topic("z", 1, {{"compression.type", "zstd"}});
  EXPECT_EQ(plane.fetch_one(zstd_topic, 0, 0, 9).error_code, ErrorCode::unsupported_compression_type);
}

TEST_F(Fetch, Followers_AreNotServed) {
  const auto topic = plane.api.make_topic("t");
  auto request = DataPlane::fetch_request(topic, {{0, 0}});
  request.replica_state.replica_id = 3;
  EXPECT_EQ(plane.fetch(request).responses[0].partitions[0].error_code, ErrorCode::not_leader_or_follower);
  request.replica_state.replica_id = -1;
  request.replica_id = 3;
  EXPECT_EQ(plane.fetch(request, 12).responses[0].partitions[0].error_code,
            ErrorCode::not_leader_or_follower);
}

TEST_F(Fetch, LongPoll_EndsWithTheFirstRecordOfAnyPartition) {
  const auto topic = plane.api.make_topic("t", 6);
  for (std::int32_t partition = 0; partition < 6; ++partition) {
    // Each round from where all partitions stand.
    auto wants = query(topic, 6);
    for (auto& want : wants.wants) want.fetch_offset = want.key.partition < partition ? 2 : 0;
    auto waiting = start(wants);
    ASSERT_FALSE(is_ready(waiting));
    plane.produce(topic, partition, make_batch(2).bytes);
    const auto reply = take(waiting);
    ASSERT_EQ(reply.partitions.size(), 6U);
    for (std::int32_t i = 0; i < 6; ++i) {
      EXPECT_EQ(reply.partitions[static_cast<std::size_t>(i)].records.empty(), i != partition);
    }
    EXPECT_NE(reply.charge, nullptr);
  }
  EXPECT_EQ(plane.api.shards().metrics().gauge("tidegate_broker_fetch_waiters", "").value(), 0);
}

TEST_F(Fetch, LongPoll_OnOneShardWaitsForMinBytes) {
  const auto topic = plane.api.make_topic("t");
  const auto batch = make_batch(5);
  auto waiting = start(query(topic, 1, static_cast<std::int32_t>(batch.bytes.size() + 1)));
  plane.produce(topic, 0, batch.bytes);
  plane.api.shards().settle();
  EXPECT_FALSE(is_ready(waiting));
  plane.produce(topic, 0, batch.bytes);
  EXPECT_EQ(take(waiting).partitions[0].high_watermark, 10);
}

TEST_F(Fetch, LongPoll_OverShardsWaitsForTheSum) {
  const auto topic = plane.api.make_topic("t", 6);
  const auto batch = make_batch(5);
  auto waiting = start(query(topic, 6, static_cast<std::int32_t>(3 * batch.bytes.size())));
  plane.produce(topic, 0, batch.bytes);
  plane.produce(topic, 3, batch.bytes);
  plane.api.shards().settle();
  EXPECT_FALSE(is_ready(waiting));
  plane.produce(topic, 4, batch.bytes);
  const auto reply = take(waiting);
  for (const std::size_t i : {0U, 3U, 4U}) EXPECT_FALSE(reply.partitions[i].records.empty()) << i;
}

TEST_F(Fetch, LongPoll_EndsAtMaxWaitWithWhatThereIs) {
  const auto topic = plane.api.make_topic("t", 4);
  for (const std::int32_t partitions : {1, 4}) {
    auto waiting = start(query(topic, partitions, 1 << 20));
    plane.produce(topic, 0, make_batch(2).bytes);
    plane.api.shards().settle();
    ASSERT_FALSE(is_ready(waiting));
    plane.api.shards().advance(std::chrono::milliseconds(501));
    EXPECT_FALSE(take(waiting).partitions[0].records.empty());
  }
}

TEST_F(Fetch, LongPoll_IsCappedByTheServer) {
  auto wants = query(plane.api.make_topic("t"), 1);
  wants.max_wait_ms = 2'000'000'000;
  auto waiting = start(wants);
  ASSERT_FALSE(is_ready(waiting));
  plane.api.shards().advance(std::chrono::milliseconds(60'001));
  EXPECT_TRUE(take(waiting).partitions[0].records.empty());
}

TEST_F(Fetch, LongPoll_EndsWhenTheTopicGoes) {
  const auto topic = plane.api.make_topic("t", 3);
  auto waiting = start(query(topic, 3));
  ASSERT_FALSE(is_ready(waiting));
  ASSERT_TRUE(plane.api.run([&] { return plane.api.broker().topics().remove({topic->topic.id}); }).at(0));
  // The first shard to hear of it ends the wait; partitions of the others may still look well to this answer.
  const auto partitions = take(waiting).partitions;
  EXPECT_TRUE(std::ranges::any_of(
      partitions, [](const auto& one) { return one.error == ErrorCode::unknown_topic_or_partition; }));
  auto again = start(query(topic, 3));
  const auto next = take(again).partitions;
  EXPECT_TRUE(
      std::ranges::all_of(next, [](const auto& one) { return one.error == ErrorCode::unknown_topic_id; }));
}

TEST_F(Fetch, LongPoll_EndsWhenTheClientIsGone) {
  const auto topic = plane.api.make_topic("t", 3);
  auto cancel = std::make_shared<broker::FetchCancel>();
  auto waiting = start(query(topic, 3), cancel);
  ASSERT_FALSE(is_ready(waiting));
  plane.api.shards().call([&] { cancel->cancel(); }, plane.api.last_shard());
  take(waiting);
  plane.api.shards().settle();
  EXPECT_EQ(plane.api.shards().metrics().gauge("tidegate_broker_fetch_waiters", "").value(), 0);
}

TEST_F(Fetch, Error_AnswersAtOnce) {
  const auto topic = plane.api.make_topic("t", 2);
  auto wants = query(topic, 3);
  auto waiting = start(wants);
  EXPECT_TRUE(is_ready(waiting));
  EXPECT_EQ(take(waiting).partitions[2].error, ErrorCode::unknown_topic_or_partition);
}

TEST_F(Fetch, BrokerStop_WakesTheWaiting) {
  const auto topic = plane.api.make_topic("t", 3);
  auto waiting = start(query(topic, 3));
  ASSERT_FALSE(is_ready(waiting));
  plane.api.run([&] { return plane.api.broker().fetch().stop(); });
  take(waiting);
  auto later = start(query(topic, 3));
  take(later);
}

}  // namespace
}  // namespace tidegate
