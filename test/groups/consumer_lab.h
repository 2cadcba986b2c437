// Lab with members of the new protocol: what a client of KIP-848 knows and says, by name of the member.
#pragma once

#include "group_lab.h"
#include "tidegate/groups/consumer_protocol.h"

namespace tidegate::groups::test {

inline TopicId id_of(std::uint8_t number) {
  TopicId id;
  id.bytes[15] = number;
  return id;
}

class ConsumerLab : public Lab {
 public:
  explicit ConsumerLab(GroupLimits some = {}) : Lab(std::move(some)) {
    topics.add("t", 6, 1);
    topics.add("u", 2, 2);
  }

  static ConsumerHeartbeat beat(std::string member, std::int32_t epoch) {
    ConsumerHeartbeat request;
    request.client = {"client", "/127.0.0.1"};
    request.member_id = std::move(member);
    request.member_epoch = epoch;
    request.client_makes_id = true;
    return request;
  }
  static ConsumerHeartbeat joining(std::string member, std::vector<std::string> subscribed = {"t"}) {
    auto request = beat(std::move(member), 0);
    request.rebalance_timeout_ms = 60'000;
    request.subscribed_topics = std::move(subscribed);
    request.owned_partitions.emplace();
    return request;
  }
  static ConsumerHeartbeat joining_static(std::string member, std::string instance) {
    auto request = joining(std::move(member));
    request.instance_id = std::move(instance);
    return request;
  }

  ConsumerHeartbeatReply say(ConsumerHeartbeat request) {
    return ask<ConsumerHeartbeatReply>(std::move(request));
  }
  // What the member knows of itself after a good answer.
  struct Known {
    std::int32_t epoch = 0;
    std::vector<TopicPartitions> owned;
  };
  ConsumerHeartbeatReply join(const std::string& member, std::vector<std::string> subscribed = {"t"}) {
    return learn(say(joining(member, std::move(subscribed))));
  }
  // One heartbeat of a well-behaved client: it reports what it owns and does what it is told at once.
  ConsumerHeartbeatReply step(const std::string& member) {
    auto request = beat(member, known[member].epoch);
    request.owned_partitions = known[member].owned;
    return learn(say(std::move(request)));
  }
  ConsumerHeartbeatReply learn(ConsumerHeartbeatReply reply) {
    EXPECT_EQ(reply.error, ErrorCode::none) << reply.error_message;
    if (reply.error != ErrorCode::none) return reply;
    auto& mine = known[*reply.member_id];
    EXPECT_GE(reply.member_epoch, mine.epoch) << *reply.member_id;
    mine.epoch = reply.member_epoch;
    if (reply.assignment) mine.owned = *reply.assignment;
    return reply;
  }
  // Until nobody has anything to do.
  void settle(const std::vector<std::string>& members) {
    for (int round = 0; round < 6; ++round) {
      for (const auto& member : members) step(member);
    }
    EXPECT_EQ(group->state(), GroupState::stable);
  }
  static std::size_t size(const std::vector<TopicPartitions>& partitions) {
    std::size_t count = 0;
    for (const auto& topic : partitions) count += topic.partitions.size();
    return count;
  }
  std::size_t owned(const std::string& member) { return size(known[member].owned); }

  ConsumerDescription describe() const { return group->describe_consumer().value_or(ConsumerDescription{}); }
  ConsumerDescription::Member describe(const std::string& member) const {
    for (auto& row : describe().members) {
      if (row.member_id == member) return row;
    }
    ADD_FAILURE() << member << " is not in the group";
    return {};
  }

  std::map<std::string, Known> known;
};

}  // namespace tidegate::groups::test
