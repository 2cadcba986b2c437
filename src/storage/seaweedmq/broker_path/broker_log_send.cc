// Appending: the stream to the broker, its answers, what becomes of batches when it ends, and failures.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "broker_log.h"
#include "tidegate/base/assert.h"
#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {

namespace {
// Of give_up_after: how long an answered batch may be in no file before it is sent again.
constexpr int kLongestFlushPatience = 15;
}  // namespace

Task<Result<Appended>> BrokerLog::append(LeaderEpoch epoch, std::vector<protocol::RecordBatch> batches) {
  // Not part of the coroutine: the offsets are taken even before the task is awaited.
  return finish_append(shared_from_this(), begin_append(epoch, std::move(batches)));
}

Task<Result<Appended>> BrokerLog::finish_append(std::shared_ptr<BrokerLog> self, Result<PendingPtr> pending) {
  static_cast<void>(self);  // alive until the append has ended
  if (!pending) co_return fail(std::move(pending.error()));
  const PendingPtr mine = *pending;
  if (!mine->done) {
    auto park = [&mine](Resume resume) { mine->resume = std::move(resume); };
    co_await suspend(park);
  }
  if (mine->error) co_return fail(*mine->error);
  co_return mine->value;
}

Result<BrokerLog::PendingPtr> BrokerLog::begin_append(LeaderEpoch epoch,
                                                      std::vector<protocol::RecordBatch> batches) {
  if (auto owner = check_owner(); !owner) return fail(std::move(owner.error()));
  if (epoch != leader_epoch()) {
    return fail(ErrorCode::not_leader_or_follower,
                fmt::format("leader epoch is {}, not {}", leader_epoch(), epoch));
  }
  std::size_t bytes = 0;
  for (const auto& batch : batches) bytes += batch.bytes.size();
  const auto room =
      waiting_.check_room(bytes, home_.options.append_queue_bytes, home_.options.append_queues_bytes);
  if (!room) return fail(room.error());
  auto pending = std::make_shared<PendingAppend>();
  if (!batches.empty() && needs_goes_on()) push_goes_on();
  pending->value.base_offset = log_end_;
  pending->done = batches.empty();
  count_waiting(static_cast<std::int64_t>(bytes));
  for (const auto& batch : batches) {
    TIDEGATE_ASSERT(batch.bytes.size() == batch.header.size_bytes() && batch.header.last_offset_delta >= 0);
    Sent sent{.batch = place_batch(batch, log_end_, epoch),
              .since = home_.clock.now(),
              .since_ms = home_.clock.wall_ms()};
    log_end_ = sent.batch.header.next_offset();
    if (&batch == &batches.back()) sent.pending = pending;
    sent_.push_back(std::move(sent));
  }
  send_more();
  pending->value.log_end = log_end_;
  if (!options_.flushed) start_reserving();
  start_watch();
  return pending;
}

Task<Result<void>> BrokerLog::wait_durable(Offset end) {
  const auto self = shared_from_this();
  if (auto usable = check_usable(); !usable) co_return usable;
  if (end <= committed_end_) co_return Result<void>{};
  if (end > log_end_) {
    co_return fail(ErrorCode::kafka_storage_error,
                   fmt::format("offset {} is above log end {}", end, log_end_));
  }
  DurableWaiter waiter{.end = end};
  auto park = [this, &waiter](Resume resume) {
    waiter.resume = std::move(resume);
    waiters_.push_back(&waiter);
  };
  co_await suspend(park);
  if (waiter.error) co_return fail(*waiter.error);
  co_return Result<void>{};
}

void BrokerLog::wake_waiters() {
  std::vector<Resume> resumes;
  std::erase_if(waiters_, [&](DurableWaiter* waiter) {
    if (waiter->end > committed_end_) return false;
    resumes.push_back(std::move(waiter->resume));
    return true;
  });
  resume_all(std::move(resumes));
}

// ------------------------------------------------------------------------------------------ session

void BrokerLog::start_session() {
  if (std::exchange(sessions_run_, true)) return;
  if (!stream_) watch_.down(this, place_.directory, "it is being opened");
  home_.shard.spawn(run_sessions(shared_from_this(), std::make_unique<Job>(*this)), "seaweedmq publish");
}

// Keeps a stream open for as long as the log is: a broker freezes some time after a topic's last one has
// closed.
Task<void> BrokerLog::run_sessions(std::shared_ptr<BrokerLog> /*self*/, std::unique_ptr<Job> /*job*/) {
  Duration backoff = home_.options.first_backoff;
  while (!is_over()) {
    Result<void> connected;
    if (!stream_) connected = co_await connect();
    tried_ = true;
    changed_.notify_all();
    if (is_over()) break;
    if (!connected) {
      watch_.down(this, place_.directory, connected.error().message);
      note_trouble(connected.error());
      fail_overdue();
      co_await home_.back_off(backoff);
      continue;
    }
    backoff = home_.options.first_backoff;
    watch_.up(this);
    while (!recovered_ && !is_over()) co_await changed_.wait();
    if (is_over()) break;
    if (session_ > 0) co_await look_up_sent();
    if (is_over()) break;
    send_all();
    co_await pump();
    streaming_ = false;
    changed_.notify_all();
    if (is_over()) break;
    const Error ended{ErrorCode::kafka_storage_error, fmt::format("broker {}: {}", broker_, stream_->why())};
    watch_.down(this, place_.directory, ended.message);
    note_trouble(ended);
    stream_.reset();
    co_await home_.back_off(backoff);
  }
  streaming_ = false;
  keeping_ = false;
  stream_.reset();
  sessions_run_ = false;
  watch_.gone(this);
  changed_.notify_all();
}

Task<Result<void>> BrokerLog::connect() {
  auto leader = co_await brokers_.leader_of(place_.at);
  if (!leader) {
    if (leader.error().code == ErrorCode::leader_not_available && !is_over()) {
      if (co_await mend_topic_(place_.id.topic)) co_await brokers_.look_again(place_.at);
    }
    co_return fail(std::move(leader.error()));
  }
  broker_ = *leader;
  auto stream = brokers_.publish(broker_, place_.at, place_.directory);
  if (!stream)
    co_return fail(ErrorCode::kafka_storage_error, fmt::format("broker {} does not answer", broker_));
  std::vector<Offset> none;
  const auto next = co_await stream->next(home_.clock.now() + options_.answer_within, none);
  brokers_.report(broker_, next != PublishStream::Next::timeout);
  if (next == PublishStream::Next::timeout) {
    watch_.freezes().add();
    co_return fail(ErrorCode::kafka_storage_error,
                   fmt::format("broker {} is frozen: it takes no stream", broker_));
  }
  if (next != PublishStream::Next::ready)
    co_return fail(ErrorCode::kafka_storage_error, fmt::format("broker {}: {}", broker_, stream->why()));
  stream_ = std::move(stream);
  co_return Result<void>{};
}

Task<void> BrokerLog::look_up_sent() {
  const MonoTime until = home_.clock.now() + options_.flush_within;
  while (!is_over()) {
    const auto behind = co_await brokers_.high_water_mark(broker_, place_.at);
    const auto scanned = co_await scan();
    // Nothing can be lost by sending twice; so what cannot be learned is not waited for.
    if (!behind || home_.clock.now() >= until) co_return;
    if (scanned && last_message_ + 1 >= *behind) co_return;
    co_await home_.shard.timers().sleep_until(home_.clock.now() + options_.look_every);
  }
}

void BrokerLog::send_all() {
  // Above all that were used for this partition in this run, if it was open before.
  session_ = ++home_.publish_sessions;
  expected_message_.reset();
  // What is in the files needs no answer any more.
  next_answer_ = flushed_;
  next_send_ = flushed_;
  in_flight_ = 0;
  late_answers_ = 0;
  streaming_ = true;
  send_more();
}

void BrokerLog::send_more() {
  // What was seen meanwhile, from a session before, needs not be sent.
  next_send_ = std::max(next_send_, flushed_);
  while (streaming_ && next_send_ < sent_.size() && in_flight_ < kMostInFlight) send_one(sent_[next_send_++]);
}

void BrokerLog::send_one(Sent& sent) {
  // What was answered may be lost since, but its producer knows of it: it is not failed for being late.
  if (sent.session > 0) watch_.repeats().add();
  sent.session = session_;
  sent.sent_at = home_.clock.now();
  sent.sent_bytes = sent.batch.size();
  if (sent.own_end) {
    const MessageRank rank{.epoch = sent.batch.header.partition_leader_epoch, .session = session_};
    RecordMessage message =
        goes_on_message(rank, {.own_end = *sent.own_end, .base = sent.batch.header.base_offset});
    sent.messages = sent.unanswered = 1;
    watch_.messages().add();
    stream_->send(std::move(message.key), std::move(message.value));
    return;
  }
  if (place_.layout == Layout::record) {
    auto made = record_messages(sent.batch.header, sent.batch.front, sent.batch.rest, session_, {},
                                sent.batch.stored_values.get());
    if (made.opaque) home_.metrics.opaque_batches.add();
    sent.messages = sent.unanswered = made.messages.size();
    sent.sent_bytes = 0;
    for (RecordMessage& message : made.messages) {
      sent.sent_bytes += message.key.size() + message.value.size() + kMessageBytes;
      stream_->send(std::move(message.key), std::move(message.value));
    }
    watch_.messages().add(sent.messages);
    in_flight_ += sent.sent_bytes;
    return;
  }
  sent.messages = sent.unanswered = 1;
  in_flight_ += sent.sent_bytes;
  watch_.messages().add();
  std::string value;
  value.reserve(sent.batch.size());
  value.append(as_text(sent.batch.front.bytes())).append(as_text(sent.batch.rest.bytes()));
  stream_->send(message_key(sent.batch.header, session_), std::move(value));
}

// Until the stream ends, or has to.
Task<void> BrokerLog::pump() {
  MonoTime answered_at = home_.clock.now();
  while (!is_over() || keeping_) {
    skip_unsent();
    const bool waits = next_answer_ < next_send_;
    if (!waits) answered_at = home_.clock.now();
    std::vector<Offset> assigned;
    const auto next = co_await stream_->next(home_.clock.now() + options_.look_every, assigned);
    if (next == PublishStream::Next::ended) co_return;
    if (keeping_) continue;
    if (!streaming_) stream_->cancel();
    if (next == PublishStream::Next::acks) {
      answered_at = home_.clock.now();
      if (streaming_) take_answers(assigned);
      continue;
    }
    fail_overdue();
    look_for_unflushed();
    if (streaming_ && waits && home_.clock.now() - answered_at > options_.answer_within) {
      brokers_.report(broker_, false);
      watch_.freezes().add();
      module_log().error("event=broker_frozen broker={} directory={}", broker_, place_.directory);
      stream_->cancel();
    }
  }
  // Closed: the broker takes what was sent, and ends the stream.
  const MonoTime until = home_.clock.now() + options_.answer_within;
  std::vector<Offset> late;
  while ((closed_ || removed_) && co_await stream_->next(until, late) == PublishStream::Next::acks) {
  }
}

void BrokerLog::skip_unsent() {
  while (next_answer_ < flushed_ && sent_[next_answer_].session != session_) ++next_answer_;
}

void BrokerLog::take_answers(const std::vector<Offset>& assigned) {
  for (const Offset message : assigned) {
    const bool late = late_answers_ > 0;
    if (!late) skip_unsent();
    if (!late && next_answer_ >= next_send_) break;
    if (expected_message_ && message != *expected_message_) {
      // Once for each message, when somebody else publishes.
      std::uint64_t suppressed = 0;
      if (home_.failure_lines.allow(suppressed))
        module_log().warn("event=broker_counter_moved directory={} expected={} assigned={} suppressed={}",
                          place_.directory, *expected_message_, message, suppressed);
      watch_.counters_moved().add();
    }
    expected_message_ = message + 1;
    if (late) {
      --late_answers_;
      continue;
    }
    Sent& sent = sent_[next_answer_];
    if (--sent.unanswered > 0) continue;
    sent.answered = true;
    in_flight_ -= std::min(in_flight_, sent.sent_bytes);
    ++next_answer_;
    skip_unsent();
  }
  commit_answered();
  send_more();
}

// With ack=flushed an answer says that the batch is in the log; with ack=broker that it is committed, as far
// as offsets are reserved.
void BrokerLog::commit_answered() {
  std::vector<Resume> resumes;
  const Offset before = committed_end_;
  for (; told_ < next_answer_; ++told_) {
    Sent& sent = sent_[told_];
    if (sent.committed) continue;
    if (options_.flushed) {
      if (!sent.pending || sent.pending->done) continue;
      sent.pending->done = true;
      if (sent.pending->resume) resumes.push_back(std::move(sent.pending->resume));
      continue;
    }
    if (sent.batch.header.next_offset() > state_.log_end || !ownership_->holds()) break;
    commit(sent, resumes);
  }
  if (committed_end_ != before) tell();
  resume_all(std::move(resumes));
  wake_waiters();
}

void BrokerLog::commit(Sent& sent, std::vector<Resume>& resumes) {
  sent.committed = true;
  committed_end_ = sent.batch.header.next_offset();
  own_committed_end_ = committed_end_;
  // Between ours there may be others' messages, which are not here.
  if (!place_.shared) {
    PlacedBatch batch = sent.batch;
    batch.stored_values.reset();
    batch.begin = committed_bytes_;
    committed_bytes_ += batch.size();
    home_.tails.add(tail_, std::move(batch));
  }
  if (!sent.pending || sent.pending->done) return;
  sent.pending->done = true;
  if (sent.pending->resume) resumes.push_back(std::move(sent.pending->resume));
}

// ------------------------------------------------------------------------------------------ failure

void BrokerLog::note_trouble(const Error& error) {
  std::uint64_t suppressed = 0;
  if (!home_.failure_lines.allow(suppressed)) return;
  module_log().warn("event=publish_stream_ended directory={} error=\"{}\" suppressed={}", place_.directory,
                    error.message, suppressed);
}

// Batches that have waited too long for an answer, or to be flushed, fail with all behind them.
void BrokerLog::fail_overdue() {
  for (std::size_t i = 0; i < sent_.size(); ++i) {
    const Sent& sent = sent_[i];
    if (sent.committed) continue;
    if (home_.clock.now() - sent.since < home_.options.give_up_after) return;
    Error late{ErrorCode::kafka_storage_error, sent.answered
                                                   ? "the broker does not flush what it has acknowledged"
                                                   : "no broker has acknowledged it in time"};
    if (i < flushed_) late = {ErrorCode::not_leader_or_follower, "the lease has run out"};
    fail_from(committed_end_, late);
    return;
  }
}

// Its broker may write it elsewhere: for a topic of this name that is gone, say, which another gateway still
// keeps open there.
void BrokerLog::look_for_unflushed() {
  if (options_.flushed || flushed_ >= sent_.size() || !streaming_) return;
  const Sent& oldest = sent_[flushed_];
  if (flush_patience_ == Duration(0)) flush_patience_ = home_.options.give_up_after;
  if (!oldest.answered || home_.clock.now() - oldest.sent_at < flush_patience_) return;
  flush_patience_ = std::min(flush_patience_ * 2, home_.options.give_up_after * kLongestFlushPatience);
  module_log().error("event=broker_does_not_flush broker={} directory={} batches={}", broker_,
                     place_.directory, sent_.size() - flushed_);
  streaming_ = false;
  stream_->cancel();
}

void BrokerLog::count_waiting(std::int64_t bytes) {
  if (bytes > 0) waiting_.add(static_cast<std::size_t>(bytes));
  if (bytes < 0) waiting_.remove(static_cast<std::size_t>(-bytes));
  watch_.unflushed_bytes().add(bytes);
}

// What was sent may still come into the files. It is void there as soon as something else has its offsets,
// which is sent in a later session.
void BrokerLog::fail_from(Offset from, const Error& error) {
  std::vector<Resume> resumes;
  bool any = false;
  while (!sent_.empty() && !sent_.back().committed && sent_.back().batch.header.base_offset >= from) {
    Sent& last = sent_.back();
    any = true;
    count_waiting(-static_cast<std::int64_t>(last.batch.size()));
    if (last.pending && !last.pending->done) {
      last.pending->done = true;
      last.pending->error = error;
      if (last.pending->resume) resumes.push_back(std::move(last.pending->resume));
    }
    sent_.pop_back();
  }
  next_answer_ = std::min(next_answer_, sent_.size());
  next_send_ = std::min(next_send_, sent_.size());
  flushed_ = std::min(flushed_, sent_.size());
  told_ = std::min(told_, sent_.size());
  Offset end = sent_.empty() ? std::max(committed_end_, std::min(from, log_end_))
                             : sent_.back().batch.header.next_offset();
  if (place_.shared) {
    if (sent_.empty())
      end = std::max(committed_end_, own_committed_end_ + others_.count_from(own_committed_end_));
    if (any) {
      clean_ = false;
      dirty_session_ = session_;
    }
  }
  const bool shorter = log_end_ > end;
  log_end_ = end;
  std::erase_if(waiters_, [&](DurableWaiter* waiter) {
    if (waiter->end <= committed_end_) return false;
    waiter->error = error;
    resumes.push_back(std::move(waiter->resume));
    return true;
  });
  if (any) {
    home_.metrics.append_failures.add();
    streaming_ = false;
    if (stream_ && !keeping_) stream_->cancel();
  }
  changed_.notify_all();
  if (shorter) tell();
  std::ranges::reverse(resumes);
  resume_all(std::move(resumes));
}

// -------------------------------------------------------------------------------------------- watch

void BrokerLog::start_watch() {
  if ((sent_.empty() && !place_.shared) || is_over() || std::exchange(watching_, true)) return;
  home_.shard.spawn(watch_flushes(shared_from_this(), std::make_unique<Job>(*this)), "seaweedmq watch");
}

Task<void> BrokerLog::watch_flushes(std::shared_ptr<BrokerLog> /*self*/, std::unique_ptr<Job> /*job*/) {
  while ((!sent_.empty() || place_.shared) && !is_over()) {
    co_await home_.shard.timers().sleep_until(home_.clock.now() + options_.look_every);
    if (is_over()) break;
    if (!is_due()) continue;
    if (auto scanned = co_await scan(); !scanned) note_trouble(scanned.error());
    // Seen while the lease had run out, and ours again.
    settle_flushed();
  }
  watching_ = false;
}

void BrokerLog::start_reserving() {
  if (log_end_ + reserve_ / 2 <= state_.log_end || std::exchange(reserving_, true)) return;
  home_.shard.spawn(reserve(shared_from_this(), std::make_unique<Job>(*this)), "seaweedmq reserve");
}

Task<void> BrokerLog::reserve(std::shared_ptr<BrokerLog> /*self*/, std::unique_ptr<Job> /*job*/) {
  Duration backoff = home_.options.first_backoff;
  const MonoTime now = home_.clock.now();
  const bool soon = now - reserved_at_ < std::chrono::seconds(1);
  reserve_ = std::clamp(soon ? reserve_ * 2 : reserve_ / 2, kLeastReserve, kMostReserve);
  reserved_at_ = now;
  while (!is_over() && log_end_ + reserve_ / 2 > state_.log_end) {
    PartitionState next = state_now();
    next.log_end = log_end_ + reserve_;
    const auto put = co_await put_state(std::move(next));
    if (put) {
      commit_answered();
    } else {
      if (put.error().code == ErrorCode::not_leader_or_follower) break;
      co_await home_.back_off(backoff);
    }
  }
  reserving_ = false;
}

}  // namespace tidegate::storage::seaweedmq
