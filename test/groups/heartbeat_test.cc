#include <gtest/gtest.h>

#include "groups/group_lab.h"

namespace tidegate::groups {
namespace {

using namespace test;

TEST(GroupHeartbeat, Refusals) {
  Lab nameless({}, "");
  EXPECT_EQ(nameless.heartbeat("x"), ErrorCode::invalid_group_id);
  Lab lab;
  EXPECT_EQ(lab.heartbeat("nobody"), ErrorCode::unknown_member_id);
  const auto ids = lab.stable_group(1);
  EXPECT_EQ(lab.heartbeat("nobody"), ErrorCode::unknown_member_id);
  auto request = lab.heartbeat_request(ids[0]);
  request.generation = 0;
  EXPECT_EQ(lab.ask<HeartbeatReply>(request).error, ErrorCode::illegal_generation);
  // An id that was given out is no member yet.
  EXPECT_EQ(lab.heartbeat(lab.new_id()), ErrorCode::unknown_member_id);
}

TEST(GroupHeartbeat, KeepsTheSession) {
  Lab lab;
  const auto ids = lab.stable_group(1);
  for (int i = 0; i < 5; ++i) {
    lab.advance(milliseconds(9'999));
    EXPECT_EQ(lab.heartbeat(ids[0]), ErrorCode::none);
  }
  lab.advance(seconds(10));
  EXPECT_EQ(lab.heartbeat(ids[0]), ErrorCode::unknown_member_id);
}

TEST(GroupHeartbeat, WritesNothingAndIsAnsweredAtOnce) {
  Lab lab;
  const auto ids = lab.stable_group(1);
  const auto reply = lab.send(lab.heartbeat_request(ids[0]));
  EXPECT_FALSE(lab.last.persist);
  EXPECT_FALSE(lab.last.wake_at);
  EXPECT_EQ(lab.held[reply], 0U);
}

TEST(GroupHeartbeat, WhileCompleting_IsFine) {
  Lab lab({.initial_rebalance_delay = Duration::zero()});
  const auto id = lab.new_id();
  lab.send(Lab::join_request(id));
  EXPECT_EQ(lab.heartbeat(id), ErrorCode::none);
}

TEST(GroupHeartbeat, WhilePreparing_AsksToRejoinAndKeepsTheSession) {
  Lab lab;
  const auto ids = lab.stable_group(2);
  lab.send(Lab::join_request(ids[0]));
  for (int i = 0; i < 4; ++i) {
    lab.advance(milliseconds(9'999));
    EXPECT_EQ(lab.heartbeat(ids[1]), ErrorCode::rebalance_in_progress);
  }
}

TEST(GroupHeartbeat, CommitKeepsTheSession_Too) {
  Lab lab;
  const auto ids = lab.stable_group(1);
  for (int i = 0; i < 5; ++i) {
    lab.advance(milliseconds(9'999));
    CommitOffsets commit{.member_id = ids[0], .generation_or_epoch = 1};
    EXPECT_EQ(lab.ask<CommitReply>(commit).error, ErrorCode::none);
  }
}

}  // namespace
}  // namespace tidegate::groups
