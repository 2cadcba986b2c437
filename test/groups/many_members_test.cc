// What a group of many members costs: how often a member is looked at, not how long it takes.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "group_lab.h"
#include "machine.h"

namespace tidegate::groups {
namespace {

constexpr std::size_t kMembers = 400;
// Walks over all members in one rebalance, whatever their number is.
constexpr std::uint64_t kWalks = 20;

// As the shell does it: an event, then a look at what the gauges show.
class ManyMembers : public ::testing::Test {
 protected:
  template <class Request>
  void tell(Request request) {
    request.reply = ++last_reply;
    auto effects = group.on(std::move(request), now);
    group.counts();
    group.state();
    for (auto& reply : effects.replies) {
      const auto* joined = std::get_if<JoinReply>(&reply.body);
      if (joined == nullptr || joined->error != ErrorCode::none) continue;
      ids.insert(joined->member_id);
      generation = joined->generation;
      leader = joined->leader;
    }
  }
  void join(const std::string& member) {
    Join request;
    request.client = {"client", "/127.0.0.1"};
    request.member_id = member;
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = 60'000;
    request.protocol_type = "consumer";
    request.protocols = {{"range", {1, 2, 3}}};
    tell(std::move(request));
  }
  void wake_after(Duration delay) {
    now.mono = now.mono + delay;
    for (const auto& reply : group.on(Wake{}, now).replies) {
      if (const auto* joined = std::get_if<JoinReply>(&reply.body)) {
        ids.insert(joined->member_id);
        generation = joined->generation;
        leader = joined->leader;
      }
    }
  }
  void sync_all() {
    for (const auto& id : ids) {
      if (id != leader) tell(Sync{.member_id = id, .generation = generation});
    }
    tell(Sync{.member_id = leader, .generation = generation, .assignments = {{leader, {1}}}});
  }
  // Since it was asked last.
  std::uint64_t visits() {
    const auto all = group.machine().classic.visits();
    return all - std::exchange(visits_before, all);
  }

  GroupLimits limits{.initial_rebalance_delay = std::chrono::seconds(3)};
  test::SomeTopics topics;
  SeededRng rng{1};
  Group group{"g", limits, topics, rng};
  Now now{.mono = MonoTime{}, .wall_ms = 1};
  ReplyId last_reply = 0;
  std::set<std::string> ids;
  std::string leader;
  std::int32_t generation = 0;
  std::uint64_t visits_before = 0;
};

TEST_F(ManyMembers, ClassicRebalance_LooksAtEachAFewTimes) {
  for (std::size_t i = 0; i < kMembers; ++i) join("");
  wake_after(std::chrono::seconds(4));
  wake_after(std::chrono::seconds(4));
  ASSERT_EQ(ids.size(), kMembers);
  EXPECT_LE(visits(), kWalks * kMembers) << "the first generation";

  sync_all();
  ASSERT_EQ(group.state(), GroupState::stable);
  EXPECT_LE(visits(), kWalks * kMembers) << "all sync";

  const auto first = leader;
  join(first);  // it wants to assign anew
  for (const auto& id : std::set<std::string>(ids)) {
    if (id != first) join(id);
  }
  ASSERT_EQ(generation, 2);
  EXPECT_LE(visits(), kWalks * kMembers) << "all rejoin";

  sync_all();
  visits();
  for (const auto& id : ids) tell(Heartbeat{.member_id = id, .generation = generation});
  EXPECT_EQ(visits(), 0U) << "heartbeats";
}

TEST_F(ManyMembers, JoinOfOneMore_DoesNotLookAtTheOthers) {
  limits.initial_rebalance_delay = Duration::zero();
  join("");  // alone in its generation, and slow to rejoin
  for (std::size_t i = 0; i < kMembers; ++i) join("");
  EXPECT_EQ(group.counts().parked, kMembers);
  EXPECT_LE(visits(), kWalks * kMembers);
}

}  // namespace
}  // namespace tidegate::groups
