// Building blocks of the group tests: requests of the latest versions over ApiHarness, members that wait
// for each other, an engine whose metadata writes can be held.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/api_harness.h"
#include "tidegate/broker/group_coordinator.h"
#include "tidegate/protocol/messages/heartbeat.h"
#include "tidegate/protocol/messages/join_group.h"
#include "tidegate/protocol/messages/leave_group.h"
#include "tidegate/protocol/messages/offset_commit.h"
#include "tidegate/protocol/messages/offset_fetch.h"
#include "tidegate/protocol/messages/sync_group.h"
#include "tidegate/runtime/event.h"

namespace tidegate::test {

inline std::vector<std::uint8_t> bytes_of(std::string_view text) { return {text.begin(), text.end()}; }
inline std::string text_of(const std::vector<std::uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

// A request that is under way. Answered or not, the harness ends it.
template <class Response>
class Sent {
 public:
  explicit Sent(std::future<Response> future) : future_(std::move(future)) {}
  bool is_answered() { return future_.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  Response get() {
    if (future_.wait_for(kHangLimit) != std::future_status::ready) detail::hung();
    return future_.get();
  }

 private:
  std::future<Response> future_;
};

class GroupPlane {
 public:
  using Settings = std::map<std::string, std::string>;
  static ApiHarnessOptions with(Settings config) {
    ApiHarnessOptions options;
    options.config = std::move(config);
    options.config.try_emplace("group.initial.rebalance.delay.ms", "0");
    return options;
  }
  explicit GroupPlane(Settings config = {}) : api(with(std::move(config))) {}
  explicit GroupPlane(ApiHarnessOptions options) : api(std::move(options)) {}

  static protocol::JoinGroupRequest join_request(const std::string& group, const std::string& member = "") {
    protocol::JoinGroupRequest request;
    request.group_id = group;
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = 60'000;
    request.member_id = member;
    request.protocol_type = "consumer";
    request.protocols.push_back({"range", bytes_of("meta")});
    return request;
  }

  template <class Response, class Request>
  Sent<Response> send(const Request& request, std::int16_t version = Request::versions.max) {
    auto promise = std::make_shared<std::promise<Response>>();
    auto future = promise->get_future();
    auto& shard = api.shards().shard(api.last_shard());
    shard.spawn(answer_into<Response>(api.begin(request, version), version, std::move(promise)), "test");
    return Sent<Response>(std::move(future));
  }
  Sent<protocol::JoinGroupResponse> start_join(const protocol::JoinGroupRequest& request,
                                               std::int16_t version = 9) {
    return send<protocol::JoinGroupResponse>(request, version);
  }
  protocol::JoinGroupResponse join(const protocol::JoinGroupRequest& request, std::int16_t version = 9) {
    return api.call<protocol::JoinGroupResponse>(request, version);
  }
  // A member id for a new member, as clients get it.
  std::string new_member(const std::string& group) {
    const auto told = join(join_request(group));
    EXPECT_EQ(told.error_code, ErrorCode::member_id_required);
    EXPECT_FALSE(told.member_id.empty());
    return told.member_id;
  }

  static protocol::SyncGroupRequest sync_request(const std::string& group,
                                                 const protocol::JoinGroupResponse& joined) {
    protocol::SyncGroupRequest request;
    request.group_id = group;
    request.generation_id = joined.generation_id;
    request.member_id = joined.member_id;
    request.protocol_type = "consumer";
    request.protocol_name = "range";
    for (const auto& member : joined.members) {
      request.assignments.push_back({member.member_id, bytes_of("for " + member.member_id)});
    }
    return request;
  }
  protocol::SyncGroupResponse sync(const protocol::SyncGroupRequest& request, std::int16_t version = 5) {
    return api.call<protocol::SyncGroupResponse>(request, version);
  }
  // One member alone in a stable group.
  protocol::JoinGroupResponse settle_one(const std::string& group) {
    auto joined = join(join_request(group, new_member(group)));
    EXPECT_EQ(joined.error_code, ErrorCode::none);
    EXPECT_EQ(sync(sync_request(group, joined)).error_code, ErrorCode::none);
    return joined;
  }

  ErrorCode heartbeat(const std::string& group, const std::string& member, std::int32_t generation,
                      std::int16_t version = 4) {
    protocol::HeartbeatRequest request;
    request.group_id = group;
    request.member_id = member;
    request.generation_id = generation;
    return api.call<protocol::HeartbeatResponse>(request, version).error_code;
  }
  protocol::LeaveGroupResponse leave(const std::string& group, const std::string& member,
                                     std::int16_t version = 5) {
    protocol::LeaveGroupRequest request;
    request.group_id = group;
    if (version < 3) {
      request.member_id = member;
    } else {
      request.members.push_back({.member_id = member});
    }
    return api.call<protocol::LeaveGroupResponse>(request, version);
  }

  static protocol::OffsetCommitRequest commit_request(const std::string& group,
                                                      const broker::CatalogueTopicPtr& topic,
                                                      std::int32_t partition, Offset offset) {
    protocol::OffsetCommitRequest request;
    request.group_id = group;
    auto& wanted = request.topics.emplace_back();
    wanted.name = topic->topic.name;
    wanted.topic_id = topic->topic.id;
    wanted.partitions.push_back(
        {.partition_index = partition, .committed_offset = offset, .committed_metadata = "m"});
    return request;
  }
  static ErrorCode error_of(const protocol::OffsetCommitResponse& response) {
    EXPECT_EQ(response.topics.size(), 1U);
    EXPECT_EQ(response.topics.at(0).partitions.size(), 1U);
    return response.topics.at(0).partitions.at(0).error_code;
  }
  ErrorCode commit(const protocol::OffsetCommitRequest& request, std::int16_t version = 10) {
    return error_of(api.call<protocol::OffsetCommitResponse>(request, version));
  }
  ErrorCode commit(const std::string& group, const broker::CatalogueTopicPtr& topic, std::int32_t partition,
                   Offset offset) {
    return commit(commit_request(group, topic, partition, offset));
  }

  using FetchedGroup = protocol::OffsetFetchResponse::OffsetFetchResponseGroup;
  using FetchedOffset = protocol::OffsetFetchResponse::OffsetFetchResponsePartitions;
  static protocol::OffsetFetchRequest fetch_request(const std::string& group,
                                                    const broker::CatalogueTopicPtr& topic,
                                                    std::int32_t partition) {
    protocol::OffsetFetchRequest request;
    auto& wanted = request.groups.emplace_back();
    wanted.group_id = group;
    wanted.topics->push_back({topic->topic.name, topic->topic.id, {partition}});
    return request;
  }
  static FetchedOffset offset_of(const protocol::OffsetFetchResponse& response) {
    EXPECT_EQ(response.groups.at(0).error_code, ErrorCode::none);
    return response.groups.at(0).topics.at(0).partitions.at(0);
  }
  FetchedOffset fetch_offset(const std::string& group, const broker::CatalogueTopicPtr& topic,
                             std::int32_t partition) {
    return offset_of(api.call<protocol::OffsetFetchResponse>(fetch_request(group, topic, partition)));
  }

  ErrorCode fetch_offset_error(const std::string& group, const broker::CatalogueTopicPtr& topic,
                               std::int32_t partition) {
    const auto response = api.call<protocol::OffsetFetchResponse>(fetch_request(group, topic, partition));
    return response.groups.at(0).error_code;
  }

  double metric(const std::string& name, const std::string& state = "") {
    for (const auto& family : api.shards().metrics().collect()) {
      if (family.name != name) continue;
      for (const auto& sample : family.samples) {
        if (state.empty() || (!sample.labels.empty() && sample.labels.front().second == state))
          return sample.value;
      }
    }
    ADD_FAILURE() << "no metric " << name;
    return -1;
  }

  ApiHarness api;

 private:
  template <class Response>
  static Task<void> answer_into(Task<api::Reply> call, std::int16_t version,
                                std::shared_ptr<std::promise<Response>> promise) {
    const api::Reply reply = co_await std::move(call);
    EXPECT_TRUE(reply.send);
    auto decoded = protocol::decode_response<Response>(ApiHarness::joined(reply), version);
    EXPECT_TRUE(decoded) << (decoded ? "" : decoded.error().message);
    promise->set_value(decoded ? std::move(decoded->response) : Response{});
  }
};

// An engine whose metadata writes can be held back until they are let go, one gate for all.
class HeldMetaEngine final : public storage::Engine {
 public:
  explicit HeldMetaEngine(std::unique_ptr<storage::Engine> inner) : inner_(std::move(inner)), meta_(*this) {}

  void hold() { held_ = true; }
  // On every shard: what waits goes on.
  void let_go(ShardHarness& shards) {
    held_ = false;
    for (unsigned i = 0; i < shards.pool().size(); ++i) shards.call([this] { gate().notify_all(); }, i);
    shards.settle();
  }
  // As where other nodes make topics, too.
  void share_topics() { shares_topics_ = true; }
  // Fails the next writes instead of carrying them out.
  void fail_next(int writes) { failing_ = writes; }
  int writes() const { return writes_; }
  // From now on nothing of this scope can be read, until it is erased.
  void damage(std::string scope) { damaged_ = std::move(scope); }
  // Its entries are not given out for now, for a reason that may pass.
  void refuse_reads_of(std::set<std::string> scopes) { refused_ = std::move(scopes); }

  std::string_view name() const override { return inner_->name(); }
  Task<Result<void>> start() override { return inner_->start(); }
  Task<void> stop() override { return inner_->stop(); }
  storage::Health health() const override { return inner_->health(); }
  storage::Capabilities capabilities() const override {
    auto can = inner_->capabilities();
    can.shares_topics = can.shares_topics || shares_topics_;
    return can;
  }
  std::string cluster_id() const override { return inner_->cluster_id(); }
  storage::TopicStore& topics() override { return inner_->topics(); }
  storage::MetaStore& meta() override { return meta_; }
  Task<Result<std::shared_ptr<storage::PartitionLog>>> partition(PartitionId id,
                                                                 storage::LogConfig config) override {
    return inner_->partition(id, config);
  }
  LeaderEpoch leader_epoch(const PartitionId& id) const override { return inner_->leader_epoch(id); }
  void apply_config(PartitionId id, storage::LogConfig config) override { inner_->apply_config(id, config); }
  Task<void> housekeeping() override { return inner_->housekeeping(); }

 private:
  class Meta final : public storage::MetaStore {
   public:
    explicit Meta(HeldMetaEngine& engine) : engine_(engine) {}
    Task<Result<std::optional<std::string>>> get(std::string scope, std::string key) override {
      return engine_.inner_->meta().get(std::move(scope), std::move(key));
    }
    Task<Result<void>> put_batch(std::string scope, std::int32_t epoch, std::vector<storage::MetaOp> ops,
                                 storage::MetaDurability durability) override {
      ++engine_.writes_;
      while (engine_.held_) co_await engine_.gate().wait();
      if (scope == engine_.damaged_) co_return fail(ErrorCode::corrupt_message, "injected damage");
      if (engine_.failing_ > 0) {
        --engine_.failing_;
        co_return fail(ErrorCode::kafka_storage_error, "injected");
      }
      co_return co_await engine_.inner_->meta().put_batch(std::move(scope), epoch, std::move(ops),
                                                          durability);
    }
    Task<Result<std::vector<storage::MetaEntry>>> scan(std::string scope, std::string prefix,
                                                       std::string after, std::size_t limit) override {
      while (engine_.held_) co_await engine_.gate().wait();
      if (scope == engine_.damaged_) co_return fail(ErrorCode::corrupt_message, "injected damage");
      if (engine_.refused_.contains(scope)) co_return fail(ErrorCode::kafka_storage_error, "injected");
      co_return co_await engine_.inner_->meta().scan(std::move(scope), std::move(prefix), std::move(after),
                                                     limit);
    }
    Task<Result<std::vector<std::string>>> scopes(std::string prefix, std::string after,
                                                  std::size_t limit) override {
      return engine_.inner_->meta().scopes(std::move(prefix), std::move(after), limit);
    }
    Task<Result<void>> erase_damaged(std::string scope) override {
      if (scope != engine_.damaged_) co_return fail(ErrorCode::invalid_request, "not damaged");
      auto entries = co_await engine_.inner_->meta().scan(scope, {}, {}, 1000);
      if (!entries) co_return fail(std::move(entries.error()));
      std::vector<storage::MetaOp> ops;
      for (auto& entry : *entries) ops.push_back({storage::MetaOp::Kind::erase, std::move(entry.key), {}});
      engine_.damaged_.clear();
      co_return co_await engine_.inner_->meta().put_batch(scope, 0, std::move(ops),
                                                          storage::MetaDurability::synced);
    }

   private:
    HeldMetaEngine& engine_;
  };

  Event& gate() { return gates_[Shard::current()->index()]; }

  std::unique_ptr<storage::Engine> inner_;
  Meta meta_;
  std::array<Event, 4> gates_;
  std::atomic<bool> shares_topics_{false};
  std::atomic<bool> held_{false};
  std::atomic<int> failing_{0};
  std::atomic<int> writes_{0};
  std::string damaged_;  // changed while nobody calls
  std::set<std::string> refused_;
};

}  // namespace tidegate::test
