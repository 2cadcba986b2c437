// Fetch sessions as a client sees them.
#include <gtest/gtest.h>

#include "data_plane.h"

namespace tidegate {
namespace {

using test::DataPlane;
using test::make_batch;

class FetchSession : public ::testing::Test {
 protected:
  protocol::FetchResponse open() {
    auto request = DataPlane::fetch_request(topic, {{0, 0}, {1, 0}, {2, 0}});
    request.session_epoch = 0;
    return plane.fetch(request);
  }
  protocol::FetchRequest next(std::int32_t id, std::int32_t epoch) const {
    protocol::FetchRequest request;
    request.max_bytes = 1 << 20;
    request.session_id = id;
    request.session_epoch = epoch;
    return request;
  }

  DataPlane plane;
  broker::CatalogueTopicPtr topic = plane.api.make_topic("t", 3);
};

TEST_F(FetchSession, Incremental_TellsOnlyWhatChanged) {
  const auto full = open();
  ASSERT_NE(full.session_id, 0);
  ASSERT_EQ(full.responses.size(), 1U);
  EXPECT_EQ(full.responses[0].partitions.size(), 3U);

  const auto quiet = plane.fetch(next(full.session_id, 1));
  EXPECT_EQ(quiet.error_code, ErrorCode::none);
  EXPECT_EQ(quiet.session_id, full.session_id);
  EXPECT_TRUE(quiet.responses.empty());

  plane.produce(topic, 1, make_batch(2).bytes);
  const auto news = plane.fetch(next(full.session_id, 2));
  ASSERT_EQ(news.responses.size(), 1U);
  ASSERT_EQ(news.responses[0].partitions.size(), 1U);
  EXPECT_EQ(news.responses[0].partitions[0].partition_index, 1);
  EXPECT_EQ(DataPlane::batches(news.responses[0].partitions[0]).size(), 1U);
}

TEST_F(FetchSession, WrongEpochAndUnknownId_AreTopLevelErrors) {
  const auto full = open();
  const auto epoch = plane.fetch(next(full.session_id, 5));
  EXPECT_EQ(epoch.error_code, ErrorCode::invalid_fetch_session_epoch);
  EXPECT_EQ(epoch.session_id, 0);
  EXPECT_TRUE(epoch.responses.empty());
  EXPECT_EQ(plane.fetch(next(full.session_id + 2, 1)).error_code, ErrorCode::fetch_session_id_not_found);
}

TEST_F(FetchSession, VersionWithNames_DoesNotFitASessionOfIds) {
  const auto full = open();
  EXPECT_EQ(plane.fetch(next(full.session_id, 1), 12).error_code, ErrorCode::fetch_session_topic_id_error);
}

TEST_F(FetchSession, EpochZero_ReplacesAndMinusOneCloses) {
  const auto first = open();
  auto again = DataPlane::fetch_request(topic, {{0, 0}});
  again.session_id = first.session_id;
  again.session_epoch = 0;
  const auto second = plane.fetch(again);
  EXPECT_NE(second.session_id, 0);
  plane.api.shards().settle();
  EXPECT_EQ(plane.fetch(next(first.session_id, 1)).error_code, ErrorCode::fetch_session_id_not_found);

  auto last = DataPlane::fetch_request(topic, {{0, 0}});
  last.session_id = second.session_id;
  last.session_epoch = -1;
  EXPECT_EQ(plane.fetch(last).session_id, 0);
  plane.api.shards().settle();
  EXPECT_EQ(plane.fetch(next(second.session_id, 1)).error_code, ErrorCode::fetch_session_id_not_found);
}

TEST_F(FetchSession, Forgotten_AreLeftOutAndTheLastOneCloses) {
  const auto full = open();
  for (std::int32_t partition = 0; partition < 3; ++partition)
    plane.produce(topic, partition, make_batch(1).bytes);
  auto request = next(full.session_id, 1);
  request.forgotten_topics_data.push_back({.topic = "", .topic_id = topic->topic.id, .partitions = {0, 2}});
  const auto one = plane.fetch(request);
  ASSERT_EQ(one.responses.size(), 1U);
  EXPECT_EQ(one.responses[0].partitions.size(), 1U);
  request = next(full.session_id, 2);
  request.forgotten_topics_data.push_back({.topic = "", .topic_id = topic->topic.id, .partitions = {1}});
  EXPECT_EQ(plane.fetch(request).session_id, 0);
  EXPECT_EQ(plane.fetch(next(full.session_id, 3)).error_code, ErrorCode::fetch_session_id_not_found);
}

// The session lives on the shard where it was made; a request may come in on another.
TEST_F(FetchSession, AnotherConnectionOnAnotherShard_GoesOnWithIt) {
  const auto full = open();
  plane.produce(topic, 2, make_batch(1).bytes);
  const auto reply = plane.api.run(
      [&]() -> Task<broker::FetchReply> {
        broker::FetchQuery query{
            .max_bytes = 1 << 20, .session_id = full.session_id, .session_epoch = 1, .by_id = true};
        co_return co_await plane.api.broker().fetch().fetch(std::move(query), nullptr);
      },
      0);
  EXPECT_EQ(reply.error, ErrorCode::none);
  EXPECT_EQ(reply.session_id, full.session_id);
  ASSERT_EQ(reply.partitions.size(), 1U);
  EXPECT_EQ(reply.partitions[0].key.partition, 2);
}

TEST_F(FetchSession, UnknownTopic_IsToldEachTimeUntilItIsThere) {
  auto request = DataPlane::fetch_request(topic, {{0, 0}});
  request.topics.push_back({.topic_id = Uuid{{9}}, .partitions = {{.partition = 0}}});
  request.session_epoch = 0;
  const auto full = plane.fetch(request);
  ASSERT_NE(full.session_id, 0);
  for (std::int32_t epoch = 1; epoch < 3; ++epoch) {
    const auto again = plane.fetch(next(full.session_id, epoch));
    ASSERT_EQ(again.responses.size(), 1U);
    EXPECT_EQ(again.responses[0].partitions[0].error_code, ErrorCode::unknown_topic_id);
  }
}

TEST(FetchSessionSlots, Zero_TurnsSessionsOff) {
  DataPlane plane({.config = {{"max.incremental.fetch.session.cache.slots", "0"}}});
  const auto topic = plane.api.make_topic("t");
  auto request = DataPlane::fetch_request(topic, {{0, 0}});
  request.session_epoch = 0;
  EXPECT_EQ(plane.fetch(request).session_id, 0);
}

}  // namespace
}  // namespace tidegate
