// A partition that others publish to as well: their messages, between our batches and behind them.
#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "broker_log.h"
#include "format/others_batch.h"
#include "tidegate/base/module_log.h"
#include "tidegate/storage/batch_search.h"

namespace tidegate::storage::seaweedmq {

namespace {
constexpr Duration kInterest = std::chrono::seconds(60);
// Brokers flush every few seconds.
constexpr Duration kUnwatched = std::chrono::seconds(15);
// Of a batch that is made of others' messages.
constexpr std::size_t kBatchBytes = 1U << 20;
constexpr std::int64_t kNsPerMs = 1'000'000;
}  // namespace

// Where counting begins is written down before anything is published, and stays.
Task<Result<void>> BrokerLog::open_older() {
  std::optional<OthersLog::Edge> edge;
  if (!state_.shared) {
    auto before = co_await OthersLog::open(home_, place_.directory, ownership_, {});
    if (!before) co_return fail(std::move(before.error()));
    auto found = (*before)->edge();
    co_await (*before)->close({ErrorCode::not_leader_or_follower, "opened for writing"});
    if (!found) co_return fail(std::move(found.error()));
    edge = *found;
    PartitionState next = state_;
    next.shared = SharedFrom();
    if (edge)
      next.shared = SharedFrom{.file = edge->file.to_string(), .chunks = edge->chunks, .end = edge->end};
    next.log_end = std::max(next.log_end, next.shared->end);
    if (auto put = co_await put_state(std::move(next)); !put) co_return put;
    first_shared_ = true;
    module_log().info("event=partition_of_others_opened_for_writing directory={} offset={}", place_.directory,
                      state_.shared->end);
  } else if (!state_.shared->file.empty()) {
    const auto name = LogFileName::parse(state_.shared->file);
    if (!name)
      co_return fail(ErrorCode::corrupt_message,
                     fmt::format("{}: its state names no log file", place_.directory));
    edge = {.file = *name, .chunks = state_.shared->chunks, .end = state_.shared->end};
  }
  flushed_end_ = state_.shared->end;
  if (!edge) co_return Result<void>{};
  counted_in_ = edge->file;
  auto older =
      co_await OthersLog::open(home_, place_.directory, ownership_, {.edge = edge, .wants_to_write = {}});
  if (!older) co_return fail(std::move(older.error()));
  older_ = std::move(*older);
  log_start_ = std::max(log_start_, std::min(older_->offsets().log_start, edge->end));
  co_return Result<void>{};
}

void BrokerLog::follow_older() {
  if (!older_) return;
  const LogOffsets older = older_->offsets();
  // Without any file its log start is its end.
  const Offset start = older.log_start == older.log_end ? counted_from() : older.log_start;
  if (start <= log_start_) return;
  log_start_ = start;
  tell();
}

bool BrokerLog::is_due() const {
  if (!sent_.empty() || !place_.shared) return true;
  const MonoTime now = home_.clock.now();
  return now - scanned_at_ >= (now - asked_ <= kInterest ? home_.options.watch_others : kUnwatched);
}

// ---------------------------------------------------------------------------------- what others have

void BrokerLog::take_others(const Chunk& chunk, const OpenChunk& open) {
  SiftedChunk sifted = sieve_.sift(open.whole);
  log_end_ += static_cast<std::int64_t>(sifted.count);
  others_.add(chunk, std::move(sifted));
}

void BrokerLog::settle_others() {
  if (!place_.shared || !recovered_ || closing_ || removed_ || !ownership_->holds()) return;
  follow_older();
  if (!clean_) {
    if (!sent_.empty() || log_end_ <= committed_end_) return;
    push_goes_on();
    send_more();
    start_watch();
    return;
  }
  const Offset shown = sent_.empty() ? log_end_ : sent_.front().batch.header.base_offset;
  if (shown <= committed_end_) return;
  committed_end_ = shown;
  tell();
  wake_waiters();
}

bool BrokerLog::needs_goes_on() const {
  if (!place_.shared) return false;
  if (sent_.empty()) return !clean_ || log_end_ != own_committed_end_;
  return log_end_ != sent_.back().batch.header.next_offset();
}

void BrokerLog::push_goes_on() {
  Sent sent{.batch = {},
            .since = home_.clock.now(),
            .since_ms = home_.clock.wall_ms(),
            .own_end = sent_.empty() ? own_committed_end_ : sent_.back().batch.header.next_offset()};
  auto& header = sent.batch.header;
  header.partition_leader_epoch = leader_epoch();
  header.base_offset = log_end_;
  header.last_offset_delta = -1;
  header.records_count = 0;
  sent_.push_back(std::move(sent));
}

// ------------------------------------------------------------------------------------------ reading

Task<Result<ReadResult>> BrokerLog::read_shared(Offset from, ReadLimits limits) {
  asked_ = home_.clock.now();
  home_.metrics.cache_misses.add();
  if (older_ && from < counted_from()) {
    limits.end = std::min(limits.end, counted_from());
    co_return co_await older_->read(from, limits);
  }
  ReadBuilder builder(from, limits);
  for (Offset at = from; at < limits.end && builder.size_bytes() < limits.max_bytes;) {
    const auto run = others_.find(at, flushed_end_);
    const Offset until = run ? std::min(run->base, limits.end) : limits.end;
    auto more = until > at ? co_await add_cold(builder, limits, &at, until)
                           : co_await add_run(*run, builder, limits, &at);
    if (!more) {
      if (builder.batches() > 0) break;
      co_return fail(std::move(more.error()));
    }
    if (!*more) break;
    at = std::max(at, until);
  }
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  co_return builder.take();
}

Task<Result<bool>> BrokerLog::add_run(OthersRun run, ReadBuilder& builder, ReadLimits limits, Offset* at) {
  run.count = std::min(run.count, limits.end - run.base);
  const std::size_t left = limits.max_bytes - std::min(limits.max_bytes, builder.size_bytes());
  auto batches = co_await batches_of_run(std::move(run), std::min(kBatchBytes, left), left);
  if (!batches) co_return fail(std::move(batches.error()));
  for (const auto& batch : *batches) {
    if (!builder.add(batch.header, batch.bytes, {})) co_return false;
    *at = batch.header.next_offset();
  }
  co_return true;
}

Task<Result<std::vector<protocol::RecordBatch>>> BrokerLog::batches_of_run(OthersRun run,
                                                                           std::size_t batch_bytes,
                                                                           std::size_t most_bytes) {
  std::vector<Chunk> one;
  one.push_back(run.chunk);
  auto opened = co_await read_messages(std::move(one));
  if (!opened) co_return fail(std::move(opened.error()));
  if (!opened->front())
    co_return fail(ErrorCode::kafka_storage_error, "a chunk of the log is not on the volume servers");
  const OpenChunk& open = *opened->front();
  std::vector<protocol::RecordBatch> batches;
  std::size_t bytes = 0;
  OthersBatch batch;
  const auto finish = [&]() -> Result<void> {
    if (batch.empty()) return {};
    auto packed = batch.pack();
    if (!packed) return fail(std::move(packed.error()));
    bytes += packed->bytes.size();
    batches.push_back(std::move(*packed));
    batch = OthersBatch();
    return {};
  };
  FrameReader frames(open.whole);
  std::size_t place = 0;
  std::size_t theirs = 0;
  Offset offset = run.base;
  while (offset < run.end() && bytes < most_bytes) {
    const auto entry = frames.next();
    if (!entry) break;
    if (!*entry) co_return fail(entry->error());
    if (!run.sifted->has(place++) || theirs++ < run.first) continue;
    if (!batch.add(**entry, offset)) break;
    ++offset;
    if (batch.size_bytes() < batch_bytes) continue;
    if (auto done = finish(); !done) co_return fail(std::move(done.error()));
    co_await home_.give_way();
  }
  if (auto done = finish(); !done) co_return fail(std::move(done.error()));
  if (batches.empty())
    co_return fail(ErrorCode::corrupt_message,
                   fmt::format("{}: others' messages are damaged", run.chunk.file_id));
  co_return batches;
}

// ----------------------------------------------------------------------------------------- searches

Task<Result<TimestampedOffset>> BrokerLog::others_offset_for_time(std::int64_t timestamp_ms, Offset end) {
  end = std::min(end, committed_end_);
  if (older_ && log_start_ < counted_from()) {
    auto found = co_await older_->offset_for_time(timestamp_ms, std::min(end, counted_from()));
    if (!found || found->offset >= 0) co_return found;
  }
  const OffsetRange within{.begin = counted_from(), .end = end};
  for (auto run = others_.find(within.begin, flushed_end_); run && run->base < end;
       run = others_.find(run->end(), flushed_end_)) {
    if (run->sifted->last_ts_ns / kNsPerMs < timestamp_ms) continue;
    auto batches = co_await batches_of_run(*run, kBatchBytes, std::numeric_limits<std::size_t>::max());
    if (!batches) co_return fail(std::move(batches.error()));
    for (const auto& batch : *batches) {
      const auto found = first_record_at_or_after(batch, timestamp_ms, within);
      if (found && *found) co_return **found;
    }
  }
  co_return TimestampedOffset();
}

Task<Result<TimestampedOffset>> BrokerLog::others_max_timestamp(Offset end) {
  end = std::min(end, committed_end_);
  TimestampedOffset best;
  if (older_ && log_start_ < counted_from()) {
    auto found = co_await older_->max_timestamp(std::min(end, counted_from()));
    if (!found) co_return found;
    best = *found;
  }
  const OffsetRange within{.begin = counted_from(), .end = end};
  for (auto run = others_.find(within.begin, flushed_end_); run && run->base < end;
       run = others_.find(run->end(), flushed_end_)) {
    if (run->sifted->last_ts_ns / kNsPerMs <= best.timestamp) continue;
    auto batches = co_await batches_of_run(*run, kBatchBytes, std::numeric_limits<std::size_t>::max());
    if (!batches) co_return fail(std::move(batches.error()));
    for (const auto& batch : *batches) {
      const auto found = latest_record(batch, within);
      if (found && *found && (*found)->timestamp > best.timestamp) best = **found;
    }
  }
  co_return best;
}

}  // namespace tidegate::storage::seaweedmq
