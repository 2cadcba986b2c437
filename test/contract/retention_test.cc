// Log start: DeleteRecords, retention by time and size, clock jumps.
#include "contract_test.h"

namespace tidegate::test {
namespace {

using namespace std::chrono_literals;

class RetentionContract : public ContractTest {
 protected:
  // `count` batches of one record, stamped now, about 300 bytes each.
  void fill(const LogHandle& log, int count, const std::string& name = "v") {
    for (int i = 0; i < count; ++i) {
      log.must_append(
          batch_of({name + std::to_string(i) + std::string(220, '.')}, {}, host().clock().wall_ms()));
    }
  }
};
TIDEGATE_CONTRACT_SUITE(RetentionContract);

TEST_P(RetentionContract, Trim_RaisesLogStartAndIsIdempotent) {
  auto log = new_log(small_segments(1024));
  for (int i = 0; i < 10; ++i) log.must_append(numbered_batch("v", 3 * i, 3));
  EXPECT_EQ(log.trim_before(0), 0);
  EXPECT_EQ(log.trim_before(7), 7);
  EXPECT_EQ(log.trim_before(7), 7);
  EXPECT_EQ(log.trim_before(3), 7) << "log start never goes back";
  EXPECT_EQ(log.offsets().log_start, 7);
  EXPECT_EQ(log.offsets().log_end, 30);
  const auto read = log.read(7);
  ASSERT_TRUE(read);
  EXPECT_EQ(batches_of(*read).front().header.base_offset, 6) << "whole batches";
}

TEST_P(RetentionContract, TrimToTheEnd_LeavesAnEmptyLogThatGoesOn) {
  auto log = new_log(small_segments(1024));
  for (int i = 0; i < 10; ++i) log.must_append(numbered_batch("v", 3 * i, 3));
  EXPECT_EQ(log.trim_before(30), 30);
  EXPECT_EQ(log.read(30)->batches, 0U);
  EXPECT_EQ(log.readable_bytes(30, LogHandle::kEnd), 0U);
  EXPECT_EQ(code_of(log.read(29)), ErrorCode::offset_out_of_range);
  EXPECT_EQ(log.must_append(numbered_batch("w", 0, 2)).base_offset, 30);
  EXPECT_EQ(log.values(30), (std::vector<std::string>{"w0", "w1"}));
}

TEST_P(RetentionContract, TrimAboveTheHighWatermark_IsOutOfRange) {
  auto log = new_log();
  log.must_append(numbered_batch("v", 0, 3));
  EXPECT_EQ(code_of(log.trim_before(4)), ErrorCode::offset_out_of_range);
  EXPECT_EQ(log.offsets().log_start, 0);
  EXPECT_EQ(log.trim_before(3), 3);
}

TEST_P(RetentionContract, ByTime_DropsWhatIsTooOld) {
  auto config = small_segments(1024);
  config.retention_ms = 3'600'000;
  auto log = new_log(config);
  fill(log, 20, "old");
  host().housekeeping();
  EXPECT_EQ(log.offsets().log_start, 0) << "young enough";
  host().clock().leap(2h);
  fill(log, 20, "young");
  host().housekeeping();
  const auto offsets = log.offsets();
  EXPECT_GE(offsets.log_start, 15) << "all but what shares a segment with younger ones";
  EXPECT_LE(offsets.log_start, 20);
  EXPECT_EQ(offsets.log_end, 40);
  const auto values = log.values(offsets.log_start);
  EXPECT_EQ(values.size(), static_cast<std::size_t>(40 - offsets.log_start));
  EXPECT_TRUE(values.back().starts_with("young19"));
}

TEST_P(RetentionContract, ByTime_DropsTheActiveSegmentToo) {
  storage::LogConfig config;
  config.retention_ms = 3'600'000;
  auto log = new_log(config);
  fill(log, 5);
  host().clock().leap(2h);
  host().housekeeping();
  EXPECT_EQ(log.offsets().log_start, 5);
  EXPECT_EQ(log.offsets().log_end, 5);
  EXPECT_EQ(log.must_append(batch_of({"next"})).base_offset, 5);
}

TEST_P(RetentionContract, ByTime_GoesByTheYoungestRecordOfASegment) {
  storage::LogConfig config;
  config.retention_ms = 3'600'000;
  auto log = new_log(config);
  const std::int64_t now = host().clock().wall_ms();
  log.must_append(batch_at({now - 30'000'000, now}));
  log.must_append(batch_at({now - 40'000'000}));
  host().housekeeping();
  EXPECT_EQ(log.offsets().log_start, 0);
}

TEST_P(RetentionContract, RecordsWithoutTime_AgeFromTheirAppend) {
  storage::LogConfig config;
  config.retention_ms = 3'600'000;
  auto log = new_log(config);
  log.must_append(batch_at({-1}));
  host().housekeeping();
  EXPECT_EQ(log.offsets().log_start, 0);
  host().clock().leap(2h);
  host().housekeeping();
  EXPECT_EQ(log.offsets().log_start, 1);
}

TEST_P(RetentionContract, BySize_KeepsTheYoungestBytes) {
  auto config = small_segments(1024);
  config.retention_bytes = 5'000;
  auto log = new_log(config);
  fill(log, 60);
  host().housekeeping();
  const auto offsets = log.offsets();
  EXPECT_GT(offsets.log_start, 0);
  EXPECT_GE(log.size_bytes(), 5'000U);
  EXPECT_LE(log.readable_bytes(offsets.log_start, LogHandle::kEnd), 5'000U + 3 * 1024U);
  EXPECT_TRUE(log.values(offsets.log_start).back().starts_with("v59"));
}

TEST_P(RetentionContract, WithoutLimits_NothingIsDropped) {
  auto config = small_segments(1024);
  config.retention_ms = -1;
  config.retention_bytes = -1;
  auto unlimited = new_log(config);
  config.retention_ms = 1;
  config.retention_bytes = 1;
  config.cleanup_delete = false;
  auto compacted = new_log(config);
  fill(unlimited, 20);
  fill(compacted, 20);
  host().clock().leap(24h * 400);
  host().housekeeping();
  EXPECT_EQ(unlimited.offsets().log_start, 0);
  EXPECT_EQ(compacted.offsets().log_start, 0);
}

TEST_P(RetentionContract, ChangedConfig_ReachesAnOpenLog) {
  auto config = small_segments(1024);
  auto log = new_log(config);
  fill(log, 60);
  host().housekeeping();
  ASSERT_EQ(log.offsets().log_start, 0);
  config.retention_bytes = 3'000;
  log.apply_config(config);
  host().housekeeping();
  EXPECT_GT(log.offsets().log_start, 0);
}

TEST_P(RetentionContract, WallClockJump_DropsNothing) {
  auto config = small_segments(1024);
  config.retention_ms = 3'600'000;
  auto log = new_log(config);
  fill(log, 20);
  host().clock().set_wall_by(24h * 365 * 10);
  host().housekeeping();
  EXPECT_EQ(log.offsets().log_start, 0);
  host().clock().set_wall_by(-24h * 365 * 20);
  host().housekeeping();
  EXPECT_EQ(log.offsets().log_start, 0);
}

TEST_P(RetentionContract, LargestLimits_DoNotOverflow) {
  auto config = small_segments(1024);
  config.retention_ms = config.retention_bytes = config.segment_ms = config.segment_bytes =
      std::numeric_limits<std::int64_t>::max();
  auto log = new_log(config);
  log.must_append(batch_at({std::numeric_limits<std::int64_t>::max(), 0}));
  fill(log, 3);
  host().housekeeping();
  EXPECT_EQ(log.offsets().log_start, 0);
  EXPECT_EQ(log.read_all(0).size(), 5U);
}

}  // namespace
}  // namespace tidegate::test
