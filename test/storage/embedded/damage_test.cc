// Single faults on files at rest: a flipped bit, a shortened file, a zeroed tail. Whatever is served is
// what was written; the rest is reported.
#include <algorithm>

#include "engine_rig.h"
#include "slot_file.h"
#include "support/captured_log.h"

namespace tidegate::test {
namespace {

constexpr std::int32_t kPartitions = 2;
using Files = std::map<std::string, std::vector<std::uint8_t>>;

Files snapshot(FaultDisk& disk) {
  Files files;
  for (const auto& path : disk.files()) files[path] = disk.content(path);
  return files;
}
void restore(FaultDisk& disk, const Files& files) {
  for (const auto& path : disk.files()) {
    if (!files.contains(path)) disk.remove(path);
  }
  for (const auto& [path, bytes] : files) disk.set_content(path, bytes);
}

void fill(EngineRig& rig) {
  for (int i = 0; i < 60; ++i) {
    for (std::int32_t p = 0; p < kPartitions; ++p) {
      protocol::NewBatchOptions options;
      if (i % 5 == 0) options.compression = protocol::Compression::lz4;
      ASSERT_TRUE(rig.append(
          p, list(batch_of({"p" + std::to_string(p) + " " + std::to_string(i), std::string(30, 'x')},
                           options))));
    }
  }
}

void setup(EngineRig& rig) {
  rig.options.tail_cache_bytes = 0;
  rig.config.segment_bytes = 2500;
  rig.config.index_interval_bytes = 400;
  rig.start_with_topic(kPartitions);
  fill(rig);
}

std::string damage(std::vector<std::uint8_t>& bytes, SeededRng& rng) {
  const auto at = rng.below(bytes.size());
  switch (rng.below(3)) {
    case 0:
      bytes[at] ^= static_cast<std::uint8_t>(1U << rng.below(8));
      return "bit flipped at " + std::to_string(at);
    case 1:
      bytes.resize(at);
      return "cut at " + std::to_string(at);
    default:
      std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end(), 0);
      return "zero from " + std::to_string(at);
  }
}

TEST(EmbeddedDamage, SingleFault_IsReportedOrHarmless_NeverServed) {
  EngineRig rig(5);
  setup(rig);
  std::vector<std::vector<ReadRecord>> truth;
  for (std::int32_t p = 0; p < kPartitions; ++p) truth.push_back(rig.read_all(p).records);
  rig.stop();
  const Files good = snapshot(rig.disk());
  std::vector<std::string> targets;
  for (const auto& [path, bytes] : good) {
    if (!bytes.empty()) targets.push_back(path);
  }
  SeededRng rng(77);
  int reported = 0;
  for (int fault = 0; fault < 2000; ++fault) {
    restore(rig.disk(), good);
    const std::string& path = targets[rng.below(targets.size())];
    auto bytes = good.at(path);
    const std::string what = damage(bytes, rng);
    SCOPED_TRACE("fault " + std::to_string(fault) + ": " + path + " " + what);
    rig.disk().set_content(path, bytes);
    if (auto started = rig.start(); !started) {
      EXPECT_TRUE(path.ends_with("VERSION")) << started.error().message;
      ++reported;
      continue;
    }
    for (std::int32_t p = 0; p < kPartitions; ++p) {
      const auto& expected = truth[static_cast<std::size_t>(p)];
      EXPECT_EQ(rig.offsets(p).log_end, static_cast<Offset>(expected.size()));
      const auto all = rig.read_all(p);
      for (const auto& error : all.errors) EXPECT_EQ(error.code, ErrorCode::corrupt_message) << error.message;
      for (const auto& record : all.records)
        EXPECT_EQ(record, expected.at(static_cast<std::size_t>(record.offset)));
      EXPECT_EQ(all.records.size() + all.damaged.size(), expected.size());
      const bool other = path.find("/logs/") == std::string::npos ||
                         path.find("/" + std::to_string(p) + "/") == std::string::npos ||
                         path.ends_with(".index");
      if (other) {
        EXPECT_TRUE(all.errors.empty()) << all.errors.front().message;
      } else if (!all.errors.empty()) {
        ++reported;
      }
      // Only what is damaged: a flipped bit costs its own batch.
      if (what.starts_with("bit")) EXPECT_LE(all.damaged.size(), 2U);
    }
    rig.stop();
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(reported, 500);
}

TEST(EmbeddedDamage, TornTail_IsCutAndRaisesTheEpoch_AndWritingGoesOn) {
  EngineRig rig(6);
  setup(rig);
  const auto before = rig.read_all(0).records;
  rig.disk().kill();
  rig.stop();
  // Bytes of an append that the kill interrupted.
  std::string last;
  for (const auto& path : rig.disk().files()) {
    if (path.find("/0/") != std::string::npos && path.ends_with(".log")) last = std::max(last, path);
  }
  auto bytes = rig.disk().content(last);
  const auto torn = batch_of({"never acknowledged"});
  bytes.insert(bytes.end(), torn.bytes.data(), torn.bytes.data() + torn.bytes.size() - 5);
  rig.disk().set_content(last, bytes);
  ASSERT_TRUE(rig.start());
  EXPECT_EQ(rig.engine().leader_epoch({kTopicId, 0}), 1);
  EXPECT_EQ(rig.engine().leader_epoch({kTopicId, 1}), 0);
  EXPECT_EQ(rig.read_all(0).records, before);
  const auto epochs = rig.shards().call([&] {
    const auto span = rig.log(0).epochs();
    return std::vector<storage::EpochStart>(span.begin(), span.end());
  });
  ASSERT_EQ(epochs.size(), 2U);
  EXPECT_EQ(epochs[1].epoch, 1);
  EXPECT_EQ(epochs[1].start, static_cast<Offset>(before.size()));
  ASSERT_TRUE(rig.append_values(0, {"after"}));
  rig.stop();
  ASSERT_TRUE(rig.start());
  EXPECT_EQ(rig.engine().leader_epoch({kTopicId, 0}), 1);
  EXPECT_EQ(rig.read_all(0).records.back().value, "after");
}

TEST(EmbeddedDamage, BadMiddle_IsReported_BehindItIsServed_AndAppendsGoOn) {
  CapturedLog log;  // before the rig's threads
  EngineRig rig(7);
  rig.options.tail_cache_bytes = 0;
  rig.start_with_topic(1);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(rig.append_values(0, {"value " + std::to_string(i)}));
  rig.stop();
  std::string path;
  for (const auto& file : rig.disk().files()) {
    if (file.ends_with(".log")) path = file;
  }
  auto bytes = rig.disk().content(path);
  bytes[bytes.size() * 45 / 100] ^= 0x10;  // in the fifth of ten equal batches
  rig.disk().set_content(path, bytes);
  ASSERT_TRUE(rig.start());
  log.listen();
  const auto all = rig.read_all(0);
  EXPECT_EQ(all.damaged, std::vector<Offset>{4});
  EXPECT_EQ(all.records.size(), 9U);
  EXPECT_EQ(log.count("event=damaged_data"), 1U) << log.text();
  EXPECT_EQ(rig.engine().leader_epoch({kTopicId, 0}), 0);
  auto appended = rig.append_values(0, {"more"});
  ASSERT_TRUE(appended);
  EXPECT_EQ(appended->base_offset, 10);
  const auto headers =
      rig.on_log(0, [](storage::PartitionLog& log) { return log.scan_headers(0, 100, 100); });
  ASSERT_TRUE(headers);
  EXPECT_EQ(headers->size(), 10U);  // nine of the ten, and the one behind
}

}  // namespace
}  // namespace tidegate::test
