#include "partition_facts.h"

#include "keys.h"

namespace tidegate::storage::embedded {

namespace {

std::optional<PartitionId> partition_of(std::string_view key) {
  ValueReader reader(key.substr(1));
  PartitionId id;
  id.topic = reader.uuid();
  id.index = reader.integer<std::int32_t>();
  if (!reader.done()) return std::nullopt;
  return id;
}

EpochTable decode_epochs(std::string_view value) {
  ValueReader reader(value);
  auto table = std::make_shared<std::vector<EpochStart>>();
  while (reader.remaining() > 0 && reader.ok()) {
    EpochStart entry;
    entry.epoch = reader.integer<LeaderEpoch>();
    entry.start = reader.integer<Offset>();
    if (reader.ok()) table->push_back(entry);
  }
  return table;
}

}  // namespace

Result<void> PartitionFacts::load() {
  const std::unique_lock lock(mutex_);
  facts_.clear();
  bool good = true;
  auto epochs = kv_.scan({}, keys::kEpochs, [&](std::string_view key, std::string_view value) {
    const auto id = partition_of(key);
    auto table = decode_epochs(value);
    good &= id && !table->empty();
    if (good) facts_[*id].epochs = std::move(table);
    return good;
  });
  if (!epochs) return epochs;
  auto starts = kv_.scan({}, keys::kLogStarts, [&](std::string_view key, std::string_view value) {
    const auto id = partition_of(key);
    ValueReader reader(value);
    const auto offset = reader.integer<Offset>();
    good &= id && reader.done();
    if (good) facts_[*id].log_start = offset;
    return good;
  });
  if (!starts) return starts;
  if (!good)
    return fail(ErrorCode::kafka_storage_error, "metadata store: a partition's entry cannot be read");
  return {};
}

EpochTable PartitionFacts::epochs(const PartitionId& id) const {
  const std::shared_lock lock(mutex_);
  const auto found = facts_.find(id);
  return found == facts_.end() ? first_epoch() : found->second.epochs;
}

LeaderEpoch PartitionFacts::leader_epoch(const PartitionId& id) const {
  const std::shared_lock lock(mutex_);
  const auto found = facts_.find(id);
  return found == facts_.end() ? 0 : found->second.epochs->back().epoch;
}

Offset PartitionFacts::log_start(const PartitionId& id) const {
  const std::shared_lock lock(mutex_);
  const auto found = facts_.find(id);
  return found == facts_.end() ? 0 : found->second.log_start;
}

Result<void> PartitionFacts::set_epochs(const PartitionId& id, EpochTable table) {
  ValueWriter value;
  for (const EpochStart& entry : *table) value.integer(entry.epoch).integer(entry.start);
  const KvOp op{keys::partition(keys::kEpochs, id), value.take()};
  if (auto wrote = kv_.write({&op, 1}, true); !wrote) return wrote;
  const std::unique_lock lock(mutex_);
  facts_[id].epochs = std::move(table);
  return {};
}

Result<void> PartitionFacts::set_log_start(const PartitionId& id, Offset offset) {
  const KvOp op{keys::partition(keys::kLogStarts, id), ValueWriter().integer(offset).take()};
  if (auto wrote = kv_.write({&op, 1}, true); !wrote) return wrote;
  const std::unique_lock lock(mutex_);
  auto& start = facts_[id].log_start;
  start = std::max(start, offset);
  return {};
}

void PartitionFacts::forget(const TopicId& topic, std::int32_t partitions) {
  const std::unique_lock lock(mutex_);
  for (std::int32_t i = 0; i < partitions; ++i) facts_.erase(PartitionId{topic, i});
}

void PartitionFacts::erase_keys(const TopicId& topic, std::int32_t partitions, std::vector<KvOp>& ops) {
  for (std::int32_t i = 0; i < partitions; ++i) {
    ops.push_back({keys::partition(keys::kEpochs, {topic, i}), std::nullopt});
    ops.push_back({keys::partition(keys::kLogStarts, {topic, i}), std::nullopt});
    ops.push_back({keys::partition(keys::kCompacted, {topic, i}), std::nullopt});
  }
}

}  // namespace tidegate::storage::embedded
