#include "tidegate/storage/standalone_cluster.h"

#include <vector>

#include <gtest/gtest.h>

#include "tidegate/base/rng.h"

namespace tidegate::storage {
namespace {

TEST(StandaloneCluster, OwnsEverythingInEpochZero) {
  const StandaloneCluster cluster(
      "abc", {.node = 3, .rack = "r1", .endpoints = {{.listener = "PLAINTEXT", .host = "h", .port = 9092}}});
  EXPECT_EQ(cluster.cluster_id(), "abc");
  EXPECT_EQ(cluster.self(), 3);
  const auto members = cluster.members();
  ASSERT_EQ(members.size(), 1U);
  EXPECT_EQ(members[0].node, 3);
  EXPECT_EQ(members[0].rack, "r1");
  ASSERT_EQ(members[0].endpoints.size(), 1U);
  EXPECT_EQ(members[0].endpoints[0].port, 9092);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(cluster.owner_of({.topic = {}, .index = i}).node, 3);
    EXPECT_EQ(cluster.owner_of({.topic = {}, .index = i}).epoch, 0);
  }
  EXPECT_EQ(cluster.owner_of_group("any").node, 3);
}

TEST(StandaloneCluster, LosesNothing) {
  StandaloneCluster cluster("abc", {.node = 0});
  bool lost = false;
  cluster.on_lost([&](const PartitionId&) { lost = true; });
  EXPECT_FALSE(lost);
}

TEST(OwnerShard, SpreadsPartitionsOverShards) {
  SeededRng rng(1);
  for (const unsigned shards : {1U, 2U, 7U}) {
    std::vector<int> owned(shards, 0);
    for (int topic = 0; topic < 100; ++topic) {
      const TopicId id = random_uuid(rng);
      for (int i = 0; i < 10; ++i) ++owned[owner_shard({.topic = id, .index = i}, shards)];
    }
    for (const int count : owned) EXPECT_GT(count, 1000 / static_cast<int>(shards) / 2);
  }
}

}  // namespace
}  // namespace tidegate::storage
