// Entries, conditions and locks, against the fake filer and, with TIDEGATE_WEED, a real one.
#include <gtest/gtest.h>

#include "rpc/client_rig.h"

namespace tidegate::storage::seaweedmq {
namespace {

constexpr const char* kEtag = "Seaweed-X-Amz-ETag";
constexpr const char* kVersion = "version";

class FilerSuite : public EitherCluster {
 public:
  std::string fence() const { return directory() + "/fence"; }
  FencedChange change(FencedChange::Kind kind, const std::string& etag, Entry entry) {
    return {.fence_path = fence(),
            .fence_etag = etag,
            .kind = kind,
            .directory = directory(),
            .entry = std::move(entry)};
  }
  Result<Outcome> acquire(const std::string& etag) {
    Entry entry = file("fence", "state");
    entry.extended[kEtag] = etag;
    return rig().transact(change(FencedChange::Kind::put, "", entry));
  }
  std::optional<Entry> find(const std::string& name) {
    const auto found = rig().lookup(directory(), name);
    EXPECT_TRUE(found) << (found ? "" : found.error().message);
    return found ? *found : std::nullopt;
  }
};
INSTANTIATE_TEST_SUITE_P(Clusters, FilerSuite, ::testing::ValuesIn(clusters()), kind_of);

TEST_P(FilerSuite, EntryThatIsNotThere_IsNone) {
  const auto found = rig().lookup(directory(), "missing");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_FALSE(*found);
}

TEST_P(FilerSuite, WhatIsCreated_IsFound) {
  Entry entry = file("a", std::string("bytes\0in it", 11));
  entry.extended = {{"k", std::string("\0\1\2", 3)}, {"empty", ""}};
  entry.created_s = 1'700'000'000;
  ASSERT_EQ(rig().create(directory(), entry).value(), Outcome::done);
  const auto found = find("a");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->content, entry.content);
  EXPECT_EQ(found->extended.at("k"), entry.extended.at("k"));
  EXPECT_EQ(found->created_s, entry.created_s);
  EXPECT_GT(found->modified_s, 1'700'000'000);
  EXPECT_FALSE(found->is_directory);
}

TEST_P(FilerSuite, Parents_AreMade) {
  ASSERT_TRUE(rig().create(directory() + "/x/y", file("a")));
  const auto found = find("x");
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->is_directory);
}

TEST_P(FilerSuite, ExclusiveCreate_IsRefusedWhenItIsThere) {
  EXPECT_EQ(rig().create(directory(), file("a", "1"), true).value(), Outcome::done);
  EXPECT_EQ(rig().create(directory(), file("a", "2"), true).value(), Outcome::refused);
  EXPECT_EQ(find("a")->content, "1");
  EXPECT_EQ(rig().create(directory(), file("a", "2")).value(), Outcome::done);
  EXPECT_EQ(find("a")->content, "2");
}

TEST_P(FilerSuite, FileInPlaceOfADirectory_IsAnErrorFromTheBody) {
  ASSERT_TRUE(rig().create(directory() + "/sub", file("a")));
  const auto done = rig().create(directory(), file("sub", "x"));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kafka_storage_error);
}

TEST_P(FilerSuite, Directory_CanBeCreated) {
  Entry entry;
  entry.name = "d";
  entry.is_directory = true;
  ASSERT_TRUE(rig().create(directory(), entry));
  ASSERT_TRUE(rig().create(directory() + "/d", file("inside")));
  EXPECT_TRUE(find("d")->is_directory);
}

TEST_P(FilerSuite, Update_HoldsOnlyAgainstWhatWasExpected) {
  Entry entry = file("a", "1");
  entry.extended[kVersion] = "1";
  ASSERT_TRUE(rig().create(directory(), entry));
  entry.content = "2";
  entry.extended[kVersion] = "2";
  EXPECT_EQ(rig().update(directory(), entry, kVersion, "0").value(), Outcome::refused);
  EXPECT_EQ(rig().update(directory(), entry, kVersion, std::nullopt).value(), Outcome::refused);
  EXPECT_EQ(find("a")->content, "1");
  EXPECT_EQ(rig().update(directory(), entry, kVersion, "1").value(), Outcome::done);
  EXPECT_EQ(find("a")->content, "2");
  EXPECT_EQ(rig().update(directory(), entry, kVersion, "1").value(), Outcome::refused);
}

TEST_P(FilerSuite, Update_CanExpectThatTheAttributeIsAbsent) {
  Entry entry = file("a", "1");
  ASSERT_TRUE(rig().create(directory(), entry));
  entry.extended[kVersion] = "1";
  EXPECT_EQ(rig().update(directory(), entry, kVersion, std::nullopt).value(), Outcome::done);
  EXPECT_EQ(rig().update(directory(), entry, kVersion, std::nullopt).value(), Outcome::refused);
}

TEST_P(FilerSuite, UpdateOfWhatIsNotThere_IsRefused) {
  EXPECT_EQ(rig().update(directory(), file("none"), kVersion, "1").value(), Outcome::refused);
}

TEST_P(FilerSuite, FirstAcquisition_WinsOnce) {
  EXPECT_EQ(acquire("1").value(), Outcome::done);
  EXPECT_EQ(acquire("1").value(), Outcome::refused);
  EXPECT_EQ(find("fence")->extended.at(kEtag), "1");
}

TEST_P(FilerSuite, TransactionWithTheRightEpoch_IsDone_AndWithAnotherChangesNothing) {
  ASSERT_TRUE(acquire("7"));
  using enum FencedChange::Kind;
  EXPECT_EQ(rig().transact(change(put, "7", file("log", "a"))).value(), Outcome::done);
  EXPECT_EQ(rig().transact(change(put, "6", file("stale", "a"))).value(), Outcome::refused);
  EXPECT_FALSE(find("stale"));
  EXPECT_EQ(rig().transact(change(erase, "6", file("log"))).value(), Outcome::refused);
  ASSERT_TRUE(find("log"));
  EXPECT_EQ(rig().transact(change(erase, "7", file("log"))).value(), Outcome::done);
  EXPECT_FALSE(find("log"));
  EXPECT_EQ(rig().transact(change(erase, "7", file("log"))).value(), Outcome::done);
}

TEST_P(FilerSuite, TakeOver_ShutsTheFormerOwnerOut) {
  ASSERT_TRUE(acquire("1"));
  using enum FencedChange::Kind;
  Entry next = file("fence");
  next.extended = {{kEtag, "2"}, {"owner", "b"}};
  EXPECT_EQ(rig().transact(change(patch_extended, "1", next)).value(), Outcome::done);
  EXPECT_EQ(rig().transact(change(patch_extended, "1", next)).value(), Outcome::refused);
  EXPECT_EQ(rig().transact(change(put, "1", file("log", "a"))).value(), Outcome::refused);
  EXPECT_EQ(rig().transact(change(put, "2", file("log", "a"))).value(), Outcome::done);
  const auto fence = find("fence");
  EXPECT_EQ(fence->extended.at("owner"), "b");
  EXPECT_EQ(fence->content, "state");
}

TEST_P(FilerSuite, TransactionWithoutItsFence_IsRefused) {
  EXPECT_EQ(rig().transact(change(FencedChange::Kind::put, "1", file("log"))).value(), Outcome::refused);
}

TEST_P(FilerSuite, List_GoesInOrderPageByPage) {
  for (int i = 10; i < 35; ++i) ASSERT_TRUE(rig().create(directory(), file("f" + std::to_string(i))));
  ASSERT_TRUE(rig().create(directory(), file("g")));
  std::vector<std::string> names;
  std::string after;
  while (true) {
    const auto page = rig().list(directory(), "f", after, 10);
    ASSERT_TRUE(page) << page.error().message;
    if (page->empty()) break;
    EXPECT_LE(page->size(), 10U);
    for (const auto& entry : *page) names.push_back(entry.name);
    after = names.back();
  }
  ASSERT_EQ(names.size(), 25U);
  EXPECT_TRUE(std::ranges::is_sorted(names));
  EXPECT_EQ(names.front(), "f10");
  EXPECT_EQ(names.back(), "f34");
}

TEST_P(FilerSuite, ListOfNothing_IsEmpty) {
  EXPECT_TRUE(rig().list(directory() + "/none", "", "", 10)->empty());
  ASSERT_TRUE(rig().create(directory(), file("a")));
  EXPECT_TRUE(rig().list(directory(), "", "", 0)->empty());
  EXPECT_TRUE(rig().list(directory(), "b", "", 10)->empty());
  EXPECT_TRUE(rig().list(directory(), "", "a", 10)->empty());
}

TEST_P(FilerSuite, Erase_TakesWhatIsThere) {
  ASSERT_TRUE(rig().create(directory(), file("a")));
  EXPECT_TRUE(rig().erase(directory(), "a", false));
  EXPECT_FALSE(find("a"));
  EXPECT_TRUE(rig().erase(directory(), "a", false));
}

TEST_P(FilerSuite, DirectoryThatHoldsSomething_GoesOnlyWithAllOfIt) {
  ASSERT_TRUE(rig().create(directory() + "/d/e", file("a")));
  EXPECT_FALSE(rig().erase(directory(), "d", false));
  EXPECT_TRUE(find("d"));
  EXPECT_TRUE(rig().erase(directory(), "d", true));
  EXPECT_FALSE(find("d"));
  EXPECT_TRUE(rig().list(directory() + "/d/e", "", "", 10)->empty());
}

TEST_P(FilerSuite, Chunks_ComeBackWithTheirIds) {
  const std::string id = rig().store("0123456789");
  Entry entry = file("log");
  entry.chunks = {{.file_id = id, .offset = 0, .size_bytes = 10, .modified_ns = 77}};
  entry.size_bytes = 10;
  ASSERT_TRUE(rig().create(directory(), entry));
  const auto found = find("log");
  ASSERT_EQ(found->chunks.size(), 1U);
  EXPECT_EQ(found->chunks[0].file_id, id);
  EXPECT_EQ(found->chunks[0].size_bytes, 10U);
  EXPECT_EQ(found->chunks[0].modified_ns, 77);
  EXPECT_EQ(found->size_bytes, 10U);
}

TEST_P(FilerSuite, ChunkThatAnUpdateDrops_IsDeleted) {
  ASSERT_TRUE(acquire("1"));
  const std::string one = rig().store("one");
  const std::string two = rig().store("two");
  Entry entry = file("log");
  entry.chunks = {{.file_id = one, .size_bytes = 3, .modified_ns = 1}};
  ASSERT_EQ(rig().transact(change(FencedChange::Kind::put, "1", entry)).value(), Outcome::done);
  entry.chunks = {{.file_id = two, .size_bytes = 3, .modified_ns = 2}};
  ASSERT_EQ(rig().transact(change(FencedChange::Kind::put, "1", entry)).value(), Outcome::done);
  EXPECT_TRUE(rig().eventually([&] {
    const auto gone = rig().download(one, 0, 3);
    return gone && !*gone;
  }));
  EXPECT_EQ(ClientRig::text(**rig().download(two, 0, 3)), "two");
}

TEST_P(FilerSuite, Lock_IsHeldByOneAndRenewedWithItsLatestToken) {
  const std::string name = "lock-" + directory();
  const auto first = rig().lock(name, 30, "a");
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(first->granted);
  EXPECT_GT(first->generation, 0);
  EXPECT_EQ(rig().lock_owner(name).value().value(), "a");

  const auto refused = rig().lock(name, 30, "b");
  ASSERT_TRUE(refused);
  EXPECT_FALSE(refused->granted);
  EXPECT_EQ(refused->owner, "a");
  EXPECT_FALSE(rig().lock(name, 30, "a")->granted);

  const auto renewed = rig().lock(name, 30, "a", first->token);
  ASSERT_TRUE(renewed && renewed->granted);
  EXPECT_EQ(renewed->generation, first->generation);
  EXPECT_NE(renewed->token, first->token);
  EXPECT_FALSE(rig().lock(name, 30, "a", first->token)->granted);
  EXPECT_FALSE(rig().unlock(name, first->token).value());

  EXPECT_TRUE(rig().unlock(name, renewed->token).value());
  EXPECT_FALSE(rig().lock_owner(name).value());
  const auto next = rig().lock(name, 30, "b");
  ASSERT_TRUE(next && next->granted);
  EXPECT_GT(next->generation, first->generation);
}

TEST_P(FilerSuite, LockThatRanOut_IsFree) {
  const std::string name = "short-" + directory();
  const auto first = rig().lock(name, 1, "a");
  ASSERT_TRUE(first && first->granted);
  EXPECT_TRUE(rig().eventually([&] { return rig().lock(name, 30, "b")->granted; }));
  EXPECT_FALSE(rig().lock(name, 30, "a", first->token)->granted);
}

TEST_P(FilerSuite, CallsOfAnotherShard_WorkToo) {
  ASSERT_TRUE(rig().create(directory(), file("a", "x")));
  const auto found = rig().run([&] { return rig().client().filer().lookup(directory(), "a"); }, 1);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->content, "x");
}

}  // namespace
}  // namespace tidegate::storage::seaweedmq
