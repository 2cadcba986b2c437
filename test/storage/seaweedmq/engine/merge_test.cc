// Small files become one, in whatever step the gateway dies and whatever the filer answers.
#include "log/file_index.h"
#include "seaweed_rig.h"

namespace tidegate::test {
namespace {

constexpr int kFiles = 14;

struct MergeRun {
  explicit MergeRun(seaweed::Layout layout) {
    rig.options.tail_cache_bytes = 0;
    rig.options.chunk_cache_bytes = 0;
    rig.options.topics.layout = layout;
    rig.options.direct.max_chunks_per_file = 1;
    rig.options.direct.listed_files = 2;
    rig.options.direct.list_page = 5;
  }
  // A log of many small files, of which the last three are never merged.
  std::unique_ptr<Gateway> filled() {
    auto gateway = rig.gateway(true);
    fill(*gateway, 0, kFiles);
    return gateway;
  }
  void fill(Gateway& gateway, int first, int count) {
    for (int i = first; i < first + count; ++i) {
      EXPECT_TRUE(gateway.append(list(numbered_batch("v", 2 * i, 2))));
      all.push_back("v" + std::to_string(2 * i));
      all.push_back("v" + std::to_string(2 * i + 1));
    }
  }
  seaweed::LogFile file(std::size_t index) const {
    return **seaweed::file_of(*rig.cluster.entry(rig.log_files().at(index)));
  }
  void expect_clean(Gateway& gateway) {
    EXPECT_EQ(gateway.values(), all);
    EXPECT_EQ(rig.log_files().size(), 3U);
    EXPECT_EQ(rig.cluster.unnamed_needles(), 0U);
  }

  SeaweedRig rig;
  Values all;
};

class SeaweedMerge : public testing::TestWithParam<seaweed::Layout>, public MergeRun {
 protected:
  SeaweedMerge() : MergeRun(GetParam()) {}
};

TEST_P(SeaweedMerge, SmallFilesBecomeOne) {
  auto gateway = filled();
  ASSERT_EQ(rig.log_files().size(), static_cast<std::size_t>(kFiles));
  const auto first = file(0);
  const auto last = file(kFiles - 3);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i <= kFiles - 3; ++i) bytes += file(i).record_bytes();
  gateway->housekeeping();
  expect_clean(*gateway);
  const auto merged = file(0);
  EXPECT_EQ(merged.name, first.name);
  EXPECT_EQ(merged.base, 0);
  EXPECT_EQ(merged.end, last.end);
  EXPECT_EQ(merged.first_ts_ns, first.first_ts_ns);
  EXPECT_EQ(merged.last_ts_ns, last.last_ts_ns);
  EXPECT_EQ(merged.max_timestamp(), kFirstTimestamp + 1);
  EXPECT_EQ(merged.chunks.size(), 1U);
  EXPECT_EQ(merged.record_bytes(), bytes);
  EXPECT_EQ(values_of(gateway->read_all(6)), Values(all.begin() + 6, all.end()));
  fill(*gateway, kFiles, 1);
  EXPECT_EQ(gateway->values(), all);
  gateway->stop();
  auto next = rig.gateway();
  EXPECT_EQ(next->values(), all);
  EXPECT_EQ(next->offsets().log_end, 2 * (kFiles + 1));
}

TEST_P(SeaweedMerge, NothingIsCopiedAgainAndAgain) {
  auto gateway = filled();
  gateway->housekeeping();
  fill(*gateway, kFiles, 2);
  const auto uploads = rig.cluster.calls(SeaweedOp::upload);
  for (int i = 0; i < 3; ++i) gateway->housekeeping();
  EXPECT_EQ(rig.cluster.calls(SeaweedOp::upload), uploads) << "a large one and two small ones";
  EXPECT_EQ(gateway->values(), all);
}

TEST_P(SeaweedMerge, FilesThatAreLargeOrFarApart_Stay) {
  auto gateway = rig.gateway(true);
  fill(*gateway, 0, kFiles);
  // As if an hour lay between all of them.
  gateway->stop();
  const auto files = rig.log_files();
  for (std::size_t i = 0; i < files.size(); ++i) {
    auto one = file(i);
    one.first_ts_ns += static_cast<std::int64_t>(i) * 3'600'000'000'000;
    one.last_ts_ns += static_cast<std::int64_t>(i) * 3'600'000'000'000;
    rig.cluster.set_entry(files[i], seaweed::entry_of(one));
  }
  auto next = rig.gateway();
  next->config.segment_ms = 1000;
  next->log();
  next->housekeeping();
  EXPECT_EQ(rig.log_files().size(), static_cast<std::size_t>(kFiles));
  next->stop();
  rig.options.direct.max_file_bytes = 100;
  auto narrow = rig.gateway();
  narrow->log();
  narrow->housekeeping();
  EXPECT_EQ(rig.log_files().size(), static_cast<std::size_t>(kFiles));
  EXPECT_EQ(narrow->values(), all);
}

TEST_P(SeaweedMerge, KilledInAnyStep_NothingIsLostOrTwice) {
  // The n-th call of the housekeeping does not get through any more, nor those behind it.
  int steps = 0;
  for (int at = 1;; ++at) {
    SCOPED_TRACE(at);
    MergeRun run(GetParam());
    auto gateway = run.filled();
    auto calls = std::make_shared<int>(0);
    run.rig.cluster.set_script([calls, at](const SeaweedCall&) {
      return ++*calls >= at ? SeaweedFault::error_before : SeaweedFault::none;
    });
    gateway->housekeeping();
    gateway->kill();
    run.rig.cluster.set_script({});
    auto next = run.rig.gateway();
    ASSERT_EQ(next->values(), run.all);
    next->housekeeping();
    next->housekeeping();
    ASSERT_EQ(next->values(), run.all);
    ASSERT_EQ(run.rig.log_files().size(), 3U) << "what was left over is gone";
    steps = *calls;
    if (steps < at) break;
  }
  EXPECT_GT(steps, 2 * (kFiles - 4)) << "reads and erases were among them";
}

TEST_P(SeaweedMerge, LostAnswers_AreFoundOut) {
  for (const auto fault : {SeaweedFault::error_before, SeaweedFault::error_after, SeaweedFault::error_late}) {
    SCOPED_TRACE(static_cast<int>(fault));
    MergeRun run(GetParam());
    auto gateway = run.filled();
    // The merge itself: the filer takes it, or not, and is away for longer than it is tried.
    run.rig.cluster.set_script(
        [fault, name = run.rig.log_files().at(0), struck = false](const SeaweedCall& call) mutable {
          if (call.op != SeaweedOp::transact) return SeaweedFault::none;
          if (call.path == name && !std::exchange(struck, true)) return fault;
          return struck ? SeaweedFault::error_before : SeaweedFault::none;
        });
    gateway->housekeeping();
    run.rig.cluster.set_script({});
    EXPECT_EQ(run.rig.log_files().size(), static_cast<std::size_t>(kFiles)) << "nothing is erased yet";
    EXPECT_EQ(run.file(0).end, fault == SeaweedFault::error_after ? 2 * (kFiles - 2) : 2);
    EXPECT_EQ(gateway->values(), run.all) << "whichever needles are there";
    run.rig.cluster.release_late();
    EXPECT_EQ(gateway->values(), run.all);
    gateway->housekeeping();
    gateway->housekeeping();
    EXPECT_EQ(gateway->values(), run.all);
    EXPECT_EQ(run.rig.log_files().size(), 3U);
    gateway->stop();
    EXPECT_EQ(run.rig.gateway()->values(), run.all);
  }
}

TEST_P(SeaweedMerge, Damage_IsNotMerged) {
  auto gateway = filled();
  const auto id = file(4).chunks.at(0).stored.file_id;
  const SharedBuffer good = rig.cluster.needle(id);
  rig.cluster.set_needle(id, good.slice(0, good.size() - 1));
  gateway->housekeeping();
  EXPECT_EQ(rig.log_files().size(), static_cast<std::size_t>(kFiles));
  EXPECT_EQ(rig.cluster.unnamed_needles(), 0U);
  EXPECT_EQ(values_of(gateway->read_all(10)), Values(all.begin() + 10, all.end()));
  rig.cluster.set_needle(id, good);
  gateway->housekeeping();
  expect_clean(*gateway);
}

TEST_P(SeaweedMerge, AnotherOwner_IsLeftAlone) {
  auto before = filled();
  // Lists what there is to list, and merges nothing yet.
  rig.cluster.set_script([](const SeaweedCall& call) {
    return call.op == SeaweedOp::upload ? SeaweedFault::error_before : SeaweedFault::none;
  });
  before->housekeeping();
  rig.cluster.set_script({});
  auto next = rig.gateway();
  EXPECT_EQ(next->values(), all);
  before->housekeeping();
  EXPECT_EQ(rig.log_files().size(), static_cast<std::size_t>(kFiles));
  next->housekeeping();
  EXPECT_EQ(next->values(), all);
  EXPECT_EQ(rig.log_files().size(), 3U);
}

TEST_P(SeaweedMerge, EpochsAreKept) {
  auto gateway = rig.gateway(true);
  for (int i = 0; i < 5; ++i) {
    fill(*gateway, 3 * i, 3);
    gateway->stop();
    gateway = rig.gateway();
  }
  const auto epochs = [&] {
    auto& log = gateway->log();
    return rig.shards().call([&log] {
      std::vector<std::pair<LeaderEpoch, Offset>> found;
      for (const auto& epoch : log.epochs()) found.emplace_back(epoch.epoch, epoch.start);
      return found;
    });
  };
  gateway->log();
  gateway->housekeeping();
  const auto known = epochs();
  EXPECT_EQ(known.size(), 6U);
  EXPECT_EQ(rig.log_files().size(), 3U);
  EXPECT_EQ(gateway->values(), all);
  gateway->stop();
  gateway = rig.gateway();
  gateway->log();
  auto later = epochs();
  ASSERT_EQ(later.size(), 6U) << "the one that wrote nothing is replaced";
  EXPECT_TRUE(std::equal(known.begin(), known.begin() + 5, later.begin()));
}

INSTANTIATE_TEST_SUITE_P(Layouts, SeaweedMerge,
                         testing::Values(seaweed::Layout::batch, seaweed::Layout::record),
                         [](const auto& info) { return std::string(seaweed::layout_name(info.param)); });

}  // namespace
}  // namespace tidegate::test
