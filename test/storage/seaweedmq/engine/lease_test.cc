// Leases: who may serve and who may take over, with pauses, lost answers and clean ends, on virtual time.
#include "cluster/session_watch.h"
#include "lease_rig.h"

namespace tidegate::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

MonoTime at(milliseconds time) { return {time}; }

TEST(SeaweedSessionWatch, SessionThatStandsStill_IsFoundOutAfterALeaseAndAFifth) {
  seaweed::SessionWatch watch{seconds(10)};
  EXPECT_FALSE(watch.stands_still("a", "1", at(seconds(100))));
  EXPECT_FALSE(watch.stands_still("a", "1", at(seconds(112))));
  EXPECT_TRUE(watch.stands_still("a", "1", at(milliseconds(112'001))));
  EXPECT_FALSE(watch.stands_still("a", "2", at(seconds(113)))) << "renewed";
  EXPECT_FALSE(watch.stands_still("a", "1", at(seconds(126)))) << "any change counts from when it was seen";
  EXPECT_FALSE(watch.stands_still("b", "1", at(seconds(300)))) << "seen for the first time";
  EXPECT_TRUE(watch.stands_still("a", "1", at(seconds(300))));
  watch.forget("a");
  EXPECT_FALSE(watch.stands_still("a", "1", at(seconds(300))));
  watch.keep_only([](const std::string& name) { return name == "b"; });
  EXPECT_EQ(watch.size(), 1U);
}

TEST(SeaweedLease, LiveOwner_IsNotDeposed) {
  LeaseRig rig;
  auto owner = rig.gateway(true);
  ASSERT_TRUE(owner->append_values({"one"}));
  auto other = rig.gateway();
  rig.pass(seconds(5), [&] {
    EXPECT_TRUE(serves(*owner));
    const auto refused = other->open();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::not_leader_or_follower);
  });
  EXPECT_EQ(owner->append_values({"two"})->base_offset, 1);
}

TEST(SeaweedLease, CleanStop_HandsOverAtOnce) {
  LeaseRig rig;
  auto owner = rig.gateway(true);
  ASSERT_TRUE(owner->append_values({"one"}));
  auto other = rig.gateway();
  ASSERT_FALSE(other->open());
  owner->stop();
  EXPECT_EQ(rig.cluster.paths("/topics/kafka/.meta/sessions/").size(), 1U);
  EXPECT_EQ(other->append_values({"two"})->base_offset, 1);
  EXPECT_EQ(other->values(), (Values{"one", "two"}));
}

TEST(SeaweedLease, PausedOwner_ServesNothingBeforeAnotherDoes) {
  LeaseRig rig;
  auto paused = rig.gateway(true);
  ASSERT_TRUE(paused->append_values({"one"}));
  auto other = rig.gateway();
  rig.pass(seconds(1));
  paused->cut_off(true);
  int both = 0;
  int steps = 0;
  bool taken = false;
  rig.pass(seconds(3), [&] {
    const bool served = serves(*paused);
    if (!taken && other->open()) taken = true;
    if (!taken) ++steps;
    both += served && taken ? 1 : 0;
  });
  EXPECT_TRUE(taken);
  EXPECT_EQ(both, 0);
  EXPECT_GE(kStep * steps, kTestLease);
  EXPECT_LE(kStep * steps, kTestLease * 8 / 5) << "a lease, a fifth, and a renewal's time";
  EXPECT_EQ(other->append_values({"two"})->base_offset, 1);

  paused->cut_off(false);
  EXPECT_EQ(paused->append_values({"stale"}).error().code, ErrorCode::not_leader_or_follower);
  rig.pass(seconds(2),
           [&] { EXPECT_FALSE(serves(*paused)) << "its next session does not bring the fence back"; });
  EXPECT_EQ(paused->append_values({"stale"}).error().code, ErrorCode::not_leader_or_follower);
  EXPECT_EQ(other->values(), (Values{"one", "two"}));
}

TEST(SeaweedLease, LapsedAndNotReplaced_GoesOnInTheSameEpoch) {
  LeaseRig rig;
  auto gateway = rig.gateway(true);
  ASSERT_TRUE(gateway->append_values({"one"}));
  gateway->cut_off(true);
  rig.pass(seconds(3));
  EXPECT_EQ(gateway->read(0).error().code, ErrorCode::not_leader_or_follower);
  EXPECT_EQ(gateway->append_values({"x"}).error().code, ErrorCode::not_leader_or_follower);
  gateway->cut_off(false);
  rig.pass(seconds(1));
  EXPECT_EQ(gateway->append_values({"two"})->base_offset, 1);
  EXPECT_EQ(gateway->values(), (Values{"one", "two"}));
  EXPECT_EQ(gateway->engine().leader_epoch({kTopicId, 0}), 0);
}

TEST(SeaweedLease, SessionThatWasEnded_IsFollowedByAnotherThatConfirmsItsFences) {
  LeaseRig rig;
  auto gateway = rig.gateway(true);
  ASSERT_TRUE(gateway->append_values({"one"}));
  const auto named = rig.cluster.paths("/topics/kafka/.meta/fences/");
  ASSERT_EQ(named.size(), 1U);
  const std::string before = rig.cluster.entry(named[0])->content;
  auto other = rig.gateway();
  gateway->cut_off(true);
  rig.pass(seconds(3));
  EXPECT_FALSE(rig.cluster.entry("/topics/kafka/.meta/sessions/" + before)) << "the other has ended it";
  gateway->cut_off(false);
  rig.pass(seconds(1));
  const std::string after = rig.cluster.entry(named[0])->content;
  EXPECT_NE(after, before);
  EXPECT_TRUE(rig.cluster.entry("/topics/kafka/.meta/sessions/" + after));
  EXPECT_EQ(gateway->append_values({"two"})->base_offset, 1);
  EXPECT_EQ(gateway->engine().leader_epoch({kTopicId, 0}), 0);
  EXPECT_FALSE(other->open());
}

TEST(SeaweedLease, RingThatChanges_EndsTheSession_AndFencesAreConfirmedForTheNext) {
  LeaseRig rig;
  auto gateway = rig.gateway(true);
  ASSERT_TRUE(gateway->append_values({"one"}));
  const auto named = rig.cluster.paths("/topics/kafka/.meta/fences/");
  ASSERT_EQ(named.size(), 1U);
  const std::string before = rig.cluster.entry(named[0])->content;
  gateway->change_ring();
  EXPECT_EQ(gateway->read(0).error().code, ErrorCode::not_leader_or_follower) << "at once";
  EXPECT_EQ(gateway->append_values({"x"}).error().code, ErrorCode::not_leader_or_follower);
  rig.pass(std::chrono::milliseconds(500));
  EXPECT_FALSE(serves(*gateway)) << "the stores have time to agree";
  gateway->change_ring();  // once more
  rig.pass(seconds(3));
  ASSERT_TRUE(serves(*gateway));
  const std::string after = rig.cluster.entry(named[0])->content;
  EXPECT_NE(after, before);
  EXPECT_FALSE(rig.cluster.entry("/topics/kafka/.meta/sessions/" + before));
  EXPECT_TRUE(rig.cluster.entry("/topics/kafka/.meta/sessions/" + after));
  EXPECT_EQ(gateway->append_values({"two"})->base_offset, 1);
  EXPECT_EQ(gateway->values(), (Values{"one", "two"}));
  EXPECT_EQ(gateway->engine().leader_epoch({kTopicId, 0}), 0);
}

TEST(SeaweedLease, RingThatChanges_UnderAppends_LosesAndRepeatsNone) {
  LeaseRig rig;
  auto gateway = rig.gateway(true);
  Values acknowledged;
  for (int i = 0; i < 40; ++i) {
    if (i % 10 == 5) gateway->change_ring();
    const std::string value = "v" + std::to_string(i);
    for (int tries = 0; tries < 100; ++tries) {
      const auto appended = gateway->append_values({value});
      if (appended) break;
      EXPECT_EQ(appended.error().code, ErrorCode::not_leader_or_follower);
      rig.pass(kStep);
    }
    acknowledged.push_back(value);
  }
  EXPECT_EQ(gateway->values(), acknowledged);
}

TEST(SeaweedLease, LostAnswersOfRenewals_AreLookedUp) {
  LeaseRig rig;
  auto gateway = rig.gateway(true);
  ASSERT_TRUE(gateway->append_values({"one"}));
  auto other = rig.gateway();
  int renewals = 0;
  rig.cluster.set_script([&renewals](const SeaweedCall& call) {
    if (call.op != SeaweedOp::transact || call.path.find("/sessions/") == std::string::npos)
      return SeaweedFault::none;
    const SeaweedFault faults[] = {SeaweedFault::error_after, SeaweedFault::none, SeaweedFault::error_before};
    return faults[renewals++ % 3];
  });
  rig.pass(seconds(5), [&] {
    EXPECT_TRUE(serves(*gateway));
    EXPECT_FALSE(other->open());
  });
  EXPECT_GT(renewals, 10);
  rig.cluster.set_script({});
  rig.pass(seconds(1));
}

TEST(SeaweedLease, CommitThatOutlastsTheLease_IsConfirmedByTheFence) {
  LeaseRig rig;
  auto gateway = rig.gateway(true);
  ASSERT_TRUE(gateway->append_values({"one"}));
  rig.cluster.hold(SeaweedOp::transact);
  auto& log = gateway->log();
  auto code = std::make_shared<std::optional<ErrorCode>>();
  static constexpr auto append = [](storage::PartitionLog* to,
                                    std::shared_ptr<std::optional<ErrorCode>> out) -> Task<void> {
    auto batches = list(batch_of({"two"}));
    auto appended = co_await to->append(to->leader_epoch(), std::move(batches));
    *out = appended ? ErrorCode::none : appended.error().code;
  };
  rig.shards().shard().spawn(append(&log, code), "append");
  rig.pass(seconds(2));
  ASSERT_GE(rig.cluster.held(), 2U) << "the commit and a renewal";
  EXPECT_FALSE(serves(*gateway));
  rig.cluster.resume_held();
  rig.pass(seconds(1));
  EXPECT_EQ(rig.shards().call([code] { return *code; }), ErrorCode::none) << "acknowledged, if late";
  EXPECT_EQ(gateway->values(), (Values{"one", "two"})) << "once, and readable";
  EXPECT_EQ(gateway->offsets().high_watermark, 2);
}

}  // namespace
}  // namespace tidegate::test
