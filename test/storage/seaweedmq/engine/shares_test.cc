// Several gateways share partitions out: who leads what, and how it moves when one comes, goes or is away.
#include <algorithm>
#include <set>

#include "cluster/shard_map.h"
#include "shares_rig.h"

namespace tidegate::test {
namespace {

using seaweed::share_out;
using std::chrono::seconds;

TEST(SeaweedShardMap, EveryShardHasOneOfTheGateways_InEqualParts) {
  const std::vector<NodeId> nodes{1, 2, 3, 700};
  const auto leaders = share_out(nodes, 256);
  std::map<NodeId, int> parts;
  for (const NodeId node : leaders) ++parts[node];
  ASSERT_EQ(parts.size(), nodes.size());
  for (const auto& [node, part] : parts) {
    EXPECT_GE(part, 40) << node;
    EXPECT_LE(part, 90) << node;
  }
  EXPECT_EQ(share_out(std::vector<NodeId>{700, 2, 3, 1}, 256), leaders) << "in whatever order they are seen";
}

TEST(SeaweedShardMap, GatewayThatGoes_MovesItsOwnPartAlone) {
  const auto before = share_out(std::vector<NodeId>{1, 2, 3}, 256);
  const auto after = share_out(std::vector<NodeId>{1, 3}, 256);
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i] == 2) {
      EXPECT_NE(after[i], 2);
    } else {
      EXPECT_EQ(after[i], before[i]);
    }
  }
}

TEST(SeaweedShardMap, NobodyLeads_WhereNobodyIs) {
  for (const NodeId node : share_out({}, 256)) EXPECT_EQ(node, seaweed::kNobody);
}

// Gateways of other versions have to agree: these may never change.
TEST(SeaweedShardMap, Weights_AreTheSameForEver) {
  EXPECT_EQ(seaweed::share_weight(0, 0), 0xE220A8397B1DCDAFU);
  EXPECT_NE(seaweed::share_weight(1, 0), seaweed::share_weight(0, 1));
}

TEST(SeaweedShares, EachPartitionIsServedByTheOneGatewayThatAllName) {
  SharesRig rig;
  auto one = rig.with_topic();
  auto two = rig.gateway();
  auto three = rig.gateway();
  rig.pass(kRound * 3);
  const std::vector<Gateway*> all{one.get(), two.get(), three.get()};
  for (Gateway* gateway : all) {
    EXPECT_EQ(gateway->cluster().members().size(), 3U);
    EXPECT_FALSE(led_by(*gateway).empty());
  }
  for (std::int32_t i = 0; i < kPartitions; ++i) {
    for (Gateway* gateway : all) {
      EXPECT_EQ(rig.leader(*gateway, i), rig.leader(*one, i));
      const bool leads = rig.leader(*one, i) == gateway->cluster().self();
      const auto appended = rig.append(*gateway, i, "value");
      EXPECT_EQ(appended.has_value(), leads);
      if (!leads) EXPECT_EQ(appended.error().code, ErrorCode::not_leader_or_follower);
    }
  }
}

TEST(SeaweedShares, GatewayThatJoins_GetsItsPartWithAllThatIsInIt) {
  SharesRig rig;
  auto one = rig.with_topic();
  rig.pass(kRound);
  std::vector<std::shared_ptr<storage::PartitionLog>> held;
  for (std::int32_t i = 0; i < kPartitions; ++i) {
    ASSERT_TRUE(rig.append(*one, i, "before"));
    held.push_back(*one->open(i));
  }
  std::set<std::int32_t> lost;
  one->cluster().on_lost([&lost](const PartitionId& id) { lost.insert(id.index); });
  auto two = rig.gateway();
  rig.pass(kRound * 4);
  const auto moved = led_by(*two);
  ASSERT_FALSE(moved.empty());
  EXPECT_EQ(lost, std::set<std::int32_t>(moved.begin(), moved.end())) << "each is told once, and no other";
  for (const std::int32_t i : moved) {
    EXPECT_TRUE(rig.append(*two, i, "after")) << i;
    EXPECT_EQ(rig.values(*two, i), (Values{"before", "after"}));
    EXPECT_FALSE(rig.values(*held[static_cast<std::size_t>(i)])) << "the log of before serves nothing";
    EXPECT_EQ(rig.append(*one, i, "stale").error().code, ErrorCode::not_leader_or_follower);
    EXPECT_EQ(one->engine().leader_epoch({kTopicId, i}), two->engine().leader_epoch({kTopicId, i}));
  }
}

TEST(SeaweedShares, AppendUnderWay_EndsBeforeItsPartitionMoves) {
  SharesRig rig;
  auto one = rig.with_topic();
  rig.pass(kRound);
  for (std::int32_t i = 0; i < kPartitions; ++i) ASSERT_TRUE(rig.append(*one, i, "before"));
  int acked = 0;
  static constexpr auto append = [](std::shared_ptr<storage::PartitionLog> to, int* count) -> Task<void> {
    auto batches = list(batch_of({"under way"}));
    if (co_await to->append(to->leader_epoch(), std::move(batches))) ++*count;
  };
  auto two = rig.gateway();
  rig.cluster.hold(SeaweedOp::upload);
  for (std::int32_t i = 0; i < kPartitions; ++i)
    rig.shards().shard().spawn(append(*one->open(i), &acked), "append");
  rig.pass(kRound * 2);
  for (const std::int32_t i : led_by(*two)) EXPECT_FALSE(rig.values(*two, i)) << "not yet";
  EXPECT_EQ(acked, 0);
  rig.cluster.resume_held();
  rig.pass(kRound * 4);
  EXPECT_EQ(acked, kPartitions);
  ASSERT_FALSE(led_by(*two).empty());
  for (const std::int32_t i : led_by(*two)) EXPECT_EQ(rig.values(*two, i), (Values{"before", "under way"}));
}

// The gateway that was to have it goes away while it is being handed over, and it is the first one's again.
TEST(SeaweedShares, PartitionThatComesBackWhileItIsHandedOver_HasOneLogAtATime) {
  SharesRig rig;
  auto one = rig.with_topic();
  rig.pass(kRound);
  for (std::int32_t i = 0; i < kPartitions; ++i) ASSERT_TRUE(rig.append(*one, i, "before"));
  int acked = 0;
  static constexpr auto append = [](std::shared_ptr<storage::PartitionLog> to, std::string value,
                                    int* count) -> Task<void> {
    auto batches = list(batch_of({value}));
    if (co_await to->append(to->leader_epoch(), std::move(batches))) ++*count;
  };
  auto two = rig.gateway();
  rig.cluster.hold(SeaweedOp::upload);
  std::vector<std::shared_ptr<storage::PartitionLog>> logs;
  for (std::int32_t i = 0; i < kPartitions; ++i) {
    logs.push_back(*one->open(i));
    rig.shards().shard().spawn(append(logs.back(), "under way", &acked), "append");
  }
  // Not even nothing can be appended to a log that is being closed.
  const auto is_closing = [&](const auto& log) {
    const auto nothing = [&] { return log->append(log->leader_epoch(), {}); };
    return !rig.shards().run(nothing).has_value();
  };
  for (int i = 0; i < 100 && std::ranges::none_of(logs, is_closing); ++i) rig.pass(kStep);
  ASSERT_TRUE(std::ranges::any_of(logs, is_closing));
  logs.clear();
  const auto of_two = led_by(*two);
  ASSERT_FALSE(of_two.empty());
  two->stop();
  rig.pass(kRound * 2);
  EXPECT_EQ(led_by(*one).size(), static_cast<std::size_t>(kPartitions));
  // What was not its turn yet has stayed open; what is being closed is not opened a second time.
  std::vector<int> meanwhile(kPartitions, 0);
  std::size_t refused = 0;
  for (const std::int32_t i : of_two) {
    const auto log = one->open(i);
    refused += log ? 0 : 1;
    if (log)
      rig.shards().shard().spawn(append(*log, "meanwhile", &meanwhile[static_cast<std::size_t>(i)]),
                                 "append");
  }
  EXPECT_GE(refused, 1U);
  rig.pass(kRound);
  rig.cluster.resume_held();
  rig.pass(kRound * 6);
  EXPECT_EQ(acked, kPartitions);
  for (const std::int32_t i : of_two) ASSERT_TRUE(rig.append(*one, i, "after")) << i;
  auto three = rig.gateway();
  rig.pass(kRound * 6);
  for (std::int32_t i = 0; i < kPartitions; ++i) {
    Values expected{"before", "under way"};
    if (meanwhile[static_cast<std::size_t>(i)] > 0) expected.push_back("meanwhile");
    if (std::ranges::count(of_two, i) > 0) expected.push_back("after");
    auto& leader = SharesRig::leader(*one, i) == one->cluster().self() ? *one : *three;
    EXPECT_EQ(rig.values(leader, i), expected) << i;
  }
}

TEST(SeaweedShares, PartsOfAGatewayThatIsGone_AreTakenAfterItsLease) {
  SharesRig rig;
  auto one = rig.with_topic();
  auto two = rig.gateway();
  rig.pass(kRound * 3);
  const auto of_one = led_by(*one);
  ASSERT_FALSE(of_one.empty());
  for (const std::int32_t i : of_one) ASSERT_TRUE(rig.append(*one, i, "before"));
  one->cut_off(true);
  rig.pass(kTakeOver);
  for (const std::int32_t i : of_one)
    EXPECT_EQ(rig.values(*two, i), (Values{"before"})) << "without being asked for";
  EXPECT_EQ(led_by(*two).size(), static_cast<std::size_t>(kPartitions));

  // It wakes up, serves nothing of what it had, and gets its part back in later epochs.
  one->cut_off(false);
  for (const std::int32_t i : of_one) EXPECT_FALSE(rig.append(*one, i, "stale"));
  rig.pass(kRound * 6);
  EXPECT_EQ(led_by(*one), of_one);
  for (const std::int32_t i : of_one) {
    EXPECT_EQ(rig.values(*one, i), (Values{"before"}));
    EXPECT_TRUE(rig.append(*one, i, "after"));
    EXPECT_FALSE(rig.append(*two, i, "stale"));
  }
}

TEST(SeaweedShares, CleanStop_LeavesItsPartToTheOthersAtOnce) {
  SharesRig rig;
  auto one = rig.with_topic();
  auto two = rig.gateway();
  rig.pass(kRound * 3);
  const auto of_one = led_by(*one);
  one->stop();
  rig.pass(kRound * 2);
  for (const std::int32_t i : of_one) EXPECT_TRUE(rig.append(*two, i, "value")) << i;
}

}  // namespace
}  // namespace tidegate::test
