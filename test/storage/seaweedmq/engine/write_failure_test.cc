// Appends whose upload or commit goes wrong: an append that failed is not in the log, one that did not is
// there once, and nothing that was under way comes back later.
#include <memory>
#include <optional>
#include <utility>

#include "seaweed_rig.h"

namespace tidegate::test {
namespace {

// A transaction on a log file, by the n-th such call.
MemoryCluster::Script on_commits(SeaweedFault fault, int from = 1, int to = 1) {
  return [=, seen = 0](const SeaweedCall& call) mutable {
    const bool commit = call.op == SeaweedOp::transact && call.path.starts_with("/topics/kafka/topic/v") &&
                        seaweed::LogFileName::parse(call.path.substr(call.path.rfind('/') + 1));
    if (!commit) return SeaweedFault::none;
    ++seen;
    return seen >= from && seen <= to ? fault : SeaweedFault::none;
  };
}
constexpr int kForEver = 1'000'000;

// Everything that the filer is asked to change or says fails, without effect.
SeaweedFault filer_down(const SeaweedCall& call) {
  const bool volume =
      call.op == SeaweedOp::assign || call.op == SeaweedOp::upload || call.op == SeaweedOp::download;
  return volume ? SeaweedFault::none : SeaweedFault::error_before;
}

TEST(SeaweedWrite, FailedUpload_IsTriedAgainUnderAnotherId) {
  for (const auto fault : {SeaweedFault::error_before, SeaweedFault::error_after}) {
    SeaweedRig rig;
    auto gateway = rig.gateway(true);
    ASSERT_TRUE(gateway->append_values({"a"}));
    rig.cluster.strike(SeaweedOp::upload, fault, 1, 2);
    const auto appended = gateway->append_values({"b"});
    ASSERT_TRUE(appended) << appended.error().message;
    EXPECT_EQ(appended->base_offset, 1);
    EXPECT_EQ(gateway->values(), (Values{"a", "b"}));
    EXPECT_EQ(rig.cluster.unnamed_needles(), 0U) << "what was given up is discarded";
  }
}

TEST(SeaweedWrite, UploadsThatFailForLong_FailTheAppendAlone) {
  SeaweedRig rig;
  auto gateway = rig.gateway(true);
  ASSERT_TRUE(gateway->append_values({"a"}));
  for (const auto op : {SeaweedOp::assign, SeaweedOp::upload}) {
    rig.cluster.set_script([op](const SeaweedCall& call) {
      return call.op == op ? SeaweedFault::error_before : SeaweedFault::none;
    });
    const auto failed = gateway->append_values({"lost"});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::kafka_storage_error);
    EXPECT_EQ(gateway->offsets().log_end, 1);
    EXPECT_EQ(gateway->values(), Values{"a"});
  }
  rig.cluster.set_script({});
  EXPECT_EQ(gateway->append_values({"b"})->base_offset, 1);
  EXPECT_EQ(gateway->values(), (Values{"a", "b"}));
  EXPECT_EQ(rig.cluster.unnamed_needles(), 0U);
}

TEST(SeaweedWrite, FailedUpload_FailsEverythingBehindItToo) {
  SeaweedRig rig;
  auto gateway = rig.gateway(true);
  rig.cluster.set_script([](const SeaweedCall& call) {
    return call.op == SeaweedOp::upload ? SeaweedFault::error_before : SeaweedFault::none;
  });
  const auto codes = gateway->on_log([](storage::PartitionLog& log) -> Task<std::vector<ErrorCode>> {
    std::vector<Task<Result<storage::Appended>>> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(log.append(log.leader_epoch(), list(batch_of({"x"}))));
    std::vector<ErrorCode> all;
    for (auto& task : tasks) {
      auto done = co_await std::move(task);
      all.push_back(done ? ErrorCode::none : done.error().code);
    }
    co_return all;
  });
  EXPECT_EQ(codes, std::vector<ErrorCode>(5, ErrorCode::kafka_storage_error));
  EXPECT_EQ(gateway->offsets().log_end, 0);
}

TEST(SeaweedWrite, CommitOfUnknownFate_IsInTheLogOnce) {
  // Not done, done with its answer lost, refused for no reason, or done later: when something else was
  // written.
  for (const auto fault : {SeaweedFault::error_before, SeaweedFault::error_after, SeaweedFault::refused,
                           SeaweedFault::error_late}) {
    for (const int from : {1, 3}) {  // the first of a file, and a later one
      SCOPED_TRACE(testing::Message() << "fault " << static_cast<int>(fault) << " at commit " << from);
      SeaweedRig rig;
      auto gateway = rig.gateway(true);
      rig.cluster.set_script(on_commits(fault, from, from + 1));
      Values written;
      for (int i = 0; i < 6; ++i) {
        written.push_back("v" + std::to_string(i));
        const auto appended = gateway->append_values({written.back()});
        ASSERT_TRUE(appended) << appended.error().message;
        EXPECT_EQ(appended->base_offset, i);
      }
      EXPECT_EQ(rig.cluster.release_late(), 0) << "the fence had moved on";
      EXPECT_EQ(gateway->values(), written);
      EXPECT_EQ(rig.chunks(), 6U);
      EXPECT_EQ(rig.cluster.unnamed_needles(), 0U);
      gateway->stop();
      EXPECT_EQ(rig.gateway()->values(), written);
    }
  }
}

TEST(SeaweedWrite, CommitWithoutEnd_IsTakenBackOnceTheFilerAnswers) {
  // Whether the filer had done it or will do it some time: the append failed, so it must not be there.
  for (const auto fault : {SeaweedFault::error_before, SeaweedFault::error_after, SeaweedFault::error_late}) {
    for (const bool first : {true, false}) {
      SCOPED_TRACE(testing::Message() << "fault " << static_cast<int>(fault) << (first ? ", new file" : ""));
      SeaweedRig rig;
      auto gateway = rig.gateway(true);
      Values acked;
      if (!first) {
        ASSERT_TRUE(gateway->append_values({"kept"}));
        acked.push_back("kept");
      } else {
        gateway->log();
      }
      rig.cluster.set_script([fault, struck = false](const SeaweedCall& call) mutable {
        const bool commit = call.path.starts_with("/topics/kafka/topic/v") && call.op == SeaweedOp::transact;
        if (commit && !std::exchange(struck, true)) return fault;
        return filer_down(call);
      });
      const auto failed = gateway->append_values({"told to have failed"});
      ASSERT_FALSE(failed);
      EXPECT_EQ(failed.error().code, ErrorCode::kafka_storage_error);
      EXPECT_EQ(gateway->offsets().log_end, static_cast<Offset>(acked.size()));
      EXPECT_FALSE(gateway->append_values({"refused meanwhile"}));
      EXPECT_EQ(gateway->values(), acked);

      rig.cluster.set_script({});
      Result<storage::Appended> healed;
      for (int i = 0; i < 1000 && !(healed = gateway->append_values({"healed"})); ++i) rig.shards().settle();
      ASSERT_TRUE(healed) << healed.error().message;
      acked.push_back("healed");
      EXPECT_EQ(rig.cluster.release_late(), 0);
      EXPECT_EQ(gateway->values(), acked);
      EXPECT_EQ(rig.cluster.unnamed_needles(), 0U);
      gateway->stop();
      EXPECT_EQ(rig.gateway()->values(), acked);
    }
  }
}

TEST(SeaweedWrite, TwoChangesInDoubt_AreBothSettled) {
  // The answers come back the wrong way round: that of the older change, under the older mark, last.
  SeaweedRig rig;
  auto gateway = rig.gateway(true);
  ASSERT_TRUE(gateway->append_values({"kept", "kept too"}));
  auto& log = gateway->log();
  rig.cluster.set_script([commits = 0, states = 0](const SeaweedCall& call) mutable {
    if (call.op != SeaweedOp::transact) return SeaweedFault::none;
    const bool commit = call.path.starts_with("/topics/kafka/topic/v");
    if (!commit) return ++states == 1 ? SeaweedFault::late_held : SeaweedFault::none;
    ++commits;
    if (commits > 2) return SeaweedFault::none;
    return commits == 1 ? SeaweedFault::error_before : SeaweedFault::late_held;
  });
  struct Fates {
    std::optional<bool> trimmed;
    std::optional<bool> appended;
  };
  auto fates = std::make_shared<Fates>();
  static constexpr auto trim = [](storage::PartitionLog* of, std::shared_ptr<Fates> out) -> Task<void> {
    out->trimmed = (co_await of->trim_before(1)).has_value();
  };
  static constexpr auto append = [](storage::PartitionLog* to, std::shared_ptr<Fates> out) -> Task<void> {
    auto batches = list(batch_of({"v2"}));
    out->appended = (co_await to->append(to->leader_epoch(), std::move(batches))).has_value();
  };
  rig.shards().shard().spawn(trim(&log, fates), "trim");
  while (rig.cluster.held() < 1) rig.shards().settle();
  rig.shards().shard().spawn(append(&log, fates), "append");
  while (rig.cluster.held() < 2) rig.shards().settle();
  rig.cluster.resume_held(true);
  const auto ended = [fates] { return fates->trimmed && fates->appended; };
  while (!rig.shards().call(ended)) rig.shards().settle();
  EXPECT_TRUE(*fates->trimmed);
  EXPECT_TRUE(*fates->appended);
  ASSERT_TRUE(gateway->append_values({"v3"}));
  EXPECT_EQ(rig.cluster.release_late(), 0) << "both marks had moved on";
  gateway->stop();
  EXPECT_EQ(values_of(rig.gateway()->read_all(1)), (Values{"kept", "kept too", "v2", "v3"}));
}

TEST(SeaweedWrite, FileThatCouldNotBeErased_KeepsItsNameToItself) {
  // Trimmed, but there; the clock stands still, so that the next file would like to have its name.
  SeaweedRig rig(static_cast<ManualClock*>(nullptr));
  rig.options.direct.give_up_after = Duration(0);
  auto gateway = rig.gateway(true);
  ASSERT_TRUE(gateway->append_values({"trimmed"}));
  rig.cluster.set_script(on_commits(SeaweedFault::error_before, 1, kForEver));
  ASSERT_TRUE(gateway->on_log([](storage::PartitionLog& log) { return log.trim_before(1); }));
  gateway->kill();
  rig.cluster.set_script({});
  ASSERT_EQ(rig.log_files().size(), 1U);

  auto next = rig.gateway();
  const auto appended = next->append_values({"acked"});
  ASSERT_TRUE(appended) << appended.error().message;
  EXPECT_EQ(rig.log_files().size(), 2U);
  next->housekeeping();
  EXPECT_EQ(rig.log_files().size(), 1U);
  EXPECT_EQ(values_of(next->read_all(1)), Values{"acked"});
  next->stop();
  EXPECT_EQ(values_of(rig.gateway()->read_all(1)), Values{"acked"});
}

TEST(SeaweedWrite, KilledBetweenUploadAndCommit_LosesNothingThatWasAcked) {
  SeaweedRig rig;
  auto gateway = rig.gateway(true);
  ASSERT_TRUE(gateway->append_values({"acked"}));
  rig.cluster.set_script(on_commits(SeaweedFault::error_before, 1, kForEver));
  ASSERT_FALSE(gateway->append_values({"not acked"}));
  gateway->kill();
  rig.cluster.set_script({});
  auto next = rig.gateway();
  EXPECT_EQ(next->values(), Values{"acked"});
  EXPECT_EQ(next->append_values({"more"})->base_offset, 1);
  EXPECT_EQ(next->values(), (Values{"acked", "more"}));
}

TEST(SeaweedWrite, KilledBetweenCommitAndAnswer_KeepsTheAppend) {
  SeaweedRig rig;
  auto gateway = rig.gateway(true);
  gateway->log();
  rig.cluster.hold(SeaweedOp::transact);
  auto& log = gateway->log();
  auto ended = std::make_shared<bool>(false);
  static constexpr auto append = [](storage::PartitionLog* to, std::shared_ptr<bool> done) -> Task<void> {
    auto batches = list(batch_of({"stored"}));
    auto appended = co_await to->append(to->leader_epoch(), std::move(batches));
    *done = true;
  };
  rig.shards().shard().spawn(append(&log, ended), "append");
  while (rig.cluster.held() == 0) rig.shards().settle();
  EXPECT_FALSE(rig.shards().call([ended] { return *ended; })) << "no ack before the answer";
  EXPECT_EQ(gateway->offsets().high_watermark, 0);
  // Nothing that it does has an effect any more, and another gateway takes over.
  gateway->cut_off(true);
  rig.cluster.stop_holding();
  auto next = rig.gateway();
  EXPECT_EQ(next->values(), Values{"stored"});
  ASSERT_TRUE(next->append_values({"more"}));
  rig.cluster.resume_held();
  while (!rig.shards().call([ended] { return *ended; })) rig.shards().settle();
  gateway->kill();
  EXPECT_EQ(next->values(), (Values{"stored", "more"}));
}

// ------------------------------------------------------------------------------------------ fencing

TEST(SeaweedFencing, OwnerOfBefore_WritesAndServesNothing) {
  SeaweedRig rig;
  auto before = rig.gateway(true);
  ASSERT_TRUE(before->append_values({"one"}));
  auto after = rig.gateway();
  EXPECT_EQ(after->values(), Values{"one"});
  const auto needles = rig.cluster.needles();
  const auto files = rig.log_files();

  const auto fenced = before->append_values({"stale"});
  ASSERT_FALSE(fenced);
  EXPECT_EQ(fenced.error().code, ErrorCode::not_leader_or_follower);
  EXPECT_FALSE(fenced.error().message.empty());
  EXPECT_EQ(rig.log_files(), files);
  EXPECT_EQ(rig.chunks(), 1U);
  EXPECT_LE(rig.cluster.needles(), needles + 1) << "at most the needle that nothing names";
  EXPECT_EQ(before->append_values({"stale"}).error().code, ErrorCode::not_leader_or_follower);
  EXPECT_EQ(before->read(0).error().code, ErrorCode::not_leader_or_follower);
  const auto trimmed = before->on_log([](storage::PartitionLog& log) { return log.trim_before(1); });
  EXPECT_EQ(trimmed.error().code, ErrorCode::not_leader_or_follower);

  EXPECT_EQ(after->append_values({"two"})->base_offset, 1);
  EXPECT_EQ(after->values(), (Values{"one", "two"}));
}

TEST(SeaweedFencing, TakeOver_AtAFilerThatLagsBehind_WaitsUntilItKnows) {
  // Filers with stores of their own: the fence was written at one, and another one is read.
  SeaweedRig rig;
  auto before = rig.gateway(true);
  ASSERT_TRUE(before->append_values({"one"}));
  rig.cluster.keep_view();
  ASSERT_TRUE(before->append_values({"two"}));
  before->kill();
  auto after = rig.gateway();
  const std::string fences = "/topics/kafka/.meta/fences/";
  rig.cluster.set_script([fences, taken = false, looks = 0](const SeaweedCall& call) mutable {
    const bool fence = call.path.starts_with(fences);
    if (call.op == SeaweedOp::transact && fence) taken = true;
    if (call.op != SeaweedOp::lookup && call.op != SeaweedOp::list) return SeaweedFault::none;
    if (!taken || looks > 5) return SeaweedFault::none;
    if (fence && ++looks > 5) return SeaweedFault::none;
    return SeaweedFault::stale;
  });
  EXPECT_EQ(after->append_values({"three"})->base_offset, 2);
  EXPECT_EQ(after->values(), (Values{"one", "two", "three"}));
}

TEST(SeaweedFencing, TakeOver_BetweenUploadAndCommit_RefusesTheCommit) {
  SeaweedRig rig;
  auto before = rig.gateway(true);
  ASSERT_TRUE(before->append_values({"one"}));
  rig.cluster.hold(SeaweedOp::upload);
  auto& log = before->log();
  auto code = std::make_shared<std::optional<ErrorCode>>();
  static constexpr auto append = [](storage::PartitionLog* to,
                                    std::shared_ptr<std::optional<ErrorCode>> out) -> Task<void> {
    auto batches = list(batch_of({"late"}));
    auto appended = co_await to->append(to->leader_epoch(), std::move(batches));
    *out = appended ? ErrorCode::none : appended.error().code;
  };
  rig.shards().shard().spawn(append(&log, code), "append");
  while (rig.cluster.held() == 0) rig.shards().settle();
  auto after = rig.gateway();
  EXPECT_EQ(after->offsets().log_end, 1);
  rig.cluster.resume_held();
  while (!rig.shards().call([code] { return code->has_value(); })) {
  }
  EXPECT_EQ(**code, ErrorCode::not_leader_or_follower);
  EXPECT_EQ(after->append_values({"two"})->base_offset, 1);
  EXPECT_EQ(after->values(), (Values{"one", "two"}));
  before->kill();
  after->stop();
  EXPECT_EQ(rig.gateway()->values(), (Values{"one", "two"}));
}

TEST(SeaweedFencing, EachTakeOver_IsAnEpochThatIsKept) {
  SeaweedRig rig;
  for (int i = 0; i < 4; ++i) {
    auto gateway = rig.gateway(i == 0);
    auto& log = gateway->log();
    EXPECT_EQ(rig.shards().call([&log] { return log.leader_epoch(); }), i);
    if (i != 2) ASSERT_TRUE(gateway->append_values({"a", "b"}));  // an epoch without a record
    EXPECT_EQ(gateway->engine().leader_epoch({kTopicId, 0}), i);
  }
  auto gateway = rig.gateway();
  EXPECT_EQ(gateway->engine().leader_epoch({kTopicId, 0}), 4) << "as it will be opened";
  const auto epochs =
      gateway->on_log([](storage::PartitionLog& at) -> Task<std::vector<storage::EpochStart>> {
        co_return std::vector<storage::EpochStart>(at.epochs().begin(), at.epochs().end());
      });
  std::vector<std::pair<int, Offset>> found;
  for (const auto& epoch : epochs) found.emplace_back(epoch.epoch, epoch.start);
  EXPECT_EQ(found, (std::vector<std::pair<int, Offset>>{{0, 0}, {1, 2}, {3, 4}, {4, 6}}));
}

TEST(SeaweedFencing, FenceOfUnknownFate_IsTakenOnceItIsKnown) {
  for (const auto fault : {SeaweedFault::error_after, SeaweedFault::error_before}) {
    SeaweedRig rig;
    auto gateway = rig.gateway(true);
    rig.cluster.strike(SeaweedOp::transact, fault);
    auto opened = gateway->open();
    if (fault == SeaweedFault::error_before) opened = gateway->open();
    ASSERT_TRUE(opened) << opened.error().message;
    ASSERT_TRUE(gateway->append_values({"x"}));
    EXPECT_EQ(gateway->values(), Values{"x"});
  }
}

}  // namespace
}  // namespace tidegate::test
