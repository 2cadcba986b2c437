// The slot file alone: no crash takes both copies, none is lost with the slot's former owner, and what a
// failed sync dropped is written again.
#include "slot_file.h"

#include <gtest/gtest.h>

#include "fault_disk.h"

namespace tidegate::test {
namespace {

namespace se = storage::embedded;
using se::SlotState;

PartitionId partition(std::int32_t index) {
  PartitionId id;
  id.topic.bytes = {9, 9};
  id.index = index;
  return id;
}

se::Slot dirty(Offset end) {
  return {.state = SlotState::dirty, .end = {.offset = end, .segment = 0, .position = 10}};
}

struct Mounted {
  std::shared_ptr<FaultDisk> disk;
  std::unique_ptr<se::Vfs> vfs;
  se::SlotFile slots;
  explicit Mounted(std::shared_ptr<FaultDisk> the_disk, se::RunMark run = {})
      : disk(std::move(the_disk)), vfs(disk->mount()) {
    static_cast<void>(vfs->make_dir("/data"));
    static_cast<void>(vfs->sync_dir("/"));
    EXPECT_TRUE(slots.open(*vfs, "/data", run));
  }
};

TEST(SlotFile, WrittenWithoutSyncs_KeepsTheSyncedOneInAnyCrash) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    auto disk = std::make_shared<FaultDisk>(seed);
    Offset synced = 0;
    {
      Mounted mounted(disk);
      SeededRng rng(seed);
      mounted.slots.allot(partition(0));
      ASSERT_TRUE(mounted.slots.write(partition(0), dirty(0)));
      ASSERT_TRUE(mounted.slots.sync());
      for (Offset end = 1; end < 12; ++end) {
        ASSERT_TRUE(mounted.slots.write(partition(0), dirty(end)));
        if (rng.below(4) != 0) continue;
        ASSERT_TRUE(mounted.slots.sync());
        synced = end;
      }
      disk->crash();
    }
    Mounted mounted(disk);
    const auto found = mounted.slots.find(partition(0));
    ASSERT_TRUE(found) << "seed " << seed;
    EXPECT_GE(found->slot.end.offset, synced) << "seed " << seed;
    EXPECT_LT(found->slot.end.offset, 12);
  }
}

TEST(SlotFile, SlotUsedAgain_BelongsToItsLaterOwner) {
  auto disk = std::make_shared<FaultDisk>(1);
  {
    Mounted mounted(disk);
    mounted.slots.allot(partition(0));
    for (Offset end = 0; end < 9; ++end) ASSERT_TRUE(mounted.slots.write(partition(0), dirty(end)));
    mounted.slots.release(partition(0));
    mounted.slots.allot(partition(1));
    ASSERT_TRUE(mounted.slots.write(partition(1), dirty(5)));
    ASSERT_TRUE(mounted.slots.sync());
  }
  EXPECT_EQ(disk->content("/data/slots").size(), se::SlotFile::kSlotBytes);
  Mounted mounted(disk);
  EXPECT_FALSE(mounted.slots.find(partition(0)));
  const auto found = mounted.slots.find(partition(1));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->slot.end.offset, 5);
}

TEST(SlotFile, ReleasedSlot_IsNotWrittenAnyMore) {
  auto disk = std::make_shared<FaultDisk>(1);
  Mounted mounted(disk);
  mounted.slots.allot(partition(0));
  ASSERT_TRUE(mounted.slots.write(partition(0), dirty(1)));
  mounted.slots.release(partition(0));
  const auto before = disk->content("/data/slots");
  ASSERT_TRUE(mounted.slots.write(partition(0), dirty(2)));
  EXPECT_EQ(disk->content("/data/slots"), before);
  EXPECT_TRUE(mounted.slots.partitions(std::nullopt).empty());
}

TEST(SlotFile, FailedSync_IsMadeUpForByTheNext) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    auto disk = std::make_shared<FaultDisk>(seed);
    {
      Mounted mounted(disk);
      for (std::int32_t p = 0; p < 3; ++p) {
        mounted.slots.allot(partition(p));
        ASSERT_TRUE(mounted.slots.write(partition(p), dirty(p + 1)));
      }
      disk->fail_syncs(1, 1);
      EXPECT_FALSE(mounted.slots.sync());
      ASSERT_TRUE(mounted.slots.sync());
      disk->crash_keeping([](const std::string&) { return false; });
    }
    Mounted mounted(disk);
    for (std::int32_t p = 0; p < 3; ++p) {
      const auto found = mounted.slots.find(partition(p));
      ASSERT_TRUE(found) << "seed " << seed;
      EXPECT_EQ(found->slot.end.offset, p + 1);
    }
  }
}

TEST(SlotFile, RunAndBreak_ComeBack_AndOnlyAKnownBootIsTheSame) {
  auto disk = std::make_shared<FaultDisk>(1);
  {
    Mounted mounted(disk, {.boot = 7, .shows_unsynced = true});
    mounted.slots.allot(partition(0));
    auto slot = dirty(1);
    slot.broken = true;
    ASSERT_TRUE(mounted.slots.write(partition(0), slot));
  }
  Mounted same(disk, {.boot = 7});
  const auto found = same.slots.find(partition(0));
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->slot.broken);
  EXPECT_TRUE(found->run.shows_unsynced);
  EXPECT_TRUE(same.slots.is_of_this_boot(found->run));
  EXPECT_FALSE(Mounted(disk, {.boot = 8}).slots.is_of_this_boot(found->run));
  EXPECT_FALSE(Mounted(disk, {.boot = 0}).slots.is_of_this_boot({.boot = 0}));
}

}  // namespace
}  // namespace tidegate::test
