// The rules of sequences and epochs, and undoing what did not become durable.
#include "tidegate/producers/producer_state_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "tidegate/base/assert.h"

namespace tidegate::producers {
namespace {

using protocol::BatchHeader;

std::int32_t sequence_after(std::int32_t sequence) {
  return sequence == std::numeric_limits<std::int32_t>::max() ? 0 : sequence + 1;
}

BatchMetadata metadata_of(const BatchHeader& header) {
  return {.first_sequence = header.base_sequence,
          .last_sequence = header.last_sequence(),
          .base_offset = header.base_offset,
          .last_offset = header.last_offset(),
          .timestamp = header.max_timestamp};
}

void remember(ProducerState& state, const BatchMetadata& batch) {
  if (state.batch_count == kRememberedBatches) {
    std::shift_left(state.batches.begin(), state.batches.end(), 1);
    --state.batch_count;
  }
  state.batches[state.batch_count++] = batch;
}

}  // namespace

ProducerStateTable::ProducerStateTable(ProducerLimits limits, Offset start)
    : limits_(limits), durable_end_(start), prepared_end_(start) {}

// ---------------------------------------------------------------------------------------- the rules

Verdict ProducerStateTable::refuse(ErrorCode code, std::string message) {
  Verdict verdict{.kind = Verdict::Kind::refused};
  verdict.error = {code, std::move(message)};
  return verdict;
}

Verdict ProducerStateTable::check(const ProducerState& state, const BatchHeader& header) const {
  if (header.producer_epoch < state.epoch) {
    return refuse(ErrorCode::invalid_producer_epoch,
                  fmt::format("producer {} has epoch {}, the batch {}", header.producer_id, state.epoch,
                              header.producer_epoch));
  }
  if (header.is_control()) return {};
  if (header.producer_epoch == state.epoch) {
    const auto repeated = metadata_of(header);
    for (const auto& batch : state.remembered()) {
      if (batch.first_sequence != repeated.first_sequence || batch.last_sequence != repeated.last_sequence)
        continue;
      const bool durable = batch.last_offset < durable_end_;
      return {.kind = durable ? Verdict::Kind::duplicate : Verdict::Kind::duplicate_in_flight,
              .base_offset = batch.base_offset,
              .timestamp = batch.timestamp,
              .wait_for = batch.last_offset + 1};
    }
  }
  if (state.open_transaction != kNoOpenTransaction && !header.is_transactional()) {
    return refuse(
        ErrorCode::invalid_txn_state,
        fmt::format("producer {} has an open transaction, the batch is outside it", header.producer_id));
  }
  return check_sequence(state, header);
}

Verdict ProducerStateTable::check_sequence(const ProducerState& state, const BatchHeader& header) const {
  // A new epoch begins at 0, and so does one that only a marker has brought.
  const bool begins = header.producer_epoch > state.epoch || state.last() == nullptr;
  const std::int32_t expected = begins ? 0 : sequence_after(state.last()->last_sequence);
  if (header.base_sequence == expected) return {};
  return refuse(ErrorCode::out_of_order_sequence_number,
                fmt::format("producer {} epoch {} sends sequence {}, expected {}", header.producer_id,
                            header.producer_epoch, header.base_sequence, expected));
}

Verdict ProducerStateTable::prepare(const BatchHeader& header, MonoTime now) {
  TIDEGATE_ASSERT(header.base_offset >= prepared_end_);
  if (header.producer_id < 0) {
    prepared_end_ = header.next_offset();
    return {};
  }
  auto producer = producers_.find(header.producer_id);
  if (producer != producers_.end() && is_expired(producer->second, now)) {
    erase(producer);
    producer = producers_.end();
  }
  const bool known = producer != producers_.end();
  if (known) {
    auto verdict = check(producer->second.state, header);
    if (verdict.kind == Verdict::Kind::refused) return verdict;
    if (verdict.kind != Verdict::Kind::append) {
      touch(producer->second, now);  // it is alive and may need its state again
      return verdict;
    }
  }
  if (in_flight() >= limits_.max_in_flight) {
    return refuse(ErrorCode::request_timed_out, "too many batches in flight in this partition");
  }
  if (!known) {
    // An unknown producer may begin anywhere: its state may have expired, or been pushed out.
    if (!make_room()) {
      if (!header.is_control())
        return refuse(ErrorCode::request_timed_out, "too many producers in this partition");
      prepared_end_ = header.next_offset();  // a marker must never fail, and ends nothing that we know
      return {};
    }
    producer = insert(header.producer_id, now);
  }
  undo_.push_back({header.base_offset, header.next_offset(), header.producer_id, std::nullopt});
  if (known) undo_.back().before = producer->second.state;
  ++producer->second.in_flight;
  apply(producer, header);
  touch(producer->second, now);
  prepared_end_ = header.next_offset();
  return {};
}

void ProducerStateTable::apply(Producers::iterator producer, const BatchHeader& header) {
  ProducerState state = producer->second.state;
  if (header.producer_epoch != state.epoch) {
    state.epoch = header.producer_epoch;
    state.batch_count = 0;
  }
  if (header.is_control()) {
    state.open_transaction = kNoOpenTransaction;
  } else {
    remember(state, metadata_of(header));
    if (header.is_transactional() && state.open_transaction == kNoOpenTransaction) {
      state.open_transaction = header.base_offset;
    }
  }
  set_state(producer, state);
}

// ----------------------------------------------------------------------------- durable, undone, replayed

void ProducerStateTable::committed_up_to(Offset end) {
  durable_end_ = std::max(durable_end_, end);
  prepared_end_ = std::max(prepared_end_, durable_end_);
  while (undo_begin_ < undo_.size() && undo_[undo_begin_].end <= durable_end_) {
    --producers_.find(undo_[undo_begin_].producer_id)->second.in_flight;
    ++undo_begin_;
  }
  // Each entry is moved at most once in a while: amortised constant.
  if (undo_begin_ == undo_.size() || undo_begin_ > undo_.size() / 2) {
    undo_.erase(undo_.begin(), undo_.begin() + static_cast<std::ptrdiff_t>(undo_begin_));
    undo_begin_ = 0;
  }
}

bool ProducerStateTable::roll_back_to(Offset end) {
  if (end < durable_end_) return false;
  while (in_flight() > 0 && undo_.back().end > end) {
    const auto& undo = undo_.back();
    // Still there: what has a batch in flight is neither expired nor pushed out.
    const auto producer = producers_.find(undo.producer_id);
    TIDEGATE_ASSERT(producer != producers_.end());
    if (undo.before) {
      --producer->second.in_flight;
      set_state(producer, *undo.before);
    } else {
      erase(producer);
    }
    undo_.pop_back();
  }
  prepared_end_ = std::min(prepared_end_, end);
  return true;
}

void ProducerStateTable::replay(const BatchHeader& header, MonoTime now) {
  TIDEGATE_ASSERT(in_flight() == 0);
  durable_end_ = std::max(durable_end_, header.next_offset());
  prepared_end_ = durable_end_;
  if (header.producer_id < 0) return;
  // No produce path lets such a batch in; from a foreign log it must not poison the next snapshot.
  if (header.producer_epoch < 0 || (!header.is_control() && header.base_sequence < 0)) return;
  auto producer = producers_.find(header.producer_id);
  if (producer == producers_.end()) {
    // Beyond the limit rather than forget an open transaction that is in the log.
    static_cast<void>(make_room());
    producer = insert(header.producer_id, now);
  } else if (header.producer_epoch < producer->second.state.epoch) {
    return;
  }
  apply(producer, header);
  touch(producer->second, now);
}

// ------------------------------------------------------------------------------------------- who stays

bool ProducerStateTable::is_busy(const Producer& producer) const {
  return producer.in_flight > 0 || producer.state.open_transaction != kNoOpenTransaction;
}

bool ProducerStateTable::is_expired(const Producer& producer, MonoTime now) const {
  return !is_busy(producer) && now - producer.last_used >= limits_.expiration;
}

std::size_t ProducerStateTable::expire(MonoTime now) {
  std::size_t expired = 0;
  for (auto at = recency_.begin(); at != recency_.end();) {
    const auto producer = producers_.find(*at++);
    if (now - producer->second.last_used < limits_.expiration) break;  // the rest was used later
    if (!is_expired(producer->second, now)) continue;
    erase(producer);
    ++expired;
  }
  return expired;
}

bool ProducerStateTable::make_room() {
  if (producers_.size() < limits_.max_producers) return true;
  for (const auto producer_id : recency_) {
    const auto producer = producers_.find(producer_id);
    if (is_busy(producer->second)) continue;
    erase(producer);
    return true;
  }
  return false;
}

ProducerStateTable::Producers::iterator ProducerStateTable::insert(std::int64_t producer_id, MonoTime now) {
  const auto recency = recency_.insert(recency_.end(), producer_id);
  return producers_
      .emplace(producer_id, Producer{.state = {}, .last_used = now, .in_flight = 0, .recency = recency})
      .first;
}

void ProducerStateTable::erase(Producers::iterator producer) {
  open_transactions_.erase({producer->second.state.open_transaction, producer->first});
  recency_.erase(producer->second.recency);
  producers_.erase(producer);
}

void ProducerStateTable::touch(Producer& producer, MonoTime now) {
  producer.last_used = std::max(producer.last_used, now);
  recency_.splice(recency_.end(), recency_, producer.recency);
}

void ProducerStateTable::set_state(Producers::iterator producer, const ProducerState& state) {
  auto& current = producer->second.state;
  if (current.open_transaction != state.open_transaction) {
    open_transactions_.erase({current.open_transaction, producer->first});
    if (state.open_transaction != kNoOpenTransaction) {
      open_transactions_.insert({state.open_transaction, producer->first});
    }
  }
  current = state;
}

const ProducerState* ProducerStateTable::find(std::int64_t producer_id) const {
  const auto producer = producers_.find(producer_id);
  return producer == producers_.end() ? nullptr : &producer->second.state;
}

std::vector<std::int64_t> ProducerStateTable::producer_ids() const {
  std::vector<std::int64_t> ids;
  ids.reserve(producers_.size());
  for (const auto& [id, producer] : producers_) ids.push_back(id);
  return ids;
}

std::optional<Offset> ProducerStateTable::first_open_transaction() const {
  if (open_transactions_.empty()) return std::nullopt;
  return open_transactions_.begin()->first;
}

}  // namespace tidegate::producers
