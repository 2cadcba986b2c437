// Topics that another node made in a store that all share: known at once to whoever asks for them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "group_plane.h"
#include "support/api_harness.h"
#include "tidegate/broker/topic_lookout.h"
#include "tidegate/protocol/messages/delete_topics.h"
#include "tidegate/protocol/messages/list_offsets.h"
#include "tidegate/protocol/messages/metadata.h"

namespace tidegate {
namespace {

using namespace std::chrono_literals;
using protocol::MetadataRequest;
using protocol::MetadataResponse;
using test::ApiHarness;
using test::HeldMetaEngine;

class Lookout : public ::testing::Test {
 protected:
  void start(bool shared, std::map<std::string, std::string> config = {}) {
    api_ = std::make_unique<ApiHarness>(
        test::ApiHarnessOptions{.config = std::move(config),
                                .wrap_engine = [shared](std::unique_ptr<storage::Engine> inner, ShardPool&) {
                                  auto held = std::make_unique<HeldMetaEngine>(std::move(inner));
                                  if (shared) held->share_topics();
                                  return held;
                                }});
  }
  // As another node would: this one's catalogue knows nothing of it.
  storage::Topic make_elsewhere(std::string name) {
    storage::Topic topic{.name = std::move(name), .partitions = 3};
    topic.id.bytes[0] = 9;
    topic.id.bytes[15] = static_cast<std::uint8_t>(++made_);
    EXPECT_TRUE(api_->run([&] { return api_->engine().topics().create({topic}); }));
    return topic;
  }
  // Runs `request` while the clock goes on.
  template <class Response, class Request>
  Response call(const Request& request) {
    constexpr std::int16_t kVersion = Request::versions.max;
    auto promise = std::make_shared<std::promise<Response>>();
    auto future = promise->get_future();
    api_->shards()
        .pool()
        .at(api_->last_shard())
        .spawn(answer_into<Response>(api_->begin(request, kVersion), kVersion, promise), "test request");
    while (future.wait_for(1ms) != std::future_status::ready) api_->shards().advance(20ms);
    return future.get();
  }
  ErrorCode metadata_of(std::string name) {
    MetadataRequest request;
    request.allow_auto_topic_creation = false;
    request.topics.emplace();
    request.topics->push_back({.topic_id = {}, .name = std::move(name)});
    const auto response = call<MetadataResponse>(request);
    return response.topics.at(0).error_code;
  }
  template <class Response>
  static Task<void> answer_into(Task<api::Reply> call, std::int16_t version,
                                std::shared_ptr<std::promise<Response>> promise) {
    const api::Reply reply = co_await std::move(call);
    auto decoded = protocol::decode_response<Response>(ApiHarness::joined(reply), version);
    EXPECT_TRUE(decoded);
    promise->set_value(decoded ? std::move(decoded->response) : Response{});
  }
  MonoTime now() const { return api_->shards().clock().now(); }

  std::unique_ptr<ApiHarness> api_;
  int made_ = 0;
};

TEST_F(Lookout, AskedFor_TopicOfAnotherNodeIsKnown) {
  start(true);
  make_elsewhere("theirs");
  const MonoTime before = now();
  EXPECT_EQ(metadata_of("theirs"), ErrorCode::none);
  EXPECT_LT(now() - before, 2s) << "did not wait for topics.refresh.interval.ms";
}

TEST_F(Lookout, AskedForById_TopicOfAnotherNodeIsKnown) {
  start(true);
  const auto topic = make_elsewhere("theirs");
  MetadataRequest request;
  request.topics.emplace();
  request.topics->push_back({.topic_id = topic.id, .name = std::nullopt});
  EXPECT_EQ(call<MetadataResponse>(request).topics.at(0).error_code, ErrorCode::none);
}

TEST_F(Lookout, OffsetsAndDeletion_FindTopicOfAnotherNode) {
  start(true);
  make_elsewhere("a");
  protocol::ListOffsetsRequest offsets;
  offsets.replica_id = -1;
  offsets.topics.push_back({.name = "a", .partitions = {{.partition_index = 2, .timestamp = -1}}});
  const auto told = call<protocol::ListOffsetsResponse>(offsets);
  EXPECT_EQ(told.topics.at(0).partitions.at(0).error_code, ErrorCode::none);

  make_elsewhere("b");
  protocol::DeleteTopicsRequest removal;
  removal.topics.push_back({.name = "b", .topic_id = {}});
  EXPECT_EQ(call<protocol::DeleteTopicsResponse>(removal).responses.at(0).error_code, ErrorCode::none);
}

TEST_F(Lookout, NobodyElseMakesTopics_AnswerComesWithoutALook) {
  start(false);
  make_elsewhere("hidden");
  MetadataRequest request;
  request.allow_auto_topic_creation = false;
  request.topics.emplace();
  request.topics->push_back({.topic_id = {}, .name = "hidden"});
  // The clock stands still: whoever waited would wait for good.
  const auto response = api_->call<MetadataResponse>(request);
  EXPECT_EQ(response.topics.at(0).error_code, ErrorCode::unknown_topic_or_partition);
}

TEST_F(Lookout, NobodyAsks_LooksAfterTheInterval) {
  start(true, {{"topics.refresh.interval.ms", "7000"}});
  make_elsewhere("theirs");
  const auto known = [this] {
    api_->shards().settle();
    return api_->shards().call([this] { return api_->broker().topics().find("theirs") != nullptr; });
  };
  api_->shards().advance(6900ms);
  EXPECT_FALSE(known());
  api_->shards().advance(200ms);
  EXPECT_TRUE(known());
}

TEST_F(Lookout, ManyAskInVain_ShareLooksThatKeepAPauseBetweenThem) {
  start(true);
  const MonoTime before = now();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(metadata_of("nowhere"), ErrorCode::unknown_topic_or_partition);
  // One behind the other: each waits for a look of its own.
  EXPECT_GE(now() - before, 500ms);
  const MonoTime together = now();
  MetadataRequest request;
  request.allow_auto_topic_creation = false;
  request.topics.emplace();
  for (int i = 0; i < 50; ++i) request.topics->push_back({.topic_id = {}, .name = fmt::format("none-{}", i)});
  EXPECT_EQ(call<MetadataResponse>(request).topics.size(), 50U);
  EXPECT_LT(now() - together, 1s) << "one look for all";
}

}  // namespace
}  // namespace tidegate
