#include "groups/rebalance_watch.h"

#include <gtest/gtest.h>

namespace tidegate::broker {
namespace {

using namespace std::chrono_literals;

constexpr MonoTime at(Duration since_start) { return MonoTime{} + since_start; }

TEST(RebalanceWatch, LastMembersAnswer_EndsIt) {
  RebalanceWatch watch;
  watch.begin(at(1s));
  EXPECT_EQ(watch.synced("a", 1, 2, at(2s)), std::nullopt);
  EXPECT_EQ(watch.synced("a", 1, 2, at(3s)), std::nullopt) << "asked twice is still one member";
  EXPECT_EQ(watch.synced("b", 1, 2, at(4s)), Duration(3s));
  EXPECT_EQ(watch.synced("b", 1, 2, at(5s)), std::nullopt) << "nothing is under way";
}

TEST(RebalanceWatch, RebalanceDuringOne_BelongsToIt) {
  RebalanceWatch watch;
  watch.begin(at(1s));
  EXPECT_EQ(watch.synced("a", 1, 2, at(2s)), std::nullopt);
  watch.begin(at(3s));
  EXPECT_EQ(watch.synced("a", 2, 2, at(4s)), std::nullopt);
  EXPECT_EQ(watch.synced("b", 2, 2, at(6s)), Duration(5s));
}

TEST(RebalanceWatch, GroupWithoutMembers_IsNotCounted) {
  RebalanceWatch watch;
  watch.begin(at(1s));
  watch.drop();
  EXPECT_EQ(watch.end(at(2s)), std::nullopt);
}

TEST(RebalanceWatch, Stable_EndsOneOfTheConsumerProtocol) {
  RebalanceWatch watch;
  EXPECT_EQ(watch.end(at(1s)), std::nullopt);
  watch.begin(at(1s));
  EXPECT_EQ(watch.end(at(2s)), Duration(1s));
}

}  // namespace
}  // namespace tidegate::broker
