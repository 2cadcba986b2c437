// Producer state of a partition, kept in step with its log.
#include "producer_log.h"

#include <string>
#include <utility>

#include <spdlog/spdlog.h>

#include "tidegate/broker/broker.h"

namespace tidegate::broker {
namespace {

constexpr const char* kKey = "snapshot";
constexpr std::size_t kSnapshotEveryBytes = 64U << 20;
constexpr std::size_t kHeadersPerScan = 4096;

std::string scope_of(const PartitionId& partition) {
  return "producers/" + partition.topic.to_string() + "/" + std::to_string(partition.index);
}

producers::ProducerLimits limits_of(const BrokerParts& parts) {
  producers::ProducerLimits limits;
  limits.expiration = std::chrono::milliseconds(parts.config.integer("producer.id.expiration.ms"));
  return limits;
}

}  // namespace

producers::Verdict ProducerLog::next(protocol::BatchHeader header, const storage::LogOffsets& offsets,
                                     MonoTime now) {
  header.base_offset = offsets.log_end;
  return table_.prepare(header, now);
}

void ProducerLog::follow(const storage::LogOffsets& offsets) {
  if (offsets.log_end < table_.prepared_end() && !table_.roll_back_to(offsets.log_end)) lost_ = true;
  if (!lost_) table_.committed_up_to(offsets.high_watermark);
}

Task<Result<void>> ProducerLog::recover(const BrokerParts& parts, PartitionId partition,
                                        std::shared_ptr<storage::PartitionLog> log) {
  const storage::LogOffsets offsets = log->offsets();
  const MonoTime now = parts.clock.now();
  producers::ProducerStateTable table(limits_of(parts), offsets.log_start);
  if (offsets.log_end > 0) {  // nothing was ever written otherwise, a snapshot neither
    auto stored = co_await parts.engine.meta().get(scope_of(partition), kKey);
    if (!stored) co_return fail(std::move(stored.error()));
    if (*stored) {
      auto parsed = producers::ProducerStateTable::parse(SharedBuffer::copy_of(as_bytes(**stored)),
                                                         limits_of(parts), now);
      if (!parsed) {
        spdlog::warn("event=producer_snapshot_unreadable partition={}/{} error=\"{}\"",
                     partition.topic.to_string(), partition.index, parsed.error().message);
      } else if (parsed->durable_end() <= offsets.log_end) {
        table = std::move(*parsed);
      }
    }
  }
  saved_end_ = table.durable_end();
  Offset from = std::max(table.durable_end(), offsets.log_start);
  while (from < offsets.log_end) {
    auto headers = co_await log->scan_headers(from, offsets.log_end, kHeadersPerScan);
    if (!headers) co_return fail(std::move(headers.error()));
    if (headers->empty()) break;
    for (const protocol::BatchHeader& header : *headers) {
      if (header.base_offset < table.durable_end()) continue;  // reaches below `from`: counted already
      table.replay(header, now);
      unsaved_bytes_ += header.size_bytes();
    }
    from = std::max(from + 1, headers->back().next_offset());
  }
  table.committed_up_to(offsets.log_end);
  table_ = std::move(table);
  lost_ = false;
  co_return Result<void>{};
}

bool ProducerLog::wants_snapshot(bool any) const {
  if (saving_ || lost_ || table_.durable_end() <= saved_end_) return false;
  return any || unsaved_bytes_ >= kSnapshotEveryBytes;
}

Task<Result<void>> ProducerLog::write_snapshot(const BrokerParts& parts, PartitionId partition) {
  saving_ = true;
  const Offset end = table_.durable_end();
  const std::size_t bytes = unsaved_bytes_;
  const SharedBuffer state = table_.serialise(parts.clock.now());
  std::vector<storage::MetaOp> ops;
  ops.push_back({.kind = storage::MetaOp::Kind::put, .key = kKey, .value = std::string(as_text(state.bytes()))});
  auto written = co_await parts.engine.meta().put_batch(scope_of(partition), 0, std::move(ops),
                                                        storage::MetaDurability::policy);
  saving_ = false;
  // Counted as done even when it failed: the next attempt comes after as much log again, not at once.
  unsaved_bytes_ -= std::min(bytes, unsaved_bytes_);
  if (!written) co_return fail(std::move(written.error()));
  saved_end_ = end;
  co_return Result<void>{};
}

}  // namespace tidegate::broker
