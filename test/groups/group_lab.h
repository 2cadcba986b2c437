// A Group on a clock that tests turn, with a store of encoded entries beside it. After every event the
// store must hold exactly what the live group would write: no test can change durable state unseen.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tidegate/base/rng.h"
#include "tidegate/groups/group.h"
#include "tidegate/protocol/writer.h"

namespace tidegate::groups::test {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

using Store = std::map<std::string, std::string>;

inline Bytes bytes(std::string_view text) { return {text.begin(), text.end()}; }

inline void write_to(Store& store, const std::vector<Record>& records) {
  std::vector<StoredOp> ops;
  for (const auto& record : records) encode(record, ops);
  for (auto& op : ops) {
    if (op.value) {
      store[op.key] = *op.value;
    } else {
      store.erase(op.key);
    }
  }
}

inline Store stored_form(const Group& group) {
  Store store;
  write_to(store, group.snapshot());
  return store;
}

class SomeTopics final : public TopicView {
 public:
  void add(const std::string& name, std::int32_t partitions, std::uint8_t id) {
    TopicInfo topic{.name = name, .partitions = partitions};
    topic.id.bytes[15] = id;
    topics_[name] = topic;
  }
  void remove(const std::string& name) { topics_.erase(name); }
  const TopicInfo* find(std::string_view name) const override {
    const auto found = topics_.find(name);
    return found == topics_.end() ? nullptr : &found->second;
  }
  const TopicInfo* find(const TopicId& id) const override {
    for (const auto& [name, topic] : topics_) {
      if (topic.id == id) return &topic;
    }
    return nullptr;
  }
  void for_each(const std::function<bool(const TopicInfo&)>& visit) const override {
    for (const auto& [name, topic] : topics_) {
      if (!visit(topic)) return;
    }
  }

 private:
  std::map<std::string, TopicInfo, std::less<>> topics_;
};

class Lab {
 public:
  explicit Lab(GroupLimits some = {}, std::string id = "g")
      : limits(std::move(some)), group_id(std::move(id)) {
    group = std::make_unique<Group>(group_id, limits, topics, rng);
  }

  // The id under which the request's answer can be found.
  template <class Request>
  ReplyId send(Request request) {
    request.reply = next_reply_++;
    const auto id = request.reply;
    asked_.insert({id, false});
    tell(std::move(request));
    return id;
  }
  void tell(Event event) {
    auto effects = group->on(std::move(event), now);
    if (effects.persist) {
      EXPECT_EQ(effects.persist->sequence, group->last_persist());
      EXPECT_FALSE(effects.persist->records.empty());
      write_to(store, effects.persist->records);
    }
    for (auto& reply : effects.replies) {
      EXPECT_LE(reply.after_persist, group->last_persist());
      const auto asked = asked_.find(reply.id);
      ASSERT_TRUE(asked != asked_.end() && !asked->second) << "reply " << reply.id << " answers nothing";
      asked->second = true;
      held[reply.id] = reply.after_persist;
      answers_[reply.id] = std::move(reply.body);
    }
    if (effects.wake_at) wake_at_ = effects.wake_at;
    last = std::move(effects);
    EXPECT_EQ(stored_form(*group), store);
  }

  bool answered(ReplyId id) const { return answers_.contains(id); }
  template <class Reply>
  Reply answer(ReplyId id) {
    const auto found = answers_.find(id);
    if (found == answers_.end()) {
      ADD_FAILURE() << "request " << id << " is not answered";
      return {};
    }
    return std::get<Reply>(found->second);
  }
  template <class Reply, class Request>
  Reply ask(Request request) {
    return answer<Reply>(send(std::move(request)));
  }

  // Time passes; the group is woken when it wished to be.
  void advance(Duration by) {
    const auto until = now.mono + by;
    while (wake_at_ && *wake_at_ <= until) {
      go_to(std::max(*wake_at_, now.mono));
      wake_at_.reset();
      tell(Wake{});
    }
    go_to(until);
  }
  // As after a crash: what is parked is lost.
  void reload() {
    group = std::make_unique<Group>(group_id, limits, topics, rng);
    for (const auto& [key, value] : store) {
      const auto record = decode(key, value);
      ASSERT_TRUE(record) << record.error().message;
      const auto applied = group->apply(*record);
      ASSERT_TRUE(applied) << applied.error().message;
    }
    EXPECT_EQ(stored_form(*group), store);
    const auto fits = group->check_stored();
    ASSERT_TRUE(fits) << fits.error().message;
    wake_at_.reset();
    tell(Loaded{});
  }

  // ---- members

  static Join join_request(std::string member_id = {}) {
    Join request;
    request.client = {"client", "/127.0.0.1"};
    request.member_id = std::move(member_id);
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = 60'000;
    request.protocol_type = "consumer";
    request.protocols = {{"range", bytes("metadata")}};
    request.member_id_required = true;
    return request;
  }
  static Join static_request(std::string instance, std::string member_id = {}) {
    auto request = join_request(std::move(member_id));
    request.instance_id = std::move(instance);
    return request;
  }
  std::string new_id() { return ask<JoinReply>(join_request()).member_id; }
  Sync sync_request(const std::string& member, std::vector<SyncAssignment> parts = {}) const {
    Sync request;
    request.member_id = member;
    request.generation = generation();
    request.assignments = std::move(parts);
    return request;
  }
  Heartbeat heartbeat_request(const std::string& member) const {
    return {.member_id = member, .generation = generation()};
  }
  ErrorCode heartbeat(const std::string& member) {
    return ask<HeartbeatReply>(heartbeat_request(member)).error;
  }
  std::int32_t generation() const {
    for (const auto& record : group->snapshot()) {
      if (const auto* head = std::get_if<PutClassicHead>(&record)) return head->head.generation;
    }
    return -1;
  }
  std::string leader() const {
    for (const auto& record : group->snapshot()) {
      if (const auto* head = std::get_if<PutClassicHead>(&record)) return head->head.leader.value_or("");
    }
    return {};
  }

  // `count` dynamic members in Stable; the leader first. Assignments are "part <member id>".
  std::vector<std::string> stable_group(int count) {
    std::vector<std::string> ids;
    for (int i = 0; i < count; ++i) ids.push_back(new_id());
    for (const auto& id : ids) send(join_request(id));
    advance(limits.initial_rebalance_delay * 2);
    return sync_all(ids);
  }
  std::vector<std::string> sync_all(std::vector<std::string> ids) {
    std::ranges::sort(ids, {}, [&](const auto& id) { return id != leader(); });
    std::vector<SyncAssignment> parts;
    for (const auto& id : ids) parts.push_back({id, bytes("part " + id)});
    std::vector<ReplyId> replies;
    for (const auto& id : ids)
      replies.push_back(send(sync_request(id, id == leader() ? parts : decltype(parts){})));
    for (std::size_t i = 0; i < ids.size(); ++i) {
      EXPECT_EQ(answer<SyncReply>(replies[i]).error, ErrorCode::none);
      EXPECT_EQ(answer<SyncReply>(replies[i]).assignment, bytes("part " + ids[i]));
    }
    EXPECT_EQ(group->state(), GroupState::stable);
    for (const auto& id : ids) heartbeat(id);
    return ids;
  }

  GroupLimits limits;
  SomeTopics topics;
  SeededRng rng{7};
  std::string group_id;
  std::unique_ptr<Group> group;
  Store store;
  Now now{.mono = {std::chrono::hours(1)}, .wall_ms = 1'700'000'000'000};
  Effects last;
  std::map<ReplyId, std::uint64_t> held;  // which persist each answer waits for

 private:
  void go_to(MonoTime time) {
    now.wall_ms += std::chrono::duration_cast<milliseconds>(time - now.mono).count();
    now.mono = time;
  }

  ReplyId next_reply_ = 1;
  std::map<ReplyId, bool> asked_;
  std::map<ReplyId, ReplyBody> answers_;
  std::optional<MonoTime> wake_at_;
};

// ConsumerProtocolSubscription version 0.
inline Bytes subscription(const std::vector<std::string>& topics) {
  Bytes out;
  const auto put = [&](std::size_t value, int width) {
    for (int shift = 8 * (width - 1); shift >= 0; shift -= 8)
      out.push_back(static_cast<std::uint8_t>(value >> shift));
  };
  put(0, 2);
  put(topics.size(), 4);
  for (const auto& topic : topics) {
    put(topic.size(), 2);
    out.insert(out.end(), topic.begin(), topic.end());
  }
  put(0xffff'ffff, 4);
  return out;
}

}  // namespace tidegate::groups::test
