#include "contract_test.h"

#include <cstdlib>
#include <stdexcept>

namespace tidegate::test {

using storage::Topic;

std::vector<ContractVariant> contract_variants() {
  std::vector<ContractVariant> variants;
  for (const auto& engine : contract_engines()) {
    variants.push_back({.engine = engine});
    variants.push_back({.engine = engine, .delayed = true});
  }
  return variants;
}

void PrintTo(const ContractVariant& variant, std::ostream* out) {
  *out << variant.engine.name << (variant.delayed ? " with delays and short reads" : "");
}

std::string variant_name(const testing::TestParamInfo<ContractVariant>& info) {
  return info.param.engine.name + (info.param.delayed ? "_delayed" : "");
}

// ---------------------------------------------------------------------------------------- log handle

Result<storage::Appended> LogHandle::append(std::vector<protocol::RecordBatch> batches) const {
  return on_shard([batches = std::move(batches)](storage::PartitionLog& log) {
    return log.append(log.leader_epoch(), batches);
  });
}

Result<storage::Appended> LogHandle::append_in_epoch(LeaderEpoch epoch,
                                                     std::vector<protocol::RecordBatch> batches) const {
  return on_shard([epoch, batches = std::move(batches)](storage::PartitionLog& log) {
    return log.append(epoch, batches);
  });
}

storage::Appended LogHandle::must_append(std::vector<protocol::RecordBatch> batches) const {
  auto appended = append(std::move(batches));
  if (!appended) throw std::runtime_error("append: " + appended.error().message);
  if (auto durable = wait_durable(appended->log_end); !durable) {
    throw std::runtime_error("wait_durable: " + durable.error().message);
  }
  return *appended;
}

Result<void> LogHandle::wait_durable(Offset end) const {
  return on_shard([end](storage::PartitionLog& log) { return log.wait_durable(end); });
}

Result<storage::ReadResult> LogHandle::read(Offset from, storage::ReadLimits limits) const {
  return on_shard([from, limits](storage::PartitionLog& log) { return log.read(from, limits); });
}

std::vector<ReadRecord> LogHandle::read_all(Offset from, storage::ReadLimits limits) const {
  std::vector<ReadRecord> all;
  for (;;) {
    auto some = read(from, limits);
    if (!some) throw std::runtime_error("read: " + some.error().message);
    if (some->batches == 0) return all;
    for (auto& record : records_of(*some)) all.push_back(std::move(record));
    if (some->next_offset <= from) throw std::runtime_error("read does not move on");
    from = some->next_offset;
  }
}

std::size_t LogHandle::readable_bytes(Offset from, Offset end) const {
  return on_shard([from, end](storage::PartitionLog& log) { return log.readable_bytes(from, end); });
}

storage::LogOffsets LogHandle::offsets() const {
  return on_shard([](storage::PartitionLog& log) { return log.offsets(); });
}

LeaderEpoch LogHandle::leader_epoch() const {
  return on_shard([](storage::PartitionLog& log) { return log.leader_epoch(); });
}

std::vector<storage::EpochStart> LogHandle::epochs() const {
  return on_shard([](storage::PartitionLog& log) {
    const auto epochs = log.epochs();
    return std::vector<storage::EpochStart>(epochs.begin(), epochs.end());
  });
}

Result<storage::TimestampedOffset> LogHandle::offset_for_time(std::int64_t timestamp_ms, Offset end) const {
  return on_shard(
      [timestamp_ms, end](storage::PartitionLog& log) { return log.offset_for_time(timestamp_ms, end); });
}

Result<storage::TimestampedOffset> LogHandle::max_timestamp(Offset end) const {
  return on_shard([end](storage::PartitionLog& log) { return log.max_timestamp(end); });
}

Result<std::vector<protocol::BatchHeader>> LogHandle::scan_headers(Offset from, Offset end,
                                                                   std::size_t max_batches) const {
  return on_shard([=](storage::PartitionLog& log) { return log.scan_headers(from, end, max_batches); });
}

Result<Offset> LogHandle::trim_before(Offset offset) const {
  return on_shard([offset](storage::PartitionLog& log) { return log.trim_before(offset); });
}

std::size_t LogHandle::size_bytes() const {
  return on_shard([](storage::PartitionLog& log) { return log.size_bytes(); });
}

std::vector<storage::CleanableRange> LogHandle::cleanable(Offset end) const {
  return on_shard([end](storage::PartitionLog& log) { return log.cleanable(end); });
}

Result<void> LogHandle::replace(storage::CleanableRange range,
                                std::vector<protocol::RecordBatch> batches) const {
  return on_shard([range, batches = std::move(batches)](storage::PartitionLog& log) {
    return log.replace(range, storage::source_of(batches));
  });
}

Result<void> LogHandle::flush() const {
  return on_shard([](storage::PartitionLog& log) { return log.flush(); });
}

void LogHandle::set_listener(std::function<void(const storage::LogOffsets&)> listener) const {
  on_shard([listener = std::move(listener)](storage::PartitionLog& log) { log.set_listener(listener); });
}

void LogHandle::apply_config(storage::LogConfig config) {
  config_ = config;
  host_->call(host_->shard_of(id_), [this] { host_->engine().apply_config(id_, config_); });
}

// ------------------------------------------------------------------------------------------ fixture

ContractTest::ContractTest() {
  const auto& variant = GetParam();
  host_ =
      std::make_unique<EngineHost>(variant.engine, HostOptions{.wrapped = variant.delayed, .seed = seed()});
  if (variant.delayed) host_->faults().set({.delay = 500, .short_read = 300});
  RecordProperty("seed", std::to_string(seed()));
}

std::uint64_t ContractTest::seed() {
  // Set TIDEGATE_TEST_SEED to run a failure again, or to look further.
  static const std::uint64_t value = [] {
    const char* text = std::getenv("TIDEGATE_TEST_SEED");
    return text != nullptr ? std::strtoull(text, nullptr, 10) : 20'240'601ULL;
  }();
  return value;
}

Topic ContractTest::new_topic(std::string name, std::int32_t partitions) {
  return {
      .name = std::move(name), .id = random_uuid(host().rng()), .partitions = partitions, .created_ms = 1};
}

Topic ContractTest::must_create(std::string name, std::int32_t partitions) {
  Topic topic = new_topic(std::move(name), partitions);
  if (auto created = create({topic}); !created)
    throw std::runtime_error("create: " + created.error().message);
  return topic;
}

LogHandle ContractTest::log_of(const Topic& topic, std::int32_t index, storage::LogConfig config) {
  return {host(), PartitionId{.topic = topic.id, .index = index}, config};
}

LogHandle ContractTest::new_log(storage::LogConfig config) {
  return log_of(must_create("log-" + std::to_string(logs_made_++)), 0, config);
}

storage::LogConfig ContractTest::small_segments(std::int64_t segment_bytes) {
  return {.retention_ms = -1,
          .segment_bytes = segment_bytes,
          .index_interval_bytes = 512,
          .cleanup_compact = true};
}

Result<void> ContractTest::create(std::vector<Topic> topics) {
  return host().call(0, [this, topics] { return host().engine().topics().create(topics); });
}

std::vector<Result<void>> ContractTest::remove_all(std::vector<TopicId> ids) {
  return host().call(0, [this, ids] { return host().engine().topics().remove(ids); });
}

Result<void> ContractTest::remove(TopicId id) { return remove_all({id}).at(0); }

std::vector<Topic> ContractTest::topics() {
  auto listed = host().call(0, [this] { return host().engine().topics().list(); });
  if (!listed) throw std::runtime_error("list: " + listed.error().message);
  std::ranges::sort(*listed, {}, &Topic::name);
  return std::move(*listed);
}

std::vector<Result<void>> ContractTest::grow_all(std::vector<storage::TopicStore::Growth> growths) {
  return host().call(0, [this, growths] { return host().engine().topics().add_partitions(growths); });
}

Result<void> ContractTest::add_partitions(TopicId id, std::int32_t partitions) {
  return grow_all({{.id = id, .partitions = partitions}}).at(0);
}

Result<void> ContractTest::set_config(TopicId id, std::map<std::string, std::string> configs) {
  return host().call(0, [=, this] { return host().engine().topics().set_config(id, configs); });
}

Result<std::optional<std::string>> ContractTest::get(std::string scope, std::string key, unsigned shard) {
  return host().call(shard, [=, this] { return host().engine().meta().get(scope, key); });
}

Result<void> ContractTest::put(std::string scope, std::int32_t epoch, std::vector<storage::MetaOp> ops,
                               unsigned shard) {
  return host().call(shard, [=, this] {
    return host().engine().meta().put_batch(scope, epoch, ops, storage::MetaDurability::synced);
  });
}

Result<std::vector<storage::MetaEntry>> ContractTest::scan(std::string scope, std::string prefix,
                                                           std::string after, std::size_t limit) {
  return host().call(0, [=, this] { return host().engine().meta().scan(scope, prefix, after, limit); });
}

Result<std::vector<std::string>> ContractTest::scopes(std::string prefix, std::string after,
                                                      std::size_t limit) {
  return host().call(0, [=, this] { return host().engine().meta().scopes(prefix, after, limit); });
}

}  // namespace tidegate::test
