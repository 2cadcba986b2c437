// Appending on the owner shard: slot, checks, sequence, log, durability, in that order.
#include "tidegate/broker/produce_path.h"

#include <algorithm>
#include <utility>

#include "partition_table.h"
#include "produce_check.h"
#include "scatter.h"
#include "schema_check.h"
#include "tidegate/base/module_log.h"
#include "tidegate/broker/broker.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::broker {

// Of the owner shard; elsewhere only passed on.
struct ProduceRest {
  Shard& owner;
  std::size_t running = 0;
  Event ended;  // when none runs any more
};

namespace {

// Inflating or deflating more than this leaves the shard for the CPU lane.
constexpr std::size_t kInlineCodecBytes = 16U << 10;

ProduceOutcome refused(ProduceRefusal refusal) {
  return {.error = refusal.error,
          .message = std::move(refusal.message),
          .record_errors = std::move(refusal.record_errors)};
}

// What a Produce response may say of a failure in storage. Of other codes clients make what they like:
// librdkafka gives a batch up for good at one that it does not expect.
ErrorCode told_to_producer(ErrorCode code) {
  switch (code) {
    case ErrorCode::unknown_topic_or_partition:
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::request_timed_out:
    case ErrorCode::kafka_storage_error:
    case ErrorCode::policy_violation:  // the log is written by others
      return code;
    case ErrorCode::throttling_quota_exceeded:  // the log's queue is full
      return ErrorCode::request_timed_out;
    default:
      return ErrorCode::kafka_storage_error;
  }
}

ProduceOutcome storage_failed(Error error) {
  return {.error = told_to_producer(error.code), .message = std::move(error.message)};
}

ProduceOutcome failed(Error error) { return {.error = error.code, .message = std::move(error.message)}; }

Task<std::expected<AcceptedBatch, ProduceRefusal>> check(const BrokerParts& parts, PartitionPtr partition,
                                                         SharedBuffer records, ProduceOptions options) {
  const ProduceRules rules{.zstd_allowed = options.zstd_allowed,
                           .has_transactional_id = options.has_transactional_id};
  const std::int64_t now_ms = parts.clock.wall_ms();
  auto batch = check_batch(records, partition->settings(), rules);
  if (!batch) co_return std::unexpected(std::move(batch.error()));
  if (batch->bytes.size() <= kInlineCodecBytes || !needs_codec(*batch, partition->settings(), now_ms)) {
    co_return finish_check(std::move(*batch), partition->settings(), now_ms);
  }
  auto work = [topic = partition->topic, batch = std::move(*batch), now_ms]() mutable {
    return finish_check(std::move(batch), topic->settings, now_ms);
  };
  co_return co_await parts.blocking.run(Lane::cpu, std::move(work));
}

// The log's part, in the partition's order. `slot` is given up as soon as the offset is fixed.
Task<ProduceOutcome> write(PartitionPtr partition, AppendOrder::Slot slot, protocol::RecordBatch batch,
                           ProduceOptions options) {
  std::vector<protocol::RecordBatch> batches;
  partition->producers.count(batch.bytes.size());
  batches.push_back(std::move(batch));
  auto appending = partition->log->append(partition->leader_epoch(), std::move(batches));
  slot.release();  // the next one runs after append() has begun below and taken its offset
  auto appended = co_await std::move(appending);
  if (!appended) co_return storage_failed(std::move(appended.error()));
  ProduceOutcome outcome{.base_offset = appended->base_offset,
                         .log_start = partition->log->offsets().log_start};
  if (options.acks == 0) co_return outcome;
  auto durable = co_await partition->log->wait_durable(appended->log_end);
  if (!durable) co_return storage_failed(std::move(durable.error()));
  co_return outcome;
}

// A batch that was sent again gets the first one's answer, when that is durable.
Task<ProduceOutcome> repeat(PartitionPtr partition, producers::Verdict verdict) {
  if (verdict.kind == producers::Verdict::Kind::duplicate_in_flight) {
    auto durable = co_await partition->log->wait_durable(verdict.wait_for);
    if (!durable) co_return storage_failed(std::move(durable.error()));
  }
  co_return ProduceOutcome{
      .base_offset = verdict.base_offset,
      .log_append_time = partition->settings().log.log_append_time ? verdict.timestamp : -1,
      .log_start = partition->log->offsets().log_start};
}

Task<void> save_producers(const BrokerParts& parts, PartitionPtr partition) {
  auto saved = co_await partition->producers.write_snapshot(parts, partition->id);
  if (!saved && !partition->removed) {
    module_log().warn("event=producer_snapshot_failed topic={} partition={} error=\"{}\"",
                      partition->topic->topic.name, partition->id.index, saved.error().message);
  }
}

// A batch that is refused for now, before its sequence was looked at, and will come again: what its
// producer has sent behind it must not overtake it. Called while its slot is held, or before one is taken.
void note_turned_away(const BrokerParts& parts, Partition& partition, const SharedBuffer& records,
                      const ProduceOptions& options, ErrorCode reason) {
  const ProduceRules rules{.zstd_allowed = options.zstd_allowed,
                           .has_transactional_id = options.has_transactional_id};
  const auto batch = check_batch(records, partition.settings(), rules);
  if (batch) partition.producers.turned_away(batch->header, reason, parts.clock.now());
}

Task<ProduceOutcome> produce(const BrokerParts& parts, PartitionTable& table, PartitionPtr partition,
                             AppendOrder::Slot slot, SharedBuffer records, ProduceOptions options) {
  if (!partition->is_open()) {
    auto opened = co_await table.open(partition);
    if (!opened) {
      note_turned_away(parts, *partition, records, options, told_to_producer(opened.error().code));
      co_return storage_failed(std::move(opened.error()));
    }
  }
  if (options.acks == -1 && partition->settings().min_insync_replicas > 1) {
    note_turned_away(parts, *partition, records, options, ErrorCode::not_enough_replicas);
    co_return ProduceOutcome{.error = ErrorCode::not_enough_replicas,
                             .message = "min.insync.replicas asks for more replicas than the one there is"};
  }
  auto accepted = co_await check(parts, partition, std::move(records), options);
  if (!accepted) co_return refused(std::move(accepted.error()));
  if (partition->settings().schema.any()) {
    auto refusal = co_await check_schemas(parts, partition->topic, accepted->batch);
    if (refusal) {
      // It will come again, unless it can never be good.
      if (refusal->error == ErrorCode::not_enough_replicas) {
        partition->producers.turned_away(accepted->batch.header, refusal->error, parts.clock.now());
      }
      co_return refused(std::move(*refusal));
    }
    auto stored = co_await typed_values(parts, partition->topic, accepted->batch);
    if (!stored) {
      const ErrorCode reason = told_to_producer(stored.error().code);
      partition->producers.turned_away(accepted->batch.header, reason, parts.clock.now());
      co_return storage_failed(std::move(stored.error()));
    }
    accepted->batch.stored_values = std::move(*stored);
  }
  co_await slot.turn();
  if (partition->removed) co_return ProduceOutcome{.error = partition->gone_error()};

  ProducerLog& state = partition->producers;
  if (!parts.cluster.may_tell(partition->id)) {
    // Somebody else may have taken what came in between: what is remembered of producers proves nothing.
    state.turned_away(accepted->batch.header, ErrorCode::not_leader_or_follower, parts.clock.now());
    state.put_off(accepted->batch.header, ErrorCode::not_leader_or_follower);
    co_return ProduceOutcome{.error = ErrorCode::not_leader_or_follower};
  }
  state.follow(partition->log->offsets());
  if (state.is_lost()) {
    auto recovered = co_await state.recover(parts, partition->id, partition->log);
    if (!recovered) {
      const ErrorCode reason = told_to_producer(recovered.error().code);
      state.turned_away(accepted->batch.header, reason, parts.clock.now());
      co_return storage_failed(std::move(recovered.error()));
    }
  }
  // No suspension from here to the append: the offset that the verdict counts on is the one it gets.
  auto verdict = state.next(accepted->batch.header, partition->log->offsets(), parts.clock.now());
  switch (verdict.kind) {
    case producers::Verdict::Kind::append:
      break;
    case producers::Verdict::Kind::refused:
      co_return failed(std::move(verdict.error));
    case producers::Verdict::Kind::duplicate:
    case producers::Verdict::Kind::duplicate_in_flight:
      slot.release();
      co_return co_await repeat(partition, std::move(verdict));
  }
  const std::int64_t log_append_time = accepted->log_append_time;
  const std::size_t bytes = accepted->batch.bytes.size();
  const protocol::BatchHeader header = accepted->batch.header;
  ProduceOutcome outcome = co_await write(partition, std::move(slot), std::move(accepted->batch), options);
  if (!partition->removed) state.follow(partition->log->offsets());
  if (outcome.error != ErrorCode::none) state.put_off(header, outcome.error);
  if (outcome.error == ErrorCode::none) {
    outcome.log_append_time = log_append_time;
    table.produced_bytes().add(bytes);
  }
  if (state.wants_snapshot(false)) {
    Shard::current()->start(save_producers(parts, partition), "producer snapshot");
  }
  co_return outcome;
}

// As Metadata tells it: a client believes the hint when its epoch is above the one that it knows.
LeaderHint leader_of(const BrokerParts& parts, const PartitionId& partition) {
  return {parts.cluster.owner_of(partition).node, parts.engine.leader_epoch(partition)};
}

// One item that has its slot.
struct Ready {
  PartitionPtr partition;
  AppendOrder::Slot slot;
  SharedBuffer records;
  std::size_t place = 0;
};

// The outcomes of one call on this shard.
struct Outcomes {
  Outcomes(std::size_t count) : places(count), ended(count) {}
  std::vector<ProduceOutcome> places;
  std::vector<bool> ended;
  bool answered = false;  // the places were given away
  ProduceRest rest{.owner = *Shard::current(), .running = 0, .ended = {}};
};

Task<void> produce_into(const BrokerParts& parts, PartitionTable& table, Ready ready, ProduceOptions options,
                        std::shared_ptr<Outcomes> out) {
  auto outcome = co_await produce(parts, table, ready.partition, std::move(ready.slot),
                                  std::move(ready.records), options);
  table.leave(*ready.partition);
  if (!out->answered) {
    out->places[ready.place] = std::move(outcome);
    out->ended[ready.place] = true;
  }
  if (--out->rest.running == 0) out->rest.ended.notify_all();
}

Task<std::vector<ProduceOutcome>> produce_all(const BrokerParts& parts, PartitionTable& table,
                                              std::vector<Ready> ready, ProduceOptions options,
                                              std::shared_ptr<Outcomes> out) {
  std::vector<std::size_t> places;
  places.reserve(ready.size());
  out->rest.running = ready.size();
  for (Ready& each : ready) {
    places.push_back(each.place);
    Shard::current()->start(produce_into(parts, table, std::move(each), options, out), "produce");
  }
  while (out->rest.running > 0) {
    if (!co_await out->rest.ended.wait_until(Shard::current()->timers(), options.deadline)) break;
  }
  out->answered = true;
  for (const std::size_t place : places) {
    if (out->ended[place]) continue;
    out->places[place] = {.error = ErrorCode::request_timed_out,
                          .message = "not durable within the request's timeout",
                          .rest = std::shared_ptr<ProduceRest>(out, &out->rest)};
  }
  co_return std::move(out->places);
}

// The part that must not wait: each item takes its slot in its partition's order.
Task<std::vector<ProduceOutcome>> take_slots(const BrokerParts& parts, PartitionTable& table,
                                             std::vector<ProduceItem> items, ProduceOptions options) {
  auto out = std::make_shared<Outcomes>(items.size());
  std::vector<Ready> ready;
  ready.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto found = table.find(items[i].partition);
    if (!found) {
      ProduceOutcome& outcome = out->places[i];
      outcome = failed(std::move(found.error()));
      if (outcome.error == ErrorCode::not_leader_or_follower) {
        outcome.leader = leader_of(parts, items[i].partition);
      }
      continue;
    }
    // Retriable, and a client that meets it sends less at once: its request has timed out.
    if (!table.enter(**found)) {
      out->places[i] = {.error = ErrorCode::request_timed_out,
                        .message = "too many appends wait in this partition"};
      note_turned_away(parts, **found, items[i].records, options, ErrorCode::request_timed_out);
      continue;
    }
    const std::shared_ptr<AppendOrder> order(*found, &(*found)->order);
    ready.push_back({std::move(*found), AppendOrder::take(order), std::move(items[i].records), i});
  }
  return produce_all(parts, table, std::move(ready), options, std::move(out));
}

}  // namespace

Task<std::vector<ProduceOutcome>> ProducePath::append(std::vector<ProduceItem> items, ProduceOptions options,
                                                      std::function<void()> dispatched) {
  auto visit = [this, options](std::vector<ProduceItem> mine) {
    return take_slots(parts_, tables_.local(), std::move(mine), options);
  };
  co_return co_await scatter<ProduceOutcome>(parts_.shards, std::move(items), std::move(visit),
                                             std::move(dispatched));
}

namespace {

Task<void> wait_for_end(std::shared_ptr<ProduceRest> rest) {
  while (rest->running > 0) co_await rest->ended.wait();
}

Task<void> hold(std::vector<std::shared_ptr<ProduceRest>> rests, std::shared_ptr<void> charge) {
  for (const auto& rest : rests) {
    auto wait = [rest] { return wait_for_end(rest); };
    co_await submit_to(rest->owner, std::move(wait));
  }
  charge.reset();
}

}  // namespace

void ProducePath::hold_for_rest(const std::vector<ProduceOutcome>& outcomes, std::shared_ptr<void> charge) {
  std::vector<std::shared_ptr<ProduceRest>> rests;
  for (const ProduceOutcome& outcome : outcomes) {
    if (outcome.rest && std::ranges::find(rests, outcome.rest) == rests.end()) rests.push_back(outcome.rest);
  }
  if (!rests.empty())
    Shard::current()->start(hold(std::move(rests), std::move(charge)), "produce behind its answer");
}

}  // namespace tidegate::broker
