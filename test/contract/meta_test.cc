// The meta store: atomic batches, order, scopes, fencing.
#include "contract_test.h"

namespace tidegate::test {
namespace {

class MetaContract : public ContractTest {
 protected:
  std::vector<std::string> keys(std::string scope, std::string prefix, std::string after = {},
                                std::size_t limit = 1000) {
    std::vector<std::string> all;
    const auto found = scan(std::move(scope), std::move(prefix), std::move(after), limit);
    EXPECT_TRUE(found);
    if (found) {
      for (const auto& entry : *found) all.push_back(entry.key);
    }
    return all;
  }
};
TIDEGATE_CONTRACT_SUITE(MetaContract);

using Keys = std::vector<std::string>;

TEST_P(MetaContract, PutThenGet) {
  EXPECT_EQ(*get("group/a", "k"), std::nullopt);
  ASSERT_TRUE(put("group/a", 0, {put_op("k", "v"), put_op("empty", "")}));
  EXPECT_EQ(*get("group/a", "k"), "v");
  EXPECT_EQ(*get("group/a", "empty"), "");
  EXPECT_EQ(*get("group/a", "other"), std::nullopt);
  EXPECT_EQ(*get("group/b", "k"), std::nullopt) << "another scope";
  ASSERT_TRUE(put("group/a", 0, {put_op("k", "w"), erase_op("empty"), erase_op("never was")}));
  EXPECT_EQ(*get("group/a", "k"), "w");
  EXPECT_EQ(*get("group/a", "empty"), std::nullopt);
}

TEST_P(MetaContract, OpsOfABatch_ApplyInOrder) {
  ASSERT_TRUE(put("s", 0,
                  {put_op("a", "1"), erase_op("a"), put_op("b", "1"), put_op("b", "2"), erase_op("c"),
                   put_op("c", "3")}));
  EXPECT_EQ(*get("s", "a"), std::nullopt);
  EXPECT_EQ(*get("s", "b"), "2");
  EXPECT_EQ(*get("s", "c"), "3");
}

TEST_P(MetaContract, KeysAndValues_AreBytes) {
  const std::string key("\0/\xff\x01:", 5);
  const std::string value("\0\xff\n", 3);
  const std::string scope("sc\0pe/\xfe", 7);
  ASSERT_TRUE(put(scope, 0, {put_op(key, value)}));
  EXPECT_EQ(*get(scope, key), value);
  EXPECT_EQ(keys(scope, std::string("\0", 1)), Keys{key});
  EXPECT_EQ(*scopes("sc"), Keys{scope});
}

TEST_P(MetaContract, Scan_IsInByteOrderWithPrefixAfterAndLimit) {
  ASSERT_TRUE(put("s", 0,
                  {put_op("b/2", "2"), put_op("a", ""), put_op("b/10", "10"), put_op("b/1", "1"),
                   put_op("c", ""), put_op("b", ""), put_op("b0", ""), put_op("\xff", "")}));
  EXPECT_EQ(keys("s", ""), (Keys{"a", "b", "b/1", "b/10", "b/2", "b0", "c", "\xff"}));
  EXPECT_EQ(keys("s", "b/"), (Keys{"b/1", "b/10", "b/2"}));
  EXPECT_EQ(keys("s", "b/", "b/1"), (Keys{"b/10", "b/2"}));
  EXPECT_EQ(keys("s", "b/", "b/15"), Keys{"b/2"}) << "behind a key that is not there";
  EXPECT_EQ(keys("s", "b/", "a"), (Keys{"b/1", "b/10", "b/2"})) << "after before the prefix";
  EXPECT_EQ(keys("s", "b/", "c"), Keys{});
  EXPECT_EQ(keys("s", "b", "", 2), (Keys{"b", "b/1"}));
  EXPECT_EQ(keys("s", "\xff"), Keys{"\xff"});
  EXPECT_EQ(keys("s", "zzz"), Keys{});
  EXPECT_EQ(keys("s", "", "", 0), Keys{});
  EXPECT_EQ(keys("nowhere", ""), Keys{});
  EXPECT_EQ(scan("s", "b/1")->at(1).value, "10");
}

TEST_P(MetaContract, PagedScan_GivesEveryKeyOnce) {
  std::vector<storage::MetaOp> ops;
  for (int i = 0; i < 250; ++i) ops.push_back(put_op("key" + std::to_string(1000 + i), "v"));
  ASSERT_TRUE(put("paged", 0, ops));
  Keys all;
  for (std::string after;;) {
    const auto page = keys("paged", "key", after, 32);
    if (page.empty()) break;
    all.insert(all.end(), page.begin(), page.end());
    after = page.back();
  }
  ASSERT_EQ(all.size(), 250U);
  for (int i = 0; i < 250; ++i)
    EXPECT_EQ(all[static_cast<std::size_t>(i)], ops[static_cast<std::size_t>(i)].key);
}

TEST_P(MetaContract, Scopes_ThatHoldAnything) {
  for (const char* scope : {"group/b", "group/a", "topic/x", "group/ab", "group"}) {
    ASSERT_TRUE(put(scope, 0, {put_op("k", "v")}));
  }
  EXPECT_EQ(*scopes("group/"), (Keys{"group/a", "group/ab", "group/b"}));
  EXPECT_EQ(*scopes(""), (Keys{"group", "group/a", "group/ab", "group/b", "topic/x"}));
  EXPECT_EQ(*scopes("group/", "group/a"), (Keys{"group/ab", "group/b"}));
  EXPECT_EQ(*scopes("group/", "", 2), (Keys{"group/a", "group/ab"}));
  ASSERT_TRUE(put("group/a", 0, {erase_op("k")}));
  EXPECT_EQ(*scopes("group/"), (Keys{"group/ab", "group/b"}));
}

TEST_P(MetaContract, ScopesWithACommonBeginning_DoNotMix) {
  ASSERT_TRUE(put("ab", 0, {put_op("c", "1")}));
  ASSERT_TRUE(put("a", 0, {put_op("bc", "2")}));
  ASSERT_TRUE(put("a/", 0, {put_op("c", "3")}));
  ASSERT_TRUE(put("a", 0, {put_op("/c", "4")}));
  EXPECT_EQ(*get("ab", "c"), "1");
  EXPECT_EQ(*get("a", "bc"), "2");
  EXPECT_EQ(*get("a/", "c"), "3");
  EXPECT_EQ(*get("a", "/c"), "4");
  EXPECT_EQ(keys("a", ""), (Keys{"/c", "bc"}));
}

TEST_P(MetaContract, LowerEpoch_IsFencedAndWritesNothing) {
  ASSERT_TRUE(put("group/g", 3, {put_op("k", "three")}));
  EXPECT_EQ(code_of(put("group/g", 2, {put_op("k", "two"), put_op("l", "two")})), ErrorCode::not_coordinator);
  EXPECT_EQ(*get("group/g", "k"), "three");
  EXPECT_EQ(*get("group/g", "l"), std::nullopt);
  EXPECT_TRUE(put("group/g", 3, {put_op("k", "again")}));
  EXPECT_TRUE(put("group/g", 5, {put_op("k", "five")}));
  EXPECT_EQ(code_of(put("group/g", 4, {})), ErrorCode::not_coordinator);
  EXPECT_TRUE(put("group/h", 0, {put_op("k", "v")})) << "another scope is not fenced";
}

TEST_P(MetaContract, FenceOutlivesTheEntries) {
  ASSERT_TRUE(put("group/g", 3, {put_op("k", "v")}));
  ASSERT_TRUE(put("group/g", 3, {erase_op("k")}));
  EXPECT_EQ(code_of(put("group/g", 2, {put_op("k", "stale")})), ErrorCode::not_coordinator);
}

TEST_P(MetaContract, AnyShard_SeesWhatAnotherWrote) {
  ASSERT_TRUE(put("s", 0, {put_op("from0", "x")}, 0));
  ASSERT_TRUE(put("s", 0, {put_op("from1", "y")}, 1));
  EXPECT_EQ(*get("s", "from0", 1), "x");
  EXPECT_EQ(*get("s", "from1", 0), "y");
}

TEST_P(MetaContract, ConcurrentWriters_LoseNothing) {
  constexpr int kWrites = 100;
  const auto write = [this](unsigned shard) {
    return [this, shard]() -> Task<int> {
      int written = 0;
      for (int i = 0; i < kWrites; ++i) {
        std::vector<storage::MetaOp> ops{put_op("k" + std::to_string(i) + "/" + std::to_string(shard), "v")};
        const std::string scope = "scope" + std::to_string(i % 3);
        auto put = co_await host().engine().meta().put_batch(scope, 0, ops, storage::MetaDurability::policy);
        written += put ? 1 : 0;
      }
      co_return written;
    };
  };
  auto zero = host().start(0, write(0));
  auto one = host().start(1, write(1));
  EXPECT_EQ(host().wait(std::move(zero)), kWrites);
  EXPECT_EQ(host().wait(std::move(one)), kWrites);
  std::size_t found = 0;
  for (int i = 0; i < 3; ++i) found += keys("scope" + std::to_string(i), "k").size();
  EXPECT_EQ(found, 2U * kWrites);
}

TEST_P(MetaContract, LargeValue_ComesBackWhole) {
  const std::string value(512U << 10, 'x');
  ASSERT_TRUE(put("s", 0, {put_op("k", value)}));
  EXPECT_EQ(*get("s", "k"), value);
}

TEST_P(MetaContract, FullEngine_WritesNothingOfTheBatch) {
  const auto& factory = GetParam().engine;
  if (!factory.make_small) GTEST_SKIP() << factory.name << " has no limit of its own";
  EngineHost small(factory, {.max_bytes = 64U << 10});
  const auto put_small = [&](std::vector<storage::MetaOp> ops) {
    return small.call(0, [&small, ops] {
      return small.engine().meta().put_batch("s", 0, ops, storage::MetaDurability::synced);
    });
  };
  const auto get_small = [&](std::string key) {
    return small.call(0, [&small, key] { return small.engine().meta().get("s", key); });
  };
  ASSERT_TRUE(put_small({put_op("a", std::string(1000, 'a'))}));
  EXPECT_EQ(code_of(put_small({put_op("b", "small"), put_op("c", std::string(70'000, 'c'))})),
            ErrorCode::kafka_storage_error);
  EXPECT_EQ(*get_small("b"), std::nullopt);
  // The same key again and again takes no more room.
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(put_small({put_op("a", std::string(1000, 'b'))})) << i;
  // Nor do keys that come and go.
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(put_small({put_op("tmp", std::string(1000, 't'))})) << i;
    ASSERT_TRUE(put_small({erase_op("tmp")})) << i;
  }
}

}  // namespace
}  // namespace tidegate::test
