// Appending: offsets, verbatim bytes, epochs, durability, the listener.
#include <algorithm>

#include "contract_test.h"

namespace tidegate::test {
namespace {

using protocol::Compression;
using storage::LogOffsets;

class AppendContract : public ContractTest {};
TIDEGATE_CONTRACT_SUITE(AppendContract);

// Everything but base offset (0-7) and leader epoch (12-15).
void expect_verbatim(ByteView stored, ByteView given) {
  ASSERT_EQ(stored.size(), given.size());
  EXPECT_TRUE(std::ranges::equal(stored.subspan(8, 4), given.subspan(8, 4)));
  EXPECT_TRUE(std::ranges::equal(stored.subspan(16), given.subspan(16)));
}

TEST_P(AppendContract, NewLog_IsEmptyAtOffsetZero) {
  auto log = new_log();
  const LogOffsets offsets = log.offsets();
  EXPECT_EQ(offsets.log_start, 0);
  EXPECT_EQ(offsets.high_watermark, 0);
  EXPECT_EQ(offsets.log_end, 0);
  EXPECT_EQ(log.leader_epoch(), 0);
  EXPECT_EQ(log.readable_bytes(0, LogHandle::kEnd), 0U);
  EXPECT_EQ(log.read(0)->batches, 0U);
}

TEST_P(AppendContract, Append_AssignsConsecutiveOffsets) {
  auto log = new_log();
  const auto first = log.append(list(numbered_batch("a", 0, 3)));
  const auto second = log.append(list(numbered_batch("b", 0, 2), numbered_batch("c", 0, 4)));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->base_offset, 0);
  EXPECT_EQ(first->log_end, 3);
  EXPECT_EQ(second->base_offset, 3);
  EXPECT_EQ(second->log_end, 9);
  EXPECT_EQ(log.offsets().log_end, 9);
  const auto records = log.read_all(0);
  ASSERT_EQ(records.size(), 9U);
  for (std::size_t i = 0; i < records.size(); ++i) EXPECT_EQ(records[i].offset, static_cast<Offset>(i));
  EXPECT_EQ(values_of(records),
            (std::vector<std::string>{"a0", "a1", "a2", "b0", "b1", "c0", "c1", "c2", "c3"}));
}

TEST_P(AppendContract, Append_KeepsEveryKindOfBatchVerbatim) {
  auto log = new_log();
  std::vector<protocol::RecordBatch> given;
  for (const auto codec :
       {Compression::none, Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    given.push_back(numbered_batch("codec", 0, 20, {.compression = codec}));
  }
  given.push_back(batch_of({"stamped"}, {.timestamp_type = protocol::TimestampType::log_append_time}));
  given.push_back(batch_of({"producer"}, {.producer_id = 7, .producer_epoch = 2, .base_sequence = 5}));
  given.push_back(
      batch_of({"txn"}, {.producer_id = 7, .producer_epoch = 2, .base_sequence = 6, .transactional = true}));
  given.push_back(protocol::build_control_batch(protocol::ControlType::commit, 7, 2, 0, kFirstTimestamp));
  given.push_back(batch_of({"elsewhere"}, {.base_offset = 4711, .leader_epoch = 9}));
  log.must_append(given);

  std::vector<protocol::RecordBatch> stored;
  for (Offset from = 0; from < log.offsets().log_end;) {
    const auto read = log.read(from);
    ASSERT_TRUE(read);
    for (auto& batch : batches_of(*read)) stored.push_back(std::move(batch));
    from = read->next_offset;
  }
  ASSERT_EQ(stored.size(), given.size());
  Offset next = 0;
  for (std::size_t i = 0; i < given.size(); ++i) {
    expect_verbatim(stored[i].bytes, given[i].bytes);
    EXPECT_EQ(stored[i].header.base_offset, next);
    EXPECT_EQ(stored[i].header.partition_leader_epoch, log.leader_epoch());
    EXPECT_TRUE(protocol::batch_crc_is_valid(stored[i].bytes, stored[i].header));
    next = stored[i].header.next_offset();
  }
}

TEST_P(AppendContract, Append_LeavesTheGivenBuffersAlone) {
  auto log = new_log();
  for (const std::size_t size : {std::size_t{10}, std::size_t{50'000}}) {
    log.must_append(batch_of({"before"}));
    const auto batch = sized_batch(size);
    const SharedBuffer copy = SharedBuffer::copy_of(batch.bytes);
    log.must_append(batch);
    EXPECT_TRUE(std::ranges::equal(batch.bytes.bytes(), copy.bytes()));
  }
}

TEST_P(AppendContract, SlicesOfOneRequest_AreKeptApart) {
  // As a produce request has them: batches of several partitions in one buffer.
  const auto one = sized_batch(30'000, 1);
  const auto two = sized_batch(200, 2);
  const auto three = sized_batch(60'000, 3);
  const SharedBuffer request = joined({one.bytes, two.bytes, three.bytes});
  const auto sliced = protocol::split_batches(request);
  ASSERT_TRUE(sliced);
  ASSERT_EQ(sliced->batches.size(), 3U);
  std::vector<LogHandle> logs{new_log(), new_log(), new_log()};
  for (std::size_t i = 0; i < 3; ++i) logs[i].must_append(sliced->batches[i]);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto stored = batches_of(*logs[i].read(0));
    ASSERT_EQ(stored.size(), 1U);
    expect_verbatim(stored[0].bytes, sliced->batches[i].bytes);
  }
}

TEST_P(AppendContract, BatchOfOneMegabyte_ComesBackWhole) {
  auto log = new_log();
  const auto batch = sized_batch(1U << 20);
  log.must_append(batch);
  const auto read = log.read(0, {.max_bytes = 1, .at_least_one_batch = true});
  ASSERT_TRUE(read);
  const auto stored = batches_of(*read);
  ASSERT_EQ(stored.size(), 1U);
  expect_verbatim(stored[0].bytes, batch.bytes);
}

TEST_P(AppendContract, ConcurrentAppends_GetOffsetsInCallOrder) {
  auto log = new_log();
  constexpr int kAppends = 200;
  struct Shared {
    std::vector<Offset> bases = std::vector<Offset>(kAppends, -1);
    int done = 0;
  };
  auto shared = std::make_shared<Shared>();
  static constexpr auto one = [](storage::PartitionLog* to, std::shared_ptr<Shared> into,
                                 int i) -> Task<void> {
    auto batches = list(numbered_batch("r" + std::to_string(i) + "-", 0, 1 + i % 3));
    auto appended = co_await to->append(to->leader_epoch(), std::move(batches));
    if (appended) into->bases[static_cast<std::size_t>(i)] = appended->base_offset;
    ++into->done;
  };
  log.on_shard([shared](storage::PartitionLog& to) {
    for (int i = 0; i < kAppends; ++i) Shard::current()->spawn(one(&to, shared, i), "append");
  });
  while (log.on_shard([shared](storage::PartitionLog&) { return shared->done; }) < kAppends) {
  }
  Offset next = 0;
  for (int i = 0; i < kAppends; ++i) {
    EXPECT_EQ(shared->bases[static_cast<std::size_t>(i)], next) << "append " << i;
    next += 1 + i % 3;
  }
  EXPECT_EQ(log.offsets().log_end, next);
  EXPECT_TRUE(log.wait_durable(next));
  EXPECT_EQ(log.read_all(0).size(), static_cast<std::size_t>(next));
}

TEST_P(AppendContract, AppendInAnotherEpoch_IsRefused) {
  auto log = new_log();
  log.must_append(batch_of({"kept"}));
  for (const LeaderEpoch epoch : {log.leader_epoch() + 1, log.leader_epoch() - 1}) {
    const auto refused = log.append_in_epoch(epoch, list(batch_of({"refused"})));
    EXPECT_EQ(code_of(refused), ErrorCode::not_leader_or_follower);
    EXPECT_FALSE(refused.error().message.empty());
  }
  EXPECT_EQ(log.offsets().log_end, 1);
  EXPECT_EQ(log.values(), std::vector<std::string>{"kept"});
}

TEST_P(AppendContract, WaitDurable_CoversWhatWasAppended) {
  auto log = new_log();
  EXPECT_TRUE(log.wait_durable(0));
  const auto appended = log.append(list(batch_of({"a", "b"})));
  ASSERT_TRUE(appended);
  EXPECT_TRUE(log.wait_durable(appended->log_end));
  EXPECT_EQ(log.offsets().high_watermark, 2);
  EXPECT_TRUE(log.wait_durable(1));
  EXPECT_TRUE(log.flush());
}

// Under every flush policy: what is reported as safe has been written.
TEST_P(AppendContract, WaitDurable_WaitsForAnAppendUnderWay) {
  auto log = new_log();
  const auto high_watermark = log.on_shard([](storage::PartitionLog& at) -> Task<Offset> {
    auto appending = at.append(at.leader_epoch(), list(numbered_batch("a", 0, 3)));
    auto durable = co_await at.wait_durable(3);
    EXPECT_TRUE(durable);
    const Offset seen = at.offsets().high_watermark;
    auto appended = co_await std::move(appending);
    EXPECT_TRUE(appended);
    co_return seen;
  });
  EXPECT_EQ(high_watermark, 3);
}

TEST_P(AppendContract, WaitDurableAboveTheEnd_IsAStorageError) {
  auto log = new_log();
  log.must_append(batch_of({"a"}));
  EXPECT_EQ(code_of(log.wait_durable(2)), ErrorCode::kafka_storage_error);
}

TEST_P(AppendContract, Flush_MovesTheHighWatermarkToTheEnd) {
  auto log = new_log();
  ASSERT_TRUE(log.append(list(batch_of({"a", "b", "c"}))));
  ASSERT_TRUE(log.flush());
  EXPECT_EQ(log.offsets().high_watermark, 3);
  EXPECT_EQ(log.offsets().log_end, 3);
}

TEST_P(AppendContract, Listener_FollowsTheHighWatermark) {
  auto log = new_log();
  // Written and read on the owner shard alone.
  auto told = std::make_shared<std::vector<LogOffsets>>();
  auto on_owner = std::make_shared<bool>(true);
  const unsigned owner = host().shard_of(log.id());
  log.set_listener([told, on_owner, owner](const LogOffsets& offsets) {
    told->push_back(offsets);
    *on_owner = *on_owner && Shard::current() != nullptr && Shard::current()->index() == owner;
  });
  for (int i = 0; i < 5; ++i) log.must_append(batch_of({"x", "y"}));
  ASSERT_TRUE(log.trim_before(3));
  ASSERT_TRUE(log.on_shard([on_owner](storage::PartitionLog&) { return *on_owner; }));
  const auto calls = log.on_shard([told](storage::PartitionLog&) { return *told; });
  ASSERT_FALSE(calls.empty());
  EXPECT_EQ(calls.back().high_watermark, 10);
  EXPECT_EQ(calls.back().log_start, 3);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    EXPECT_LE(calls[i].high_watermark, calls[i].log_end);
    if (i > 0) EXPECT_GE(calls[i].high_watermark, calls[i - 1].high_watermark);
    if (i > 0) EXPECT_GE(calls[i].log_start, calls[i - 1].log_start);
  }
  log.set_listener(nullptr);
  const std::size_t before = calls.size();
  log.must_append(batch_of({"z"}));
  EXPECT_EQ(log.on_shard([told](storage::PartitionLog&) { return told->size(); }), before);
}

TEST_P(AppendContract, SizeBytes_CountsTheBatches) {
  auto log = new_log();
  EXPECT_EQ(log.size_bytes(), 0U);
  std::size_t given = 0;
  for (int i = 0; i < 10; ++i) {
    const auto batch = sized_batch(1000, static_cast<std::uint64_t>(i));
    given += batch.bytes.size();
    log.must_append(batch);
  }
  EXPECT_GE(log.size_bytes(), given);
  EXPECT_LE(log.size_bytes(), given + given / 2 + 65'536);
}

TEST_P(AppendContract, FullEngine_RefusesUntilThereIsRoom) {
  const auto& factory = GetParam().engine;
  if (!factory.make_small) GTEST_SKIP() << factory.name << " has no limit of its own";
  EngineHost small(factory, {.max_bytes = 256U << 10});
  storage::Topic topic{.name = "t", .id = random_uuid(small.rng()), .partitions = 1};
  ASSERT_TRUE(small.call(0, [&] { return small.engine().topics().create({topic}); }));
  const LogHandle log(small, {.topic = topic.id, .index = 0}, {});

  Result<storage::Appended> refused;
  int appended = 0;
  for (; appended < 1000; ++appended) {
    refused = log.append(list(sized_batch(8000, static_cast<std::uint64_t>(appended))));
    if (!refused) break;
  }
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kafka_storage_error);
  EXPECT_FALSE(refused.error().message.empty());
  EXPECT_GT(appended, 10);
  EXPECT_EQ(log.offsets().log_end, appended);
  EXPECT_EQ(log.read_all(0).size(), static_cast<std::size_t>(appended));

  ASSERT_TRUE(log.trim_before(appended));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(log.append(list(sized_batch(8000)))) << i;
  EXPECT_EQ(log.offsets().log_end, appended + 5);
}

}  // namespace
}  // namespace tidegate::test
