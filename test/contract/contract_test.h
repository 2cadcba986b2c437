// The fixture of the contract suite: one engine, and logs and stores as blocking handles.
// Every case runs over each engine as it is, and over each with delays and short reads, which a caller
// must not notice.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engine_host.h"
#include "support/batches.h"

namespace tidegate::test {

struct ContractVariant {
  EngineFactory engine;
  bool delayed = false;
};
void PrintTo(const ContractVariant& variant, std::ostream* out);
std::vector<ContractVariant> contract_variants();
std::string variant_name(const testing::TestParamInfo<ContractVariant>& info);

#define TIDEGATE_CONTRACT_SUITE(Suite) \
  INSTANTIATE_TEST_SUITE_P(Engine, Suite, testing::ValuesIn(contract_variants()), variant_name)

// A partition log, called from the test's thread.
class LogHandle {
 public:
  LogHandle(EngineHost& host, PartitionId id, storage::LogConfig config)
      : host_(&host), id_(id), config_(config) {}

  Result<storage::Appended> append(std::vector<protocol::RecordBatch> batches) const;
  Result<storage::Appended> append_in_epoch(LeaderEpoch epoch,
                                            std::vector<protocol::RecordBatch> batches) const;
  // Appends and waits until it is durable; a failure of the test when either does not work.
  storage::Appended must_append(std::vector<protocol::RecordBatch> batches) const;
  storage::Appended must_append(protocol::RecordBatch batch) const {
    return must_append(list(std::move(batch)));
  }
  Result<void> wait_durable(Offset end) const;
  Result<storage::ReadResult> read(Offset from, storage::ReadLimits limits = {}) const;
  // Reads on until nothing more comes.
  std::vector<ReadRecord> read_all(Offset from, storage::ReadLimits limits = {}) const;
  std::vector<std::string> values(Offset from = 0) const { return values_of(read_all(from)); }
  std::size_t readable_bytes(Offset from, Offset end) const;
  storage::LogOffsets offsets() const;
  LeaderEpoch leader_epoch() const;
  std::vector<storage::EpochStart> epochs() const;
  Result<storage::TimestampedOffset> offset_for_time(std::int64_t timestamp_ms, Offset end = kEnd) const;
  Result<storage::TimestampedOffset> max_timestamp(Offset end = kEnd) const;
  Result<std::vector<protocol::BatchHeader>> scan_headers(Offset from, Offset end,
                                                          std::size_t max_batches) const;
  Result<Offset> trim_before(Offset offset) const;
  std::size_t size_bytes() const;
  std::vector<storage::CleanableRange> cleanable(Offset end = kEnd) const;
  Result<void> replace(storage::CleanableRange range, std::vector<protocol::RecordBatch> batches) const;
  Result<void> flush() const;
  void set_listener(std::function<void(const storage::LogOffsets&)> listener) const;
  void apply_config(storage::LogConfig config);

  const PartitionId& id() const { return id_; }
  std::shared_ptr<storage::PartitionLog> log() const { return host_->log(id_, config_); }
  // Runs `fn(PartitionLog&)` on the owner shard.
  template <class F>
  auto on_shard(F fn) const {
    return host_->call(host_->shard_of(id_),
                       [log = log(), fn = std::move(fn)]() mutable { return fn(*log); });
  }

  template <class F>
  auto start_on_shard(F fn) const {
    return host_->start(host_->shard_of(id_),
                        [log = log(), fn = std::move(fn)]() mutable { return fn(*log); });
  }

  static constexpr Offset kEnd = std::numeric_limits<Offset>::max();

 private:
  EngineHost* host_;
  PartitionId id_;
  storage::LogConfig config_;
};

class ContractTest : public testing::TestWithParam<ContractVariant> {
 protected:
  ContractTest();

  EngineHost& host() { return *host_; }
  storage::Capabilities capabilities() { return host().engine().capabilities(); }
  // For the random parts of a case; a failing case says its seed.
  static std::uint64_t seed();

  storage::Topic new_topic(std::string name, std::int32_t partitions = 1);
  // Creates it; a failure of the test when that does not work.
  storage::Topic must_create(std::string name, std::int32_t partitions = 1);
  LogHandle log_of(const storage::Topic& topic, std::int32_t index = 0, storage::LogConfig config = {});
  // The log of partition 0 of a topic of its own.
  LogHandle new_log(storage::LogConfig config = {});
  // Small segments: a handful of batches each.
  static storage::LogConfig small_segments(std::int64_t segment_bytes = 4096);

  Result<void> create(std::vector<storage::Topic> topics);
  Result<void> remove(TopicId id);
  std::vector<storage::Topic> topics();
  Result<void> add_partitions(TopicId id, std::int32_t partitions);
  std::vector<Result<void>> remove_all(std::vector<TopicId> ids);
  std::vector<Result<void>> grow_all(std::vector<storage::TopicStore::Growth> growths);
  Result<void> set_config(TopicId id, std::map<std::string, std::string> configs);

  Result<std::optional<std::string>> get(std::string scope, std::string key, unsigned shard = 0);
  Result<void> put(std::string scope, std::int32_t epoch, std::vector<storage::MetaOp> ops,
                   unsigned shard = 0);
  Result<std::vector<storage::MetaEntry>> scan(std::string scope, std::string prefix, std::string after = {},
                                               std::size_t limit = 1000);
  Result<std::vector<std::string>> scopes(std::string prefix, std::string after = {},
                                          std::size_t limit = 1000);

 private:
  std::unique_ptr<EngineHost> host_;
  int logs_made_ = 0;
};

inline storage::MetaOp put_op(std::string key, std::string value) {
  return {.kind = storage::MetaOp::Kind::put, .key = std::move(key), .value = std::move(value)};
}
inline storage::MetaOp erase_op(std::string key) {
  return {.kind = storage::MetaOp::Kind::erase, .key = std::move(key)};
}

// The code of a failed result; none when it did not fail.
template <class T>
ErrorCode code_of(const Result<T>& result) {
  return result ? ErrorCode::none : result.error().code;
}

}  // namespace tidegate::test
