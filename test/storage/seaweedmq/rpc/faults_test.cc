// Servers that are dead, hang, reset or lie: every call ends within its time with a code that can be
// retried, a breaker keeps calls away meanwhile, and all is well within five seconds of the healing.
#include <gtest/gtest.h>

#include "rpc/client_rig.h"

namespace tidegate::storage::seaweedmq {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
constexpr auto kHealing = 5s;
// Ten times what a call may take: a hang, not slowness.
constexpr auto kHang = 15s;
// For what ends by deadlines: some of them one after another on a busy machine.
constexpr auto kNoticed = 30s;

std::int64_t metric(ClientRig& rig, const std::string& name, const std::string& label) {
  for (const auto& family : rig.shards().metrics().collect()) {
    if (family.name != name) continue;
    for (const auto& sample : family.samples) {
      if (label.empty()) return static_cast<std::int64_t>(sample.value);
      for (const auto& [key, value] : sample.labels) {
        if (value == label) return static_cast<std::int64_t>(sample.value);
      }
    }
  }
  return -1;
}

class FaultSuite : public ::testing::TestWithParam<std::string> {
 public:
  void SetUp() override {
    auto cluster = make_cluster(GetParam());
    ASSERT_TRUE(cluster);
    rig = std::make_unique<ClientRig>(std::move(cluster));
    rig->start_and_wait();
    needle = rig->store("0123456789");
    Entry entry = file("a", "x");
    ASSERT_TRUE(rig->create("/topics/kafka/t", entry));
  }
  bool finds() {
    const auto found = rig->lookup("/topics/kafka/t", "a");
    return found && *found;
  }
  bool reads() {
    const auto bytes = rig->download(needle, 0, 10);
    return bytes && *bytes;
  }
  bool writes() {
    const auto to = rig->assign();
    return to && rig->upload(*to, "x");
  }
  // `call` fails, with the code that clients retry, within the hang limit.
  template <class F>
  void fails_in_time(F call) {
    const auto began = Clock::now();
    const auto answer = call();
    EXPECT_LT(Clock::now() - began, kHang);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kafka_storage_error) << answer.error().message;
  }
  void filer_fails() {
    for (int i = 0; i < 4; ++i) {
      fails_in_time([&] { return rig->lookup("/topics/kafka/t", "a"); });
      fails_in_time([&] { return rig->create("/topics/kafka/t", file("b")); });
      fails_in_time([&] { return rig->lock("l", 10, "me"); });
    }
    fails_in_time([&] { return rig->list("/topics/kafka/t", "", "", 10); });
    fails_in_time([&] { return rig->update("/topics/kafka/t", file("a"), "k", "v"); });
    fails_in_time([&] { return rig->transact({.fence_path = "/f", .directory = "/", .entry = file("f")}); });
    fails_in_time([&] { return rig->erase("/topics/kafka/t", "a", false); });
    fails_in_time([&] { return rig->unlock("l", "t"); });
    fails_in_time([&] { return rig->lock_owner("l"); });
    EXPECT_EQ(metric(*rig, "tidegate_seaweedmq_open_breakers", "filer"), 1);
    EXPECT_NE(rig->client().missing().find("no filer"), std::string::npos) << rig->client().missing();
  }
  void volume_fails() {
    const auto to = rig->assign();
    ASSERT_TRUE(to) << to.error().message;
    for (int i = 0; i < 4; ++i) fails_in_time([&] { return rig->download(needle, 0, 10); });
    fails_in_time([&] { return rig->upload(*to, "x"); });
    EXPECT_EQ(metric(*rig, "tidegate_seaweedmq_open_breakers", "volume"), 1);
  }
  void heals(Part part, const std::function<bool()>& good, std::chrono::seconds within = kHealing) {
    rig->proxy(part).set(FaultyProxy::Mode::pass);
    EXPECT_TRUE(rig->eventually(good, within));
    EXPECT_TRUE(rig->eventually([&] { return rig->client().missing().empty(); }, within))
        << rig->client().missing();
  }
  std::unique_ptr<ClientRig> rig;
  std::string needle;
};
INSTANTIATE_TEST_SUITE_P(Clusters, FaultSuite, ::testing::ValuesIn(clusters()), kind_of);

TEST_P(FaultSuite, FilerDead_FailsInTime_AndHeals) {
  rig->proxy(Part::filer).set(FaultyProxy::Mode::refuse);
  filer_fails();
  heals(Part::filer, [&] { return finds(); });
  EXPECT_EQ(metric(*rig, "tidegate_seaweedmq_open_breakers", "filer"), 0);
}

TEST_P(FaultSuite, FilerHanging_FailsInTime_AndHeals) {
  rig->proxy(Part::filer).set(FaultyProxy::Mode::hang);
  filer_fails();
  heals(Part::filer, [&] { return finds(); });
}

TEST_P(FaultSuite, FilersConnectionReset_ReadsGoOn) {
  for (int i = 0; i < 5; ++i) {
    rig->proxy(Part::filer).reset_all();
    EXPECT_TRUE(rig->eventually([&] { return finds(); }, kHealing));
  }
}

TEST_P(FaultSuite, FilerFlapping_IsUsedWheneverItIsThere) {
  for (int i = 0; i < 3; ++i) {
    rig->proxy(Part::filer).set(FaultyProxy::Mode::refuse);
    EXPECT_TRUE(rig->eventually([&] { return !finds(); }));
    heals(Part::filer, [&] { return finds(); });
  }
}

TEST_P(FaultSuite, FilerRestarted_IsUsedAgain_AndItsLocksAreGone) {
  const auto before = rig->lock("l", 60, "a");
  ASSERT_TRUE(before && before->granted);
  rig->cluster().kill(Part::filer);
  EXPECT_FALSE(finds());
  rig->cluster().start(Part::filer);
  EXPECT_TRUE(rig->eventually([&] { return finds(); }));
  bool granted = false;
  std::int64_t generation = 0;
  EXPECT_TRUE(rig->eventually([&] {
    const auto next = rig->lock("l", 60, "b");
    granted = next && next->granted;
    if (granted) generation = next->generation;
    return granted;
  }));
  EXPECT_LE(generation, before->generation);
}

TEST_P(FaultSuite, VolumeServerDead_FailsInTime_AndHeals) {
  rig->proxy(Part::volume).set(FaultyProxy::Mode::refuse);
  volume_fails();
  EXPECT_TRUE(finds());
  heals(Part::volume, [&] { return reads() && writes(); });
}

TEST_P(FaultSuite, VolumeServerHanging_FailsInTime_AndHeals) {
  rig->proxy(Part::volume).set(FaultyProxy::Mode::hang);
  volume_fails();
  EXPECT_TRUE(finds());
  heals(Part::volume, [&] { return reads() && writes(); });
}

TEST_P(FaultSuite, VolumeServersConnectionsReset_GoOn) {
  for (int i = 0; i < 5; ++i) {
    rig->proxy(Part::volume).reset_all();
    EXPECT_TRUE(rig->eventually([&] { return reads() && writes(); }, kHealing));
  }
}

TEST_P(FaultSuite, VolumeServerRestarted_HasWhatItHad) {
  rig->cluster().kill(Part::volume);
  EXPECT_FALSE(reads());
  rig->cluster().start(Part::volume);
  EXPECT_TRUE(rig->eventually([&] { return reads() && writes(); }));
}

TEST_P(FaultSuite, MasterHanging_IsMissed_AndFoundAgain) {
  rig->proxy(Part::master).set(FaultyProxy::Mode::hang);
  EXPECT_TRUE(rig->eventually([&] { return !rig->client().missing().empty(); }));
  EXPECT_TRUE(finds());
  heals(Part::master, [&] { return rig->client().view().connected; });
}

TEST_P(FaultSuite, MasterDead_IsMissed_AndFoundAgain) {
  rig->proxy(Part::master).set(FaultyProxy::Mode::refuse);
  EXPECT_TRUE(rig->eventually([&] { return !rig->client().missing().empty(); }));
  EXPECT_TRUE(finds() && reads());
  heals(Part::master, [&] { return rig->client().view().connected; });
}

// A peer that vanished: nothing ends the connections to it, not even its return. They must be given up.
TEST_P(FaultSuite, FilerHalfOpen_FailsInTime_AndHealsOnAConnectionOfItsOwn) {
  const int before = rig->proxy(Part::filer).connections();
  rig->proxy(Part::filer).set(FaultyProxy::Mode::half_open);
  filer_fails();
  heals(Part::filer, [&] { return finds(); }, kNoticed);
  EXPECT_GT(rig->proxy(Part::filer).connections(), before);
}

TEST_P(FaultSuite, FilerGoneForAMoment_IsFoundAgainThoughTheOldConnectionStaysDead) {
  const int before = rig->proxy(Part::filer).connections();
  rig->proxy(Part::filer).set(FaultyProxy::Mode::half_open);
  EXPECT_FALSE(finds());
  heals(Part::filer, [&] { return finds(); }, kNoticed);
  EXPECT_GT(rig->proxy(Part::filer).connections(), before);
}

TEST_P(FaultSuite, VolumeServerHalfOpen_FailsInTime_AndHeals) {
  rig->proxy(Part::volume).set(FaultyProxy::Mode::half_open);
  volume_fails();
  EXPECT_TRUE(finds());
  heals(Part::volume, [&] { return reads() && writes(); }, kNoticed);
}

TEST_P(FaultSuite, MasterHalfOpen_IsMissed_AndFoundAgain) {
  rig->proxy(Part::master).set(FaultyProxy::Mode::half_open);
  EXPECT_TRUE(rig->eventually([&] { return !rig->client().missing().empty(); }, kNoticed));
  EXPECT_TRUE(finds());
  heals(Part::master, [&] { return rig->client().view().connected; }, kNoticed);
}

TEST_P(FaultSuite, CallsAreCountedAndTimed) {
  const auto before = metric(*rig, "tidegate_seaweedmq_calls_total", "lookup_entry");
  EXPECT_GE(before, 0);
  finds();
  EXPECT_EQ(metric(*rig, "tidegate_seaweedmq_calls_total", "lookup_entry"), before + 1);
  const auto sent = metric(*rig, "tidegate_seaweedmq_sent_bytes_total", "");
  rig->store("12345");
  EXPECT_EQ(metric(*rig, "tidegate_seaweedmq_sent_bytes_total", ""), sent + 5);
  reads();
  EXPECT_EQ(metric(*rig, "tidegate_seaweedmq_received_bytes_total", ""), 10);
}

// ------------------------------------------------------------------------------------- fake only

struct SeaweedFaults : ::testing::Test {
  void SetUp() override { rig.start_and_wait(); }
  test::Faults& faults() { return rig.fake().filer().faults(); }
  ClientRig rig{std::make_unique<FakeCluster>()};
  const std::string directory = "/topics/kafka/t";
};

TEST_F(SeaweedFaults, BothShapesOfNotThere_AreNone) {
  for (const bool status : {false, true}) {
    rig.fake().filer().answer_missing_with_not_found(status);
    const auto found = rig.lookup(directory, "a");
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_FALSE(*found);
  }
}

TEST_F(SeaweedFaults, ChunksWithOnlyTheirParts_GetTheirIds) {
  rig.fake().filer().answer_chunks_with_fid_only(true);
  Entry entry = file("a");
  entry.chunks = {{.file_id = "3,01637037d6", .size_bytes = 1}};
  ASSERT_TRUE(rig.create(directory, entry));
  EXPECT_EQ(rig.lookup(directory, "a").value()->chunks.at(0).file_id, "3,01637037d6");
}

TEST_F(SeaweedFaults, ReadThatFailsOnce_IsRepeated) {
  ASSERT_TRUE(rig.create(directory, file("a")));
  faults().set("LookupDirectoryEntry", {.times = 2});
  EXPECT_TRUE(*rig.lookup(directory, "a"));
  faults().set("ListEntries", {.times = 1});
  EXPECT_EQ(rig.list(directory, "", "", 10)->size(), 1U);
  faults().set("AssignVolume", {.times = 1});
  EXPECT_TRUE(rig.assign());
  EXPECT_EQ(metric(rig, "tidegate_seaweedmq_repeats_total", "lookup_entry"), 2);
}

TEST_F(SeaweedFaults, WriteThatFails_IsNeverRepeated) {
  for (const char* method : {"CreateEntry", "UpdateEntry", "DeleteEntry", "ObjectTransaction",
                             "DistributedLock", "DistributedUnlock"}) {
    faults().set(method, {.times = 1});
  }
  EXPECT_FALSE(rig.create(directory, file("a")));
  ASSERT_TRUE(rig.create(directory, file("a")));
  EXPECT_FALSE(rig.update(directory, file("a"), "k", std::nullopt));
  ASSERT_TRUE(rig.update(directory, file("a"), "k", std::nullopt));
  EXPECT_FALSE(rig.transact({.fence_path = directory + "/f", .directory = directory, .entry = file("f")}));
  ASSERT_TRUE(rig.transact({.fence_path = directory + "/f", .directory = directory, .entry = file("f")}));
  EXPECT_FALSE(rig.erase(directory, "a", false));
  ASSERT_TRUE(rig.erase(directory, "a", false));
  EXPECT_FALSE(rig.lock("l", 10, "me"));
  const auto held = rig.lock("l", 10, "me");
  ASSERT_TRUE(held);
  EXPECT_FALSE(rig.unlock("l", held->token));
  for (const char* method :
       {"CreateEntry", "UpdateEntry", "DeleteEntry", "ObjectTransaction", "DistributedLock"}) {
    EXPECT_EQ(faults().calls(method), 2) << method;
  }
}

TEST_F(SeaweedFaults, WriteWhoseAnswerIsLost_IsAnError_AndMayHaveHappened) {
  faults().set("ObjectTransaction", {.kind = Fault::Kind::lost_answer});
  FencedChange change{.fence_path = directory + "/f", .directory = directory, .entry = file("f")};
  const auto done = rig.transact(change);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kafka_storage_error);
  EXPECT_TRUE(*rig.lookup(directory, "f"));
}

TEST_F(SeaweedFaults, ErrorsInBodies_AreErrors) {
  for (const char* method :
       {"CreateEntry", "DeleteEntry", "ObjectTransaction", "DistributedLock", "DistributedUnlock"}) {
    faults().set(method, {.kind = Fault::Kind::body, .text = "disk on fire", .times = -1});
  }
  auto is_said = [](const auto& answer) {
    return !answer && answer.error().message.find("disk on fire") != std::string::npos;
  };
  EXPECT_TRUE(is_said(rig.create(directory, file("a"))));
  EXPECT_TRUE(is_said(rig.erase(directory, "a", false)));
  EXPECT_TRUE(is_said(rig.transact({.fence_path = "/f", .directory = directory, .entry = file("f")})));
  EXPECT_TRUE(is_said(rig.lock("l", 10, "me")));
  EXPECT_TRUE(is_said(rig.unlock("l", "t")));
}

TEST_F(SeaweedFaults, AnswersThatAreErrors_DoNotOpenTheBreaker) {
  faults().set("LookupDirectoryEntry", {.code = 2, .text = "store is broken", .times = -1});
  for (int i = 0; i < 10; ++i) {
    const auto found = rig.lookup(directory, "a");
    ASSERT_FALSE(found);
    EXPECT_NE(found.error().message.find("store is broken"), std::string::npos) << found.error().message;
  }
  EXPECT_EQ(metric(rig, "tidegate_seaweedmq_open_breakers", "filer"), 0);
  EXPECT_EQ(faults().calls("LookupDirectoryEntry"), 10);
}

TEST_F(SeaweedFaults, SlowFiler_IsWaitedFor) {
  ASSERT_TRUE(rig.create(directory, file("a")));
  faults().set("LookupDirectoryEntry", {.kind = Fault::Kind::delay, .delay = 100ms});
  EXPECT_TRUE(*rig.lookup(directory, "a"));
  EXPECT_EQ(faults().calls("LookupDirectoryEntry"), 1);
}

TEST_F(SeaweedFaults, OpenBreaker_RefusesAtOnce) {
  faults().set("CreateEntry", {.times = 3});
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(rig.create(directory, file("a")));
  const auto refused = rig.create(directory, file("a"));
  if (!refused) {
    EXPECT_NE(refused.error().message.find("no filer answers"), std::string::npos) << refused.error().message;
    EXPECT_EQ(faults().calls("CreateEntry"), 3);
  }
  EXPECT_TRUE(rig.eventually([&] { return rig.create(directory, file("a")).has_value(); }, kHealing));
}

}  // namespace
}  // namespace tidegate::storage::seaweedmq
