#include "rpc/id_pool.h"

#include <set>

#include <gtest/gtest.h>

#include "support/run_task.h"

namespace tidegate::storage::seaweedmq {
namespace {

struct IdPoolTest : ::testing::Test {
  test::ShardHarness shards;
  int fills = 0;
  std::uint64_t next_key = 1;
  std::string token;         // what the cluster gives
  std::string key;           // what we sign with
  std::optional<Error> bad;  // what filling gives
  std::string first_id;      // instead of a good one
  Event* gate = nullptr;     // filling waits for it

  IdPool pool{shards.manual_clock(), 4, [this](std::string, std::size_t count) { return fill(count); },
              [this](const std::string& id) { return key.empty() ? std::string() : key + ":" + id; }};

  Task<Result<AssignedBlock>> fill(std::size_t count) {
    ++fills;
    if (gate) co_await gate->wait();
    if (bad) co_return tidegate::fail(*bad);
    AssignedBlock block{FileId{3, next_key, 7}.text(), count, "127.0.0.1:1", token};
    next_key += count;
    if (!first_id.empty()) block.first_file_id = first_id;
    co_return std::move(block);
  }
  Result<Assigned> take(const std::string& path = "/topics/kafka/t/f") {
    return shards.run([&] { return pool.take(path); });
  }
};

TEST_F(IdPoolTest, BlockGivesManyIds_AllDifferent) {
  std::set<std::string> ids;
  for (int i = 0; i < 8; ++i) ids.insert(take()->file_id);
  EXPECT_EQ(ids.size(), 8U);
  EXPECT_TRUE(ids.contains("3,0800000007"));
  EXPECT_EQ(fills, 2);
}

TEST_F(IdPoolTest, BlocksGrowWithUseAndShrinkWithoutIt) {
  std::vector<std::size_t> asked;
  IdPool large{shards.manual_clock(), 100,
               [&](std::string, std::size_t count) {
                 asked.push_back(count);
                 return fill(count);
               },
               [](const std::string&) { return std::string(); }};
  for (int i = 0; i < 4 + 16 + 64 + 1; ++i) {
    ASSERT_TRUE(shards.run([&] { return large.take("/topics/kafka/t/f"); }));
  }
  EXPECT_EQ(asked, (std::vector<std::size_t>{4, 16, 64, 100}));
  for (int i = 0; i < 3; ++i) {
    shards.advance(IdPool::kBlockLife);
    ASSERT_TRUE(shards.run([&] { return large.take("/topics/kafka/t/f"); }));
  }
  EXPECT_EQ(asked, (std::vector<std::size_t>{4, 16, 64, 100, 25, 6, 4}));
}

TEST_F(IdPoolTest, ClustersToken_IsGoodForOneIdOnly) {
  token = "given";
  EXPECT_EQ(take()->authorization, "given");
  EXPECT_EQ(take()->authorization, "given");
  EXPECT_EQ(fills, 2);
}

TEST_F(IdPoolTest, WithAKey_EachIdIsSigned) {
  token = "given";
  key = "k";
  EXPECT_EQ(take()->authorization, "k:3,0100000007");
  EXPECT_EQ(take()->authorization, "k:3,0200000007");
  EXPECT_EQ(fills, 1);
}

TEST_F(IdPoolTest, OldBlock_IsDropped) {
  take();
  shards.advance(IdPool::kBlockLife);
  EXPECT_EQ(take()->file_id, "3,0500000007");
  EXPECT_EQ(fills, 2);
}

TEST_F(IdPoolTest, VolumeThatRefused_GivesNoMore) {
  take();
  shards.call([&] { pool.drop_volume(4); });
  take();
  EXPECT_EQ(fills, 1);
  shards.call([&] { pool.drop_volume(3); });
  take();
  EXPECT_EQ(fills, 2);
}

TEST_F(IdPoolTest, EveryTopicHasItsOwn) {
  take("/topics/kafka/a/f");
  take("/topics/kafka/b/f");
  EXPECT_EQ(fills, 2);
}

TEST_F(IdPoolTest, ManyThatWait_AreServedByOneFilling) {
  Event open;
  gate = &open;
  std::vector<Result<Assigned>> got;
  auto one = [&]() -> Task<void> { got.push_back(co_await pool.take("/topics/kafka/t/f")); };
  for (int i = 0; i < 4; ++i) {
    shards.call([&] { shards.shard().start(one(), "test"); });
  }
  shards.settle();
  EXPECT_EQ(fills, 1);
  shards.call([&] { open.notify_all(); });
  shards.settle(20);
  ASSERT_EQ(got.size(), 4U);
  for (const auto& id : got) EXPECT_TRUE(id);
  EXPECT_EQ(fills, 1);
}

TEST_F(IdPoolTest, FailureOfOne_IsTheFailureOfAllThatWaited) {
  Event open;
  gate = &open;
  bad = Error{ErrorCode::kafka_storage_error, "no volumes"};
  int failures = 0;
  auto one = [&]() -> Task<void> {
    const auto id = co_await pool.take("/topics/kafka/t/f");
    failures += !id && id.error().message == "no volumes" ? 1 : 0;
  };
  for (int i = 0; i < 5; ++i) {
    shards.call([&] { shards.shard().start(one(), "test"); });
  }
  shards.settle();
  shards.call([&] { open.notify_all(); });
  shards.settle(20);
  EXPECT_EQ(failures, 5);
  EXPECT_EQ(fills, 1);
  gate = nullptr;
  bad.reset();
  EXPECT_TRUE(take());
}

TEST_F(IdPoolTest, IdThatIsNone_IsAnError) {
  first_id = "nonsense";
  const auto id = take();
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().code, ErrorCode::kafka_storage_error);
}

TEST_F(IdPoolTest, PoolsAreBounded) {
  for (std::size_t i = 0; i < IdPool::kPools + 10; ++i) {
    ASSERT_TRUE(take("/topics/kafka/t" + std::to_string(i) + "/f"));
  }
  EXPECT_LE(pool.pools(), IdPool::kPools + 1);
}

}  // namespace
}  // namespace tidegate::storage::seaweedmq
