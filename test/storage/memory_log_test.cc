// What only the memory engine promises of its log: readiness at the call, sharing, paying back.
#include "memory_log.h"

#include <limits>
#include <numeric>

#include <gtest/gtest.h>

#include "support/batches.h"

namespace tidegate::storage {
namespace {

using namespace std::chrono_literals;

// Every task of a memory log is ready, so that one poll of a context is enough: no shard is needed.
template <class T>
T now(Task<T> task) {
  boost::asio::io_context context;
  std::optional<T> value;
  boost::asio::co_spawn(context, std::move(task), [&](std::exception_ptr error, T result) {
    EXPECT_FALSE(error);
    value = std::move(result);
  });
  context.poll();
  EXPECT_TRUE(value.has_value()) << "the task waited";
  return std::move(*value);
}

constexpr Offset kAll = std::numeric_limits<Offset>::max();

class MemoryLogTest : public testing::Test {
 protected:
  MemoryLog make(LogConfig config = {}) { return MemoryLog(config, quota_, clock_); }
  static Result<Appended> append(MemoryLog& log, protocol::RecordBatch batch) {
    return now(log.append(0, test::list(std::move(batch))));
  }

  std::shared_ptr<MemoryQuota> quota_ = std::make_shared<MemoryQuota>(1U << 20);
  ManualClock clock_;
};

TEST_F(MemoryLogTest, Append_IsDoneAtTheCall) {
  auto log = make();
  auto first = log.append(0, test::list(test::batch_of({"a"})));
  auto second = log.append(0, test::list(test::batch_of({"b"})));
  EXPECT_EQ(log.offsets().log_end, 2);
  EXPECT_EQ(now(std::move(second))->base_offset, 1) << "whichever is asked for first";
  EXPECT_EQ(now(std::move(first))->base_offset, 0);
}

TEST_F(MemoryLogTest, Read_SharesTheAppendedBytes) {
  auto log = make();
  const auto batch = test::sized_batch(100'000);
  ASSERT_TRUE(append(log, batch));
  const auto read = now(log.read(0, {}));
  ASSERT_TRUE(read);
  ASSERT_EQ(read->chunks.size(), 2U);
  EXPECT_EQ(read->chunks[0].size(), protocol::kBatchHeaderBytes);
  EXPECT_EQ(read->chunks[1].data(), batch.bytes.data() + protocol::kBatchHeaderBytes);
}

TEST_F(MemoryLogTest, EveryWayOut_PaysTheQuotaBack) {
  {
    auto log = make({.segment_bytes = 1024});
    for (int i = 0; i < 30; ++i)
      ASSERT_TRUE(append(log, test::sized_batch(300, static_cast<std::uint64_t>(i))));
    std::size_t used = quota_->used();
    EXPECT_GT(used, 30U * 300);
    ASSERT_TRUE(now(log.trim_before(15)));
    EXPECT_LE(quota_->used(), used / 2 + 1024) << "batch by batch, not by segment";
    used = quota_->used();
    ASSERT_TRUE(now(log.replace(log.cleanable(kAll).front(), source_of({}))));
    EXPECT_LT(quota_->used(), used);
    ASSERT_TRUE(now(log.trim_before(30)));
    EXPECT_EQ(quota_->used(), 0U);
    ASSERT_TRUE(append(log, test::sized_batch(300)));
    log.remove();
    EXPECT_EQ(quota_->used(), 0U);
  }
  {
    auto log = make();
    ASSERT_TRUE(append(log, test::sized_batch(300)));
  }
  EXPECT_EQ(quota_->used(), 0U) << "destroyed";
}

TEST_F(MemoryLogTest, AppendThatDoesNotFit_IsRefusedWhole) {
  auto log = make();
  auto batches = test::list(test::sized_batch(600'000, 1), test::sized_batch(600'000, 2));
  const auto refused = now(log.append(0, batches));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(log.offsets().log_end, 0);
  EXPECT_EQ(quota_->used(), 0U);
  EXPECT_TRUE(append(log, batches[0]));
}

TEST_F(MemoryLogTest, FullEngine_CanBeCompacted) {
  auto log = make({.segment_bytes = 1024});
  const auto first = test::sized_batch(300'000, 1);
  ASSERT_TRUE(append(log, first));
  for (std::uint64_t i = 2; i < 4; ++i) ASSERT_TRUE(append(log, test::sized_batch(300'000, i)));
  ASSERT_FALSE(append(log, test::sized_batch(300'000, 4))) << "it is full";
  const std::size_t used = quota_->used();
  ASSERT_TRUE(now(log.replace(log.cleanable(kAll).front(), source_of(test::list(first)))));
  EXPECT_EQ(quota_->used(), used) << "what went made the room";
  ASSERT_TRUE(now(log.replace(log.cleanable(kAll).front(), source_of({}))));
  EXPECT_LT(quota_->used(), used - 300'000);
  EXPECT_TRUE(append(log, test::sized_batch(300'000, 4)));
}

TEST_F(MemoryLogTest, SegmentMs_SealsAnIdleSegment) {
  auto log = make({.segment_ms = 60'000});
  ASSERT_TRUE(append(log, test::batch_of({"a"})));
  log.housekeeping(clock_.wall_ms());
  EXPECT_TRUE(log.cleanable(kAll).empty());
  clock_.advance(61s);
  log.housekeeping(clock_.wall_ms());
  ASSERT_EQ(log.cleanable(kAll).size(), 1U);
  EXPECT_EQ(log.cleanable(kAll)[0].end, 1);
  ASSERT_TRUE(append(log, test::batch_of({"b"})));
  EXPECT_EQ(log.cleanable(kAll).size(), 1U) << "the next append opened another";
}

TEST_F(MemoryLogTest, ManyTinyBatches_RollByCount) {
  auto roomy = std::make_shared<MemoryQuota>(std::numeric_limits<std::size_t>::max());
  MemoryLog tiny({}, roomy, clock_);
  const std::vector<protocol::RecordBatch> thousand(1000, test::batch_of({"x"}));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(now(tiny.append(0, thousand)));
  EXPECT_EQ(tiny.cleanable(kAll).size(), 1U);
}

}  // namespace
}  // namespace tidegate::storage
