// Scopes that begin with the position files of SeaweedFS's own Kafka gateway, while they have no entry of
// ours.
#include "meta/inherited_positions.h"

#include "seaweed_rig.h"

namespace tidegate::test {
namespace {

using storage::MetaOp;
constexpr const char* kFiles = "/topics/kafka/.meta/consumer_offsets/";

// Keys are topic and partition, values the file: what app/ makes of them is its own business.
SeaweedRig& with_positions(SeaweedRig& rig) {
  rig.options.positions.scope_prefix = "group/";
  rig.options.positions.to_entries = [](const std::vector<storage::PositionFile>& files) {
    std::vector<storage::MetaEntry> entries;
    for (const auto& file : files) {
      if (file.content.empty()) continue;
      entries.push_back({.key = file.topic + "/" + std::to_string(file.partition), .value = file.content});
    }
    return entries;
  };
  return rig;
}

void leave(SeaweedRig& rig, const std::string& path, std::string content) {
  seaweed::Entry file;
  file.content = std::move(content);
  rig.cluster.set_entry(kFiles + path, file);
}

using Entries = std::vector<std::pair<std::string, std::string>>;
Entries scan(SeaweedRig& rig, Gateway& gateway, std::string scope) {
  auto found = rig.shards().run([&] { return gateway.engine().meta().scan(scope, "", "", 100); });
  EXPECT_TRUE(found) << found.error().message;
  Entries entries;
  if (!found) return entries;
  for (auto& entry : *found) entries.emplace_back(entry.key, entry.value);
  return entries;
}
Result<void> put(SeaweedRig& rig, Gateway& gateway, std::string scope, std::vector<MetaOp> ops,
                 std::int32_t epoch = 0) {
  return rig.shards().run(
      [&] { return gateway.engine().meta().put_batch(scope, epoch, ops, storage::MetaDurability::synced); });
}
MetaOp erasure(std::string key) { return {.kind = MetaOp::Kind::erase, .key = std::move(key), .value = {}}; }

TEST(InheritedPositions, AreTheScopeUntilItHasAnEntry) {
  SeaweedRig rig;
  auto gateway = with_positions(rig).gateway();
  EXPECT_EQ(scan(rig, *gateway, "group/g"), Entries{});
  leave(rig, "g/orders/0/offset", "five");
  leave(rig, "g/orders/12/offset", "six");
  leave(rig, "g/bills/3/offset", "seven");
  leave(rig, "other/orders/0/offset", "not of g");
  const Entries all = {{"bills/3", "seven"}, {"orders/0", "five"}, {"orders/12", "six"}};
  EXPECT_EQ(scan(rig, *gateway, "group/g"), all);
  EXPECT_EQ(scan(rig, *gateway, "g"), Entries{}) << "no scope of a group";
  // The first write keeps them all: from then on there is an entry.
  ASSERT_TRUE(put(rig, *gateway, "group/g", {{.key = "orders/0", .value = "ours"}}, 3));
  leave(rig, "g/orders/12/offset", "written too late");
  const Entries kept = {{"bills/3", "seven"}, {"orders/0", "ours"}, {"orders/12", "six"}};
  EXPECT_EQ(scan(rig, *gateway, "group/g"), kept);
  EXPECT_EQ(put(rig, *gateway, "group/g", {}, 2).error().code, ErrorCode::not_coordinator);
  // Another gateway reads the same.
  auto two = rig.gateway();
  EXPECT_EQ(scan(rig, *two, "group/g"), kept);
  EXPECT_EQ(rig.cluster.entry(std::string(kFiles) + "g/orders/0/offset")->content, "five")
      << "left as it was";
}

TEST(InheritedPositions, WhatWasErasedDoesNotComeBack) {
  SeaweedRig rig;
  auto gateway = with_positions(rig).gateway();
  leave(rig, "g/orders/0/offset", "five");
  ASSERT_TRUE(put(rig, *gateway, "group/g", {erasure("orders/0")}));
  EXPECT_EQ(scan(rig, *gateway, "group/g"), Entries{});
  ASSERT_TRUE(put(rig, *gateway, "group/g", {{.key = "orders/0", .value = "ours"}}));
  ASSERT_TRUE(put(rig, *gateway, "group/g", {erasure("orders/0")}));
  EXPECT_EQ(scan(rig, *gateway, "group/g"), Entries{});
  auto listed = rig.shards().run([&] { return gateway->engine().meta().scopes("group/", "", 10); });
  EXPECT_TRUE(listed && listed->empty());
}

TEST(InheritedPositions, OtherFilesAndNamesAreLeftAlone) {
  SeaweedRig rig;
  auto gateway = with_positions(rig).gateway();
  leave(rig, "g/orders/zero/offset", "no partition");
  leave(rig, "g/orders/-1/offset", "no partition");
  leave(rig, "g/orders/1/other", "another file");
  leave(rig, "g/orders/2/offset/deeper", "a directory of that name");
  leave(rig, "g/orders/3/offset", "");
  leave(rig, "g/README", "no directory");
  leave(rig, "a/b/0/offset", "of a group a");
  EXPECT_EQ(scan(rig, *gateway, "group/g"), Entries{});
  for (const char* name : {"", ".", "..", "../consumer_offsets/a", "a/b", "a/", "a\n"})
    EXPECT_EQ(scan(rig, *gateway, std::string("group/") + name), Entries{}) << name;
  EXPECT_EQ(scan(rig, *gateway, "group/a"), (Entries{{"b/0", "of a group a"}}));
  SeaweedRig plain;
  auto other = plain.gateway();
  leave(plain, "g/orders/0/offset", "five");
  EXPECT_EQ(scan(plain, *other, "group/g"), Entries{}) << "only where app/ asks for it";
}

TEST(InheritedPositions, FilerThatFails_IsNoGroupWithoutPositions) {
  SeaweedRig rig;
  auto gateway = with_positions(rig).gateway();
  leave(rig, "g/orders/0/offset", "five");
  for (const auto op : {SeaweedOp::list, SeaweedOp::lookup}) {
    for (int nth = 1; nth <= 2; ++nth) {
      rig.cluster.strike(op, SeaweedFault::error_before, nth);
      auto failed = rig.shards().run([&] { return gateway->engine().meta().scan("group/g", "", "", 9); });
      ASSERT_FALSE(failed);
      EXPECT_EQ(failed.error().code, ErrorCode::kafka_storage_error);
    }
  }
  rig.cluster.strike(SeaweedOp::list, SeaweedFault::error_before);
  EXPECT_EQ(put(rig, *gateway, "group/g", {{.key = "k", .value = "v"}}).error().code,
            ErrorCode::kafka_storage_error);
  EXPECT_EQ(scan(rig, *gateway, "group/g"), (Entries{{"orders/0", "five"}}));
}

TEST(InheritedPositions, MoreFilesThanTheLimit_AreCut) {
  SeaweedRig rig;
  auto gateway = with_positions(rig).gateway();
  constexpr auto kMost = seaweed::InheritedPositions::kMaxFiles;
  for (std::size_t n = 0; n < kMost + 10; ++n) leave(rig, "g/orders/" + std::to_string(n) + "/offset", "x");
  auto found = rig.shards().run([&] { return gateway->engine().meta().scan("group/g", "", "", 2 * kMost); });
  EXPECT_EQ(found->size(), kMost);
}

}  // namespace
}  // namespace tidegate::test
