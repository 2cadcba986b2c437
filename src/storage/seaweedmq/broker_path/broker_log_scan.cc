// What the broker has written: new chunks of the partition's log files are read once, and tell which batches
// are in the log now. Void are batches that were sent twice, or came too late (format/broker_message.h).
#include <algorithm>
#include <utility>

#include "broker_log.h"
#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {

namespace {

constexpr std::size_t kMostChunksOfABatch = 256;
// Of a file's name: what is in front of its second.
constexpr std::size_t kSecondsDigitsAt = 17;

// Up to the end of a batch.
std::optional<BatchMessage> read_on(RecordMessageReader& reader, const SharedBuffer& part) {
  FrameReader frames(part);
  while (const auto entry = frames.next()) {
    if (!*entry) return std::nullopt;
    auto taken = reader.take(**entry, part);
    if (taken.batch) return std::move(taken.batch);
  }
  return std::nullopt;
}

// The batch that begins in `begun` and goes on in `behind`. nullopt when it misses records.
std::optional<BatchMessage> join(const SharedBuffer& begun, const std::vector<SharedBuffer>& behind,
                                 ValueOfStored value_of) {
  RecordMessageReader reader(std::move(value_of));
  auto batch = read_on(reader, begun);
  for (std::size_t i = 0; i < behind.size() && !batch && reader.is_open(); ++i)
    batch = read_on(reader, behind[i]);
  return batch;
}

}  // namespace

Task<Result<std::vector<ChunkPtr>>> BrokerLog::read_messages(std::vector<Chunk> chunks) {
  const ChunkForm form{
      .layout = place_.layout, .messages = true, .shared = place_.shared, .topic = place_.id.topic};
  std::vector<ChunkReader::Asked> asked;
  // Behind them the chunks that their last batches reach into.
  std::vector<std::size_t> reach;
  for (const Chunk& chunk : chunks) asked.push_back({.chunk = chunk, .form = form});
  for (const Chunk& chunk : chunks) {
    const auto into = reaches_into_.find(chunk.file_id);
    reach.push_back(into == reaches_into_.end() ? 0 : into->second.size());
    if (reach.back() == 0) continue;
    for (const Chunk& behind : into->second) asked.push_back({.chunk = behind, .form = form});
  }
  auto opened = co_await home_.chunks.read(std::move(asked));
  if (!opened) co_return fail(std::move(opened.error()));
  std::size_t next = chunks.size();
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const std::size_t begin = std::exchange(next, next + reach[i]);
    ChunkPtr& open = (*opened)[i];
    if (reach[i] == 0 || !open) continue;
    std::vector<SharedBuffer> behind;
    for (std::size_t k = begin; k < next && (*opened)[k]; ++k) behind.push_back((*opened)[k]->leading);
    auto batch = join(open->unfinished, behind, home_.chunks.values_of(place_.id.topic));
    if (!batch) {
      // Gone, or another replica's that is damaged.
      open.reset();
      continue;
    }
    auto whole = std::make_shared<OpenChunk>(*open);
    whole->batches.push_back(std::move(batch->batch));
    whole->marks.push_back(batch->mark);
    open = std::move(whole);
  }
  opened->resize(chunks.size());
  co_return opened;
}

Task<Result<void>> BrokerLog::scan() {
  while (scanning_) co_await changed_.wait();
  scanning_ = true;
  scanned_at_ = home_.clock.now();
  auto scanned = co_await scan_locked();
  scanning_ = false;
  changed_.notify_all();
  settle_others();
  co_return scanned;
}

Task<Result<void>> BrokerLog::scan_locked() {
  // Files in front of the last one have all that they will have, and so have all that were seen but it.
  std::string after;
  if (seen_chunks_.size() > 1) after = std::prev(seen_chunks_.end(), 2)->first.to_string();
  // Somewhat in front of the file's name.
  if (after.empty() && counted_in_) after = counted_in_->to_string().substr(0, kSecondsDigitsAt);
  for (;;) {
    auto page = co_await home_.backend.filer.list(place_.directory, "", after, home_.options.list_page);
    if (!page) co_return fail(std::move(page.error()));
    for (const Entry& entry : *page) {
      const auto name = LogFileName::parse(entry.name);
      if (!name || entry.is_directory || (counted_in_ && *name < *counted_in_)) continue;
      const bool counts_later = counted_in_ && *name == *counted_in_;
      const std::size_t seen =
          seen_chunks_.try_emplace(*name, counts_later ? state_.shared->chunks : 0).first->second;
      std::vector<Chunk> fresh(
          entry.chunks.begin() + static_cast<std::ptrdiff_t>(std::min(seen, entry.chunks.size())),
          entry.chunks.end());
      for (std::size_t at = 0; at < fresh.size(); at += home_.options.parallel_chunks) {
        const auto first = fresh.begin() + static_cast<std::ptrdiff_t>(at);
        const std::size_t count = std::min(home_.options.parallel_chunks, fresh.size() - at);
        auto opened = co_await read_messages({first, first + static_cast<std::ptrdiff_t>(count)});
        if (!opened) co_return fail(std::move(opened.error()));
        for (std::size_t i = 0; i < opened->size(); ++i) {
          // Gone with its file, since this was listed.
          if (!(*opened)[i])
            co_return fail(ErrorCode::kafka_storage_error, "a chunk went away while it was read");
          if (auto taken = co_await absorb(*name, fresh[at + i], (*opened)[i]); !taken) co_return taken;
          ++seen_chunks_[*name];
          if (place_.shared) take_others(fresh[at + i], *(*opened)[i]);
        }
      }
      if (removed_) co_return check_usable();
    }
    while (seen_chunks_.size() > 2) seen_chunks_.erase(seen_chunks_.begin());
    if (page->size() < home_.options.list_page) co_return Result<void>{};
    after = page->back().name;
  }
}

Task<Result<void>> BrokerLog::finish(Chunk chunk, ChunkPtr open) {
  Unfinished& begun = *unfinished_;
  // Once it is whole, the same chunk comes again after what follows has failed.
  if (!begun.whole) {
    begun.behind.push_back(std::move(chunk));
    begun.whole = read_on(begun.reader, open->leading);
    // It goes on as long as nothing else begins: another session's, after a stream that broke.
    const bool may_go_on = !begun.whole && begun.reader.is_open() && open->batches.empty() &&
                           open->unfinished.empty() && !open->damage;
    if (may_go_on && begun.behind.size() < kMostChunksOfABatch) co_return Result<void>{};
  }
  if (begun.whole) {
    if (auto done = co_await add_finished(begun, *begun.whole); !done) co_return done;
  }
  unfinished_.reset();
  co_return Result<void>{};
}

// As if it had been the last one of the chunk in which it begins, when that was taken in.
Task<Result<void>> BrokerLog::add_finished(const Unfinished& begun, BatchMessage message) {
  const auto& header = message.batch.header;
  const std::string& id = begun.chunk.file_id;
  const bool late = message.mark.rank < rank_;
  if (!late) {
    rank_ = message.mark.rank;
    last_message_ = message.mark.message;
    if (header.base_offset < flushed_end_) {
      if (auto done = co_await void_from(header.base_offset); !done) co_return done;
    }
  }
  if (!late) others_.unfix(header.base_offset);
  reaches_into_[id] = begun.behind;
  if (late) {
    void_[id].insert(begun.index);
    co_return Result<void>{};
  }
  flushed_end_ = header.next_offset();
  if (epochs_.empty() || epochs_.back().epoch < rank_.epoch)
    epochs_.push_back({.epoch = rank_.epoch, .start = header.base_offset});
  LogFile file;
  if (const LogFile* const known = index_.find(begun.name)) {
    file = *known;
  } else {
    file.name = begun.name;
    file.base = header.base_offset;
  }
  auto at = std::ranges::find(file.chunks, id, [](const LogChunk& one) { return one.stored.file_id; });
  if (at == file.chunks.end()) at = file.chunks.insert(at, LogChunk{.stored = begun.chunk});
  const Offset facts_end = header.next_offset();
  ChunkFacts& facts = at->facts;
  if (facts.record_bytes == 0) facts.base = header.base_offset;
  facts.end = header.next_offset();
  facts.max_timestamp = std::max(facts.max_timestamp, header.max_timestamp);
  facts.record_bytes += static_cast<std::uint32_t>(message.batch.bytes.size());
  at->stored.modified_ns = std::max(at->stored.modified_ns, message.mark.ts_ns);
  // Behind it there are records of its alone.
  for (++at; at != file.chunks.end(); ++at) at->facts = {.base = facts_end, .end = facts_end};
  file.epoch = rank_.epoch;
  file.end = header.next_offset();
  file.last_ts_ns = std::max(file.last_ts_ns, message.mark.ts_ns);
  const LogFileName name = file.name;
  if (!index_.replace(file)) index_.put_last(std::move(file));
  const auto behind = std::ranges::find(index_.files(), name, &LogFile::name) + 1;
  for (LogFile empty : std::vector<LogFile>(behind, index_.files().end())) {
    empty.base = empty.end = facts_end;
    for (LogChunk& one : empty.chunks) one.facts = {.base = facts_end, .end = facts_end};
    index_.replace(std::move(empty));
  }
  see_flushed(header, message.mark);
  co_return Result<void>{};
}

Task<Result<void>> BrokerLog::absorb(LogFileName name, Chunk chunk, ChunkPtr open) {
  if (unfinished_) {
    if (auto done = co_await finish(chunk, open); !done) co_return done;
  }
  LogChunk fresh{.stored = std::move(chunk)};
  std::unordered_set<std::size_t> voids;
  std::vector<std::size_t> taken;
  if (open->damage) {
    module_log().error("event=broker_chunk_damaged directory={} file={} error=\"{}\"", place_.directory,
                       name.to_string(), open->damage->message);
  }
  for (std::size_t i = 0; i < open->batches.size(); ++i) {
    const auto& header = open->batches[i].header;
    const MessageMark& mark = open->marks[i];
    last_message_ = std::max(last_message_, mark.message);
    if (mark.rank < rank_) {
      voids.insert(i);
      continue;
    }
    rank_ = mark.rank;
    // A counter of before is not to be waited for.
    last_message_ = mark.message;
    own_seen_ns_ = mark.ts_ns;
    const Offset from = mark.own_end.value_or(header.base_offset);
    if (from < flushed_end_) {
      while (!taken.empty() && open->batches[taken.back()].header.next_offset() > from) {
        voids.insert(taken.back());
        taken.pop_back();
      }
      if (taken.empty()) {
        if (auto done = co_await void_from(from); !done) co_return done;
      }
      others_.unfix(from);
    }
    if (mark.own_end) {
      others_.fix(from, header.base_offset - from);
    } else {
      taken.push_back(i);
    }
    flushed_end_ = header.next_offset();
    if (epochs_.empty() || epochs_.back().epoch < mark.rank.epoch)
      epochs_.push_back({.epoch = mark.rank.epoch, .start = header.base_offset});
  }
  // Others' messages, and the records of a batch that is not complete, are not to be waited for either.
  if (open->last_message >= 0) last_message_ = open->last_message;
  ChunkFacts& facts = fresh.facts;
  facts.end = taken.empty() ? flushed_end_ : open->batches[taken.back()].header.next_offset();
  facts.base = taken.empty() ? facts.end : open->batches[taken.front()].header.base_offset;
  for (const std::size_t i : taken) {
    facts.max_timestamp = std::max(facts.max_timestamp, open->batches[i].header.max_timestamp);
    facts.record_bytes += static_cast<std::uint32_t>(open->batches[i].bytes.size());
  }
  const std::int64_t first_ts = open->marks.empty() ? 0 : open->marks.front().ts_ns;
  const std::int64_t last_ts = open->marks.empty() ? 0 : open->marks.back().ts_ns;
  // What retention goes by where records carry no time.
  fresh.stored.modified_ns = last_ts;
  std::vector<std::size_t> counting;  // those that were taken, and GoesOn
  for (std::size_t i = 0; i < open->batches.size(); ++i) {
    if (!voids.contains(i)) counting.push_back(i);
  }
  if (!voids.empty()) void_[fresh.stored.file_id] = std::move(voids);
  const LogFile* const known = index_.find(name);
  LogFile file;
  if (known != nullptr) {
    file = *known;
  } else {
    file.name = name;
    file.base = facts.base;
  }
  file.epoch = rank_.epoch;
  file.add(std::move(fresh), first_ts, last_ts);
  index_.put_last(std::move(file));
  for (const std::size_t i : counting) see_flushed(open->batches[i].header, open->marks[i]);
  if (!open->unfinished.empty()) {
    unfinished_ = Unfinished{.name = name,
                             .chunk = index_.find(name)->chunks.back().stored,
                             .index = open->batches.size(),
                             .begun = open->unfinished,
                             .reader = RecordMessageReader(home_.chunks.values_of(place_.id.topic)),
                             .behind = {},
                             .whole = {}};
    read_on(unfinished_->reader, unfinished_->begun);
  }
  co_return Result<void>{};
}

// Rare: after a stream that broke, or another owner.
Task<Result<void>> BrokerLog::void_from(Offset end) {
  while (!index_.empty() && index_.end() > end) {
    LogFile file = index_.files().back();
    for (std::size_t at = file.chunks.size(); at-- > 0 && file.chunks[at].facts.end > end;) {
      LogChunk& chunk = file.chunks[at];
      std::vector<Chunk> one;
      one.push_back(chunk.stored);
      auto opened = co_await read_messages(std::move(one));
      if (!opened) co_return fail(std::move(opened.error()));
      if (!opened->front())
        co_return fail(ErrorCode::kafka_storage_error, "a chunk went away while it was read");
      const OpenChunk& open = *opened->front();
      auto& voids = void_[chunk.stored.file_id];
      const Offset in_front = at > 0 ? file.chunks[at - 1].facts.end : file.base;
      ChunkFacts left{.base = std::min(chunk.facts.base, end), .end = std::min(in_front, end)};
      for (std::size_t i = 0; i < open.batches.size(); ++i) {
        const auto& header = open.batches[i].header;
        if (header.next_offset() > end) voids.insert(i);
        if (voids.contains(i) || open.marks[i].own_end) continue;
        left.end = header.next_offset();
        left.max_timestamp = std::max(left.max_timestamp, header.max_timestamp);
        left.record_bytes += static_cast<std::uint32_t>(open.batches[i].bytes.size());
      }
      left.base = std::min(left.base, left.end);
      chunk.facts = left;
    }
    file.base = std::min(file.base, end);
    file.end = file.chunks.empty() ? file.base : file.chunks.back().facts.end;
    file.end = std::max(file.base, std::min(file.end, end));
    const bool done = file.base < end;
    const LogFileName name = file.name;
    index_.replace(std::move(file));
    // A file of which nothing is left stays where it is, without any offsets; those in front are looked at,
    // too.
    if (done) break;
    const auto& files = index_.files();
    const auto at = std::ranges::find(files, name, &LogFile::name);
    if (at == files.begin() || std::prev(at)->end <= end) break;
    index_.erase(name);
  }
  flushed_end_ = std::min(flushed_end_, end);
  std::erase_if(epochs_,
                [&](const EpochStart& entry) { return entry.start >= end && entry.epoch < rank_.epoch; });
  co_return Result<void>{};
}

// Proof that a batch of ours is in the log: the same batch, in the session in which it was sent last, under
// the number that the broker gave it.
void BrokerLog::see_flushed(const protocol::BatchHeader& header, const MessageMark& mark) {
  while (flushed_ < sent_.size() && sent_[flushed_].batch.header.next_offset() <= header.next_offset()) {
    const Sent& front = sent_[flushed_];
    const auto& ours = front.batch.header;
    const bool same = ours.base_offset == header.base_offset && ours.crc == mark.crc &&
                      ours.partition_leader_epoch == header.partition_leader_epoch &&
                      front.session == mark.rank.session;
    // One in front was never stored: the stream is about to end, and then it is sent again.
    if (!same) break;
    ++flushed_;
  }
  settle_flushed();
}

// With a lease that has run out another owner may have begun in front of it: what is in the files says
// nothing then. As long as the lease holds, nobody has.
void BrokerLog::settle_flushed() {
  if (flushed_ == 0 || !ownership_->holds()) return;
  std::vector<Resume> resumes;
  for (; flushed_ > 0; --flushed_) {
    Sent& front = sent_.front();
    if (!front.committed) commit(front, resumes);
    if (front.session > dirty_session_) clean_ = true;
    count_waiting(-static_cast<std::int64_t>(front.batch.size()));
    const bool front_was_sent = streaming_ && front.session == session_;
    if (next_answer_ > 0) {
      --next_answer_;
    } else if (front_was_sent) {
      late_answers_ += front.unanswered;
      in_flight_ -= std::min(in_flight_, front.sent_bytes);
    }
    sent_.pop_front();
    if (next_send_ > 0) --next_send_;
    if (told_ > 0) --told_;
  }
  flush_patience_ = Duration(0);
  settle_others();
  tell();
  resume_all(std::move(resumes));
  wake_waiters();
  changed_.notify_all();
}

bool BrokerLog::is_void(const std::string& file_id, std::size_t index) const {
  const auto found = void_.find(file_id);
  return found != void_.end() && found->second.contains(index);
}

Task<Result<std::vector<ChunkPtr>>> BrokerLog::open_chunks(std::vector<LogChunk> chunks) {
  std::vector<Chunk> stored;
  for (const LogChunk& chunk : chunks) stored.push_back(chunk.stored);
  auto opened = co_await read_messages(std::move(stored));
  if (!opened) co_return fail(std::move(opened.error()));
  for (const ChunkPtr& one : *opened) {
    if (!one)
      co_return fail(ErrorCode::kafka_storage_error, "a chunk of the log is not on the volume servers");
  }
  co_return std::move(*opened);
}

}  // namespace tidegate::storage::seaweedmq
