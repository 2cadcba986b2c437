// Appending: gathering, one upload at a time, one commit at a time, and what happens when one of them fails.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "direct_log.h"
#include "tidegate/base/assert.h"
#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {

namespace {
// Uploaded chunks that wait for a commit; uploads pause beyond.
constexpr std::size_t kMaxUploaded = 16;
constexpr std::int64_t kNsPerMs = 1'000'000;
// Taking batches apart: written bytes after which the shard gets to do other things.
constexpr std::size_t kTurnBytes = 512U << 10;
constexpr std::size_t kBuiltAtATime = 16;
}  // namespace

// ------------------------------------------------------------------------------------------ append

Task<Result<Appended>> DirectLog::append(LeaderEpoch epoch, std::vector<protocol::RecordBatch> batches) {
  // Not part of the coroutine: the offsets are taken even before the task is awaited.
  return finish_append(shared_from_this(), begin_append(epoch, std::move(batches)));
}

Task<Result<Appended>> DirectLog::finish_append(std::shared_ptr<DirectLog> self, Result<PendingPtr> pending) {
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

Result<DirectLog::PendingPtr> DirectLog::begin_append(LeaderEpoch epoch,
                                                      std::vector<protocol::RecordBatch> batches) {
  if (closed_by_) return fail(*closed_by_);
  if (auto owner = check_owner(); !owner) return fail(std::move(owner.error()));
  if (epoch != leader_epoch()) {
    return fail(ErrorCode::not_leader_or_follower,
                fmt::format("leader epoch is {}, not {}", leader_epoch(), epoch));
  }
  if (broken_) return fail(broken_by_);
  std::size_t bytes = 0;
  for (const auto& batch : batches) bytes += batch.bytes.size();
  const auto room =
      waiting_.check_room(bytes, home_.options.append_queue_bytes, home_.options.append_queues_bytes);
  if (!room) return fail(room.error());
  auto pending = std::make_shared<PendingAppend>();
  pending->value.base_offset = log_end_;
  QueuedAppend queued{.bytes = bytes, .pending = pending};
  queued.batches.reserve(batches.size());
  for (const auto& batch : batches) {
    TIDEGATE_ASSERT(batch.bytes.size() == batch.header.size_bytes() && batch.header.last_offset_delta >= 0);
    queued.batches.push_back(place_batch(batch, log_end_, epoch));
    log_end_ = queued.batches.back().header.next_offset();
  }
  pending->value.log_end = log_end_;
  if (queued.batches.empty()) {
    pending->done = true;
    return pending;
  }
  waiting_.add(bytes);
  queue_bytes_ += bytes;
  if (queue_.empty()) queued_since_ = home_.clock.now();
  queue_.push_back(std::move(queued));
  start_uploads();
  if (queue_bytes_ >= home_.options.gather_bytes) more_.notify_all();
  return pending;
}

Task<Result<void>> DirectLog::wait_durable(Offset end) {
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

Task<Result<void>> DirectLog::flush() {
  hurry_ = committed_end_ < log_end_;
  more_.notify_all();
  return wait_durable(log_end_);
}

// Wakes those whose offset is committed.
void DirectLog::wake_waiters() {
  std::vector<Resume> resumes;
  std::erase_if(waiters_, [&](DurableWaiter* waiter) {
    if (waiter->end > committed_end_) return false;
    resumes.push_back(std::move(waiter->resume));
    return true;
  });
  resume_all(std::move(resumes));
}

// ------------------------------------------------------------------------------------------ upload

void DirectLog::start_uploads() {
  if (std::exchange(uploads_run_, true)) return;
  home_.shard.spawn(run_uploads(shared_from_this(), std::make_unique<Job>(*this)), "seaweedmq upload");
}

Task<void> DirectLog::run_uploads(std::shared_ptr<DirectLog> /*self*/, std::unique_ptr<Job> /*job*/) {
  while (!queue_.empty()) {
    co_await gather();
    MemoryLease room;
    if (place_.layout == Layout::record)
      room = co_await home_.building.acquire(home_.options.building_bytes / kBuiltAtATime);
    if (queue_.empty()) break;
    const auto chunk = std::make_shared<NewChunk>(place_.layout, home_.options.mark_bytes);
    chunk->chunk.facts.base = queue_.front().batches.front().header.base_offset;
    uploading_ = chunk;
    co_await fill_chunk(chunk);
    // Nobody who waits for it is kept waiting for room that this one does not need.
    const std::size_t built = chunk->writer.size_bytes();
    room.grow_to(built);
    room.shrink_to(std::min(built, room.size()));
    Result<void> uploaded;
    if (!chunk->failed) uploaded = co_await upload(chunk);
    if (chunk->failed) {
      discard({chunk->chunk.stored.file_id});
    } else if (!uploaded) {
      note_failure(uploaded.error());
      fail_from(chunk->chunk.facts.base, uploaded.error());
    } else {
      uploaded_.push_back(chunk);
      start_commits();
    }
    uploading_.reset();
    while (uploaded_.size() >= kMaxUploaded) co_await changed_.wait();
  }
  hurry_ = false;
  uploads_run_ = false;
}

// Until the appends are worth an upload. While one is under way nobody comes here, so that what gathers
// behind it goes at once, and in larger pieces the more there is to do.
Task<void> DirectLog::gather() {
  const MonoTime deadline = queued_since_ + home_.options.linger;
  while (!queue_.empty() && !hurry_ && queue_bytes_ < home_.options.gather_bytes &&
         home_.clock.now() < deadline) {
    co_await more_.wait_until(home_.shard.timers(), deadline);
  }
  if (queue_.empty() || hurry_) co_return;
  // The more partitions write, the later its turn, and the more is in the chunk.
  const MonoTime turn = home_.budget.take(home_.clock.now());
  if (turn > home_.clock.now()) home_.metrics.stretched.add();
  while (!queue_.empty() && !hurry_ && home_.clock.now() < turn) {
    co_await more_.wait_until(home_.shard.timers(), turn);
  }
}

std::int64_t DirectLog::NewChunk::add(PlacedBatch batch, std::int64_t ts_ns) {
  ChunkFacts& facts = chunk.facts;
  if (batches.empty()) {
    facts.base = batch.header.base_offset;
    first_ts_ns = ts_ns;
  }
  mark(batch.header.base_offset, writer.size_bytes());
  facts.end = batch.header.next_offset();
  facts.max_timestamp = std::max(facts.max_timestamp, batch.header.max_timestamp);
  facts.record_bytes += static_cast<std::uint32_t>(batch.size());
  const std::int64_t behind = ts_ns + writer.add(batch, ts_ns);
  batch.stored_values.reset();
  last_ts_ns = behind - 1;
  batches.push_back(std::move(batch));
  return behind;
}

void DirectLog::NewChunk::add(const LogChunk& source, SharedBuffer bytes) {
  ChunkFacts& facts = chunk.facts;
  if (raw.empty()) facts.base = source.facts.base;
  mark(source.facts.base, raw_bytes);
  for (const ChunkMark& inside : source.facts.marks) mark(inside.offset, raw_bytes + inside.position);
  facts.end = source.facts.end;
  facts.max_timestamp = std::max(facts.max_timestamp, source.facts.max_timestamp);
  facts.record_bytes += source.facts.record_bytes;
  raw_bytes += bytes.size();
  raw.push_back(std::move(bytes));
}

void DirectLog::NewChunk::mark(Offset offset, std::size_t position) {
  auto& marks = chunk.facts.marks;
  const std::size_t last = marks.empty() ? 0 : marks.back().position;
  if (position >= last + mark_bytes)
    marks.push_back({.offset = offset, .position = static_cast<std::uint32_t>(position)});
}

Task<void> DirectLog::fill_chunk(ChunkInWork chunk) {
  const std::size_t limit = home_.options.max_chunk_bytes;
  std::size_t written = 0;
  last_ts_ns_ = std::max(last_ts_ns_, home_.clock.wall_ms() * kNsPerMs - 1);
  // Whoever waits may find that the chunk has failed meanwhile, with everything that was queued then.
  while (!queue_.empty() && !chunk->failed) {
    const std::size_t bytes = chunk->chunk.facts.record_bytes;
    const bool fits = bytes + queue_.front().bytes <= limit && chunk->writer.size_bytes() < limit;
    if (bytes > 0 && !fits) break;
    QueuedAppend next = std::move(queue_.front());
    queue_.pop_front();
    queue_bytes_ -= next.bytes;
    for (PlacedBatch& batch : next.batches) last_ts_ns_ = chunk->add(std::move(batch), last_ts_ns_ + 1) - 1;
    chunk->appends.push_back(std::move(next.pending));
    if (place_.layout == Layout::batch || chunk->writer.size_bytes() < written + kTurnBytes) continue;
    written = chunk->writer.size_bytes();
    co_await home_.give_way();
  }
  home_.metrics.opaque_batches.add(chunk->writer.opaque());
}

Task<Result<void>> DirectLog::upload(ChunkInWork chunk) {
  Chunk& stored = chunk->chunk.stored;
  stored.size_bytes = chunk->raw.empty() ? chunk->writer.size_bytes() : chunk->raw_bytes;
  stored.modified_ns = chunk->first_ts_ns;
  const std::vector<SharedBuffer> pieces =
      chunk->raw.empty() ? chunk->writer.take() : std::exchange(chunk->raw, {});
  const std::string path =
      paths::join(place_.directory, LogFileName{.second = chunk->first_ts_ns / 1'000'000'000}.to_string());
  const MonoTime give_up = home_.clock.now() + home_.options.give_up_after;
  Duration backoff = home_.options.first_backoff;
  for (;;) {
    auto assigned = co_await home_.backend.volumes.assign(path);
    Result<void> uploaded;
    if (assigned) {
      stored.file_id = assigned->file_id;
      uploaded = co_await home_.backend.volumes.upload(*assigned, pieces);
      if (uploaded) {
        home_.metrics.chunks.add();
        home_.metrics.chunk_bytes.add(stored.size_bytes);
        co_return uploaded;
      }
      // It may be there all the same, under an id that nobody will name.
      discard({stored.file_id});
    } else {
      uploaded = fail(std::move(assigned.error()));
    }
    if (chunk->failed || home_.clock.now() >= give_up) co_return uploaded;
    home_.metrics.retries.add();
    co_await home_.back_off(backoff);
  }
}

void DirectLog::discard(std::vector<std::string> file_ids) {
  std::erase(file_ids, std::string());
  if (file_ids.empty()) return;
  static constexpr auto run = [](std::shared_ptr<DirectLog> self, std::unique_ptr<Job> /*job*/,
                                 std::vector<std::string> ids) -> Task<void> {
    co_await self->home_.backend.volumes.discard(std::move(ids));
  };
  home_.shard.spawn(run(shared_from_this(), std::make_unique<Job>(*this), std::move(file_ids)),
                    "seaweedmq discard");
}

// ------------------------------------------------------------------------------------------ commit

void DirectLog::start_commits() {
  if (std::exchange(commits_run_, true)) return;
  home_.shard.spawn(run_commits(shared_from_this(), std::make_unique<Job>(*this)), "seaweedmq commit");
}

Task<void> DirectLog::run_commits(std::shared_ptr<DirectLog> /*self*/, std::unique_ptr<Job> /*job*/) {
  while (!uploaded_.empty()) {
    co_await lock_files();
    if (!uploaded_.empty() && !broken_) {
      Commit commit = plan_commit();
      auto done = co_await fenced(FencedChange::Kind::put, place_.directory, entry_of(commit.file));
      if (done && !ownership_->holds()) done = co_await confirm_ownership();
      if (!removed_ && !closing_) end_commit(std::move(commit), std::move(done));
      committing_.clear();
      changed_.notify_all();
    }
    unlock_files();
    if (broken_) break;
  }
  commits_run_ = false;
}

// The lease ran out while a commit was under way. Only the fence can tell whether it came before another
// owner; failing it untested would leave appends in the log of which their producers were told otherwise.
Task<Result<void>> DirectLog::confirm_ownership() {
  const MonoTime give_up = home_.clock.now() + home_.options.give_up_after;
  Duration backoff = home_.options.first_backoff;
  for (;;) {
    auto settled = co_await ownership_->settle(ownership_->etag());
    const bool lost = !settled && settled.error().code == ErrorCode::not_leader_or_follower;
    if (settled || lost || removed_ || closing_ || home_.clock.now() >= give_up) co_return settled;
    co_await home_.back_off(backoff);
  }
}

bool DirectLog::must_roll(const LogFile& active, const NewChunk& chunk) const {
  const auto limit = std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(config_.segment_bytes, 1)),
                              home_.options.max_file_bytes);
  return active.chunks.size() >= home_.options.max_chunks_per_file ||
         active.record_bytes() + chunk.chunk.facts.record_bytes > limit || rolls_by_time();
}

// As many of the uploaded chunks as fit into one file: its entry is written once for all of them.
DirectLog::Commit DirectLog::plan_commit() {
  Commit commit;
  const LogFile* const active = active_ ? index_.find(*active_) : nullptr;
  const NewChunk& first = *uploaded_.front();
  if (active != nullptr && !must_roll(*active, first)) {
    commit.file = *active;
  } else {
    commit.is_new = true;
    commit.file.name = next_file_name(first.first_ts_ns, last_name_);
    commit.file.layout = place_.layout;
    commit.file.epoch = leader_epoch();
    commit.file.base = first.chunk.facts.base;
    last_name_ = commit.file.name;
  }
  while (!uploaded_.empty()) {
    const ChunkInWork& next = uploaded_.front();
    const bool fits = commit.file.chunks.empty() || commit.chunks.empty() || !must_roll(commit.file, *next);
    if (!fits) break;
    commit.file.add(next->chunk, next->first_ts_ns, next->last_ts_ns);
    commit.chunks.push_back(next);
    committing_.push_back(next);
    uploaded_.pop_front();
  }
  return commit;
}

void DirectLog::end_commit(Commit commit, Result<void> done) {
  if (done) {
    committing_.clear();
    apply_commit(std::move(commit));
    return;
  }
  note_failure(done.error());
  const bool lost = done.error().code == ErrorCode::not_leader_or_follower;
  if (!lost) {
    broken_ = true;
    broken_by_ = done.error();
  }
  fail_from(committed_end_, done.error());
  if (!lost) start_repair(std::move(commit));
}

void DirectLog::apply_commit(Commit commit) {
  home_.metrics.commits.add();
  if (commit.is_new) {
    active_ = commit.file.name;
    active_since_ = home_.clock.now();
  }
  index_.put_last(std::move(commit.file));
  std::vector<Resume> resumes;
  for (const ChunkInWork& chunk : commit.chunks) {
    waiting_.remove(chunk->chunk.facts.record_bytes);
    committed_end_ = chunk->chunk.facts.end;
    for (PlacedBatch& batch : chunk->batches) {
      batch.begin = committed_bytes_;
      committed_bytes_ += batch.size();
      home_.tails.add(tail_, std::move(batch));
    }
    for (const PendingPtr& append : chunk->appends) {
      append->done = true;
      if (append->resume) resumes.push_back(std::move(append->resume));
    }
  }
  tell();
  resume_all(std::move(resumes));
  wake_waiters();
}

// ------------------------------------------------------------------------------------------ failure

void DirectLog::note_failure(const Error& error) {
  if (removed_) return;
  home_.metrics.append_failures.add();
  std::uint64_t suppressed = 0;
  if (home_.failure_lines.allow(suppressed)) {
    module_log().error("event=append_failed directory={} error=\"{}\" suppressed={}", place_.directory,
                       error.message, suppressed);
  }
}

void DirectLog::fail_from(Offset from, const Error& error) {
  std::vector<Resume> resumes;
  const auto fail_append = [&](const PendingPtr& append) {
    append->done = true;
    append->error = error;
    if (append->resume) resumes.push_back(std::move(append->resume));
  };
  std::vector<std::string> unused;
  const auto fail_chunk = [&](const ChunkInWork& chunk) {
    if (chunk->failed || chunk->chunk.facts.base < from) return;
    chunk->failed = true;
    waiting_.remove(chunk->chunk.facts.record_bytes);
    for (const PendingPtr& append : chunk->appends) fail_append(append);
  };
  for (const ChunkInWork& chunk : committing_) fail_chunk(chunk);
  for (const ChunkInWork& chunk : uploaded_) {
    fail_chunk(chunk);
    if (chunk->failed) unused.push_back(chunk->chunk.stored.file_id);
  }
  std::erase_if(uploaded_, [](const ChunkInWork& chunk) { return chunk->failed; });
  if (uploading_) fail_chunk(uploading_);
  for (const QueuedAppend& append : std::exchange(queue_, {})) {
    waiting_.remove(append.bytes);
    fail_append(append.pending);
  }
  queue_bytes_ = 0;
  const bool shorter = log_end_ > from;
  log_end_ = from;
  std::erase_if(waiters_, [&](DurableWaiter* waiter) {
    if (waiter->end <= from) return false;
    waiter->error = error;
    resumes.push_back(std::move(waiter->resume));
    return true;
  });
  discard(std::move(unused));
  changed_.notify_all();
  if (shorter) tell();
  resume_all(std::move(resumes));
}

void DirectLog::start_repair(Commit commit) {
  home_.shard.spawn(repair(shared_from_this(), std::make_unique<Job>(*this), std::move(commit)),
                    "seaweedmq repair");
}

// The fate of a commit is open, and its appends were told that they failed. The file gets back the entry that
// it had, which the first change that goes through makes certain; until then nothing is appended.
Task<void> DirectLog::repair(std::shared_ptr<DirectLog> /*self*/, std::unique_ptr<Job> /*job*/,
                             Commit commit) {
  co_await lock_files();
  Duration backoff = home_.options.first_backoff;
  std::vector<std::string> unused;
  for (const ChunkInWork& chunk : commit.chunks) unused.push_back(chunk->chunk.stored.file_id);
  while (!removed_ && !closing_ && !ownership_->lost()) {
    const LogFile* const before = commit.is_new ? nullptr : index_.find(commit.file.name);
    Entry entry;
    entry.name = commit.file.name.to_string();
    if (before != nullptr) entry = entry_of(*before);
    const auto kind = before != nullptr ? FencedChange::Kind::put : FencedChange::Kind::erase;
    auto undone = co_await fenced(kind, place_.directory, std::move(entry));
    if (!undone) {
      co_await home_.back_off(backoff);
      continue;
    }
    broken_ = false;
    discard(std::move(unused));
    module_log().info("event=log_repaired directory={} log_end={}", place_.directory, committed_end_);
    break;
  }
  unlock_files();
}

}  // namespace tidegate::storage::seaweedmq
