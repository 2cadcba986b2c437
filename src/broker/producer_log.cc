// Producer state of a partition, kept in step with its log.
#include "producer_log.h"

#include <string>
#include <utility>

#include <spdlog/spdlog.h>

#include "tidegate/broker/broker.h"

namespace tidegate::broker {
namespace {

constexpr std::size_t kSnapshotEveryBytes = 64U << 20;
constexpr std::size_t kHeadersPerScan = 4096;

std::string scope_of(const PartitionId& partition) {
  return ProducerLog::scope_prefix(partition.topic) + std::to_string(partition.index);
}

}  // namespace

producers::ProducerLimits producer_limits(const ConfigValues& config) {
  producers::ProducerLimits limits;
  limits.max_producers = static_cast<std::size_t>(config.integer("partition.max.producers"));
  limits.expiration = std::chrono::milliseconds(config.integer("producer.id.expiration.ms"));
  return limits;
}

void ProducerLog::set_limits(producers::ProducerLimits limits) {
  limits_ = limits;
  table_ = producers::ProducerStateTable(limits);
}

bool ProducerLog::remember(const protocol::BatchHeader& header, Offset offset, MonoTime now) {
  const auto known = first_batches_.find(header.producer_id);
  if (known == first_batches_.end() && first_batches_.size() >= limits_.max_producers) {
    // None is dropped for another: each stands for a batch that is still to come.
    unsure_until_ = now + limits_.expiration;
    return false;
  }
  first_batches_[header.producer_id] = {header.producer_epoch, header.base_sequence, offset, now};
  return true;
}

void ProducerLog::turned_away(const protocol::BatchHeader& header, MonoTime now) {
  if (header.producer_id < 0 || table_.find(header.producer_id) != nullptr) return;
  const auto known = first_batches_.find(header.producer_id);
  // The first one that came is the first: what a producer has in the pipe arrives in order.
  if (known != first_batches_.end() && known->second.epoch >= header.producer_epoch) return;
  remember(header, -1, now);
}

void ProducerLog::put_off(const protocol::BatchHeader& header, ErrorCode reason) {
  if (header.producer_id < 0 || table_.find(header.producer_id) == nullptr) return;
  const auto known = put_off_.find(header.producer_id);
  // What was in front of it comes first.
  if (known != put_off_.end() && known->second.epoch >= header.producer_epoch) return;
  if (known == put_off_.end() && put_off_.size() >= limits_.max_producers) return;
  put_off_[header.producer_id] = {header.producer_epoch, header.base_sequence, reason};
}

producers::Verdict ProducerLog::prepare(const protocol::BatchHeader& header, MonoTime now) {
  auto verdict = table_.prepare(header, now);
  const auto before = put_off_.find(header.producer_id);
  if (before == put_off_.end()) return verdict;
  const PutOff& first = before->second;
  if (verdict.kind == producers::Verdict::Kind::append) {
    put_off_.erase(before);
  } else if (verdict.kind == producers::Verdict::Kind::refused &&
             verdict.error.code == ErrorCode::out_of_order_sequence_number &&
             first.epoch == header.producer_epoch && first.sequence != header.base_sequence) {
    verdict.error = {first.reason, "a batch in front of it was refused and comes first"};
  }
  return verdict;
}

producers::Verdict ProducerLog::next(protocol::BatchHeader header, const storage::LogOffsets& offsets,
                                     MonoTime now) {
  header.base_offset = offsets.log_end;
  if (header.producer_id < 0) return table_.prepare(header, now);
  table_.expire(now);  // looks at the oldest first and ends there: an expired producer is an unknown one
  if (table_.find(header.producer_id) != nullptr) return prepare(header, now);

  producers::Verdict refused{.kind = producers::Verdict::Kind::refused};
  const auto first = first_batches_.find(header.producer_id);
  if (first != first_batches_.end() && first->second.epoch == header.producer_epoch &&
      first->second.sequence != header.base_sequence) {
    refused.error = {ErrorCode::out_of_order_sequence_number,
                     "the producer's first batch failed and comes first"};
    return refused;
  }
  const bool unsure = unsure_until_ && now < *unsure_until_;
  if ((first == first_batches_.end() && unsure && header.base_sequence != 0) || !remember(header, -1, now)) {
    refused.error = {ErrorCode::request_timed_out,
                     "too many producers of this partition wait for their first batch"};
    return refused;
  }
  auto verdict = table_.prepare(header, now);
  if (verdict.kind == producers::Verdict::Kind::append)
    first_batches_[header.producer_id].offset = header.base_offset;
  return verdict;
}

void ProducerLog::expire(MonoTime now) {
  table_.expire(now);
  std::erase_if(put_off_, [this](const auto& one) { return table_.find(one.first) == nullptr; });
  std::erase_if(first_batches_,
                [&](const auto& first) { return now - first.second.seen >= limits_.expiration; });
  if (unsure_until_ && now >= *unsure_until_) unsure_until_.reset();
}

void ProducerLog::follow(const storage::LogOffsets& offsets) {
  if (offsets.log_end < table_.prepared_end() && !table_.roll_back_to(offsets.log_end)) lost_ = true;
  if (lost_) return;
  table_.committed_up_to(offsets.high_watermark);
  if (first_batches_.empty()) return;
  std::erase_if(first_batches_, [this](const auto& first) {
    return first.second.offset < table_.durable_end() && table_.find(first.first) != nullptr;
  });
}

Task<Result<void>> ProducerLog::recover(const BrokerParts& parts, PartitionId partition,
                                        std::shared_ptr<storage::PartitionLog> log) {
  const storage::LogOffsets offsets = log->offsets();
  const MonoTime now = parts.clock.now();
  producers::ProducerStateTable table(limits_, offsets.log_start);
  if (offsets.log_end > 0) {  // nothing was ever written otherwise, a snapshot neither
    auto stored = co_await parts.engine.meta().get(scope_of(partition), ProducerLog::kSnapshotKey);
    const bool damaged = !stored && stored.error().code == ErrorCode::corrupt_message;
    if (!stored && !damaged) co_return fail(std::move(stored.error()));
    if (damaged) {
      // The log has it all: only a snapshot is lost, and its place is made free for the next.
      spdlog::warn("event=producer_snapshot_unreadable partition={}/{} error=\"{}\"",
                   partition.topic.to_string(), partition.index, stored.error().message);
      static_cast<void>(co_await parts.engine.meta().erase_damaged(scope_of(partition)));
    } else if (*stored) {
      auto parsed =
          producers::ProducerStateTable::parse(SharedBuffer::copy_of(as_bytes(**stored)), limits_, now);
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
  ops.push_back({.kind = storage::MetaOp::Kind::put,
                 .key = ProducerLog::kSnapshotKey,
                 .value = std::string(as_text(state.bytes()))});
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
