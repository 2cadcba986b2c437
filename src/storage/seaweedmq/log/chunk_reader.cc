#include "chunk_reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "format/batch_layout.h"
#include "format/record_layout.h"
#include "format/record_messages.h"
#include "tidegate/protocol/compression.h"
#include "tidegate/runtime/suspend.h"

namespace tidegate::storage::seaweedmq {

namespace {
// A chunk of ours has 4 MB, or one append.
// The filer's entry says how many bytes a chunk has when it is inflated; one that says less is believed so
// far.
constexpr std::size_t kMaxInflatedBytes = 512U << 20;
constexpr std::size_t kAlwaysInflatedBytes = 64U << 20;
// Of one request: large enough that its cost does not count, and several share the work of a large chunk.
constexpr std::uint64_t kRunBytes = 1U << 20;

bool is_gzip(const SharedBuffer& bytes) {
  return bytes.size() > 2 && bytes.data()[0] == 0x1F && bytes.data()[1] == 0x8B;
}
// Of batches that were put together, after which the shard gets to do other things.
constexpr std::size_t kTurnBytes = 256U << 10;

// Takes a chunk's bytes apart up to the first damage.
OpenChunk open_batches(const SharedBuffer& bytes) {
  OpenChunk chunk;
  FrameReader frames(bytes);
  while (const auto entry = frames.next()) {
    auto batch =
        *entry ? batch_of_entry(**entry, bytes) : Result<protocol::RecordBatch>(fail(entry->error()));
    if (batch && !protocol::batch_crc_is_valid(batch->bytes, batch->header)) {
      batch = fail(ErrorCode::corrupt_message,
                   fmt::format("batch at offset {} fails its CRC", batch->header.base_offset));
    }
    if (batch && !chunk.batches.empty() &&
        batch->header.base_offset < chunk.batches.back().header.next_offset()) {
      batch = fail(ErrorCode::corrupt_message,
                   fmt::format("batch at offset {} is out of order", batch->header.base_offset));
    }
    if (!batch) {
      chunk.damage = std::move(batch.error());
      break;
    }
    chunk.batches.push_back(std::move(*batch));
  }
  chunk.charge = bytes.pinned_bytes() + chunk.batches.size() * sizeof(protocol::RecordBatch);
  return chunk;
}

OpenChunk open_messages(const SharedBuffer& bytes) {
  OpenChunk chunk;
  FrameReader frames(bytes);
  while (const auto entry = frames.next()) {
    if (!*entry) {
      chunk.damage = entry->error();
      break;
    }
    auto message = batch_of_message(**entry, bytes);
    if (!message) continue;
    chunk.batches.push_back(std::move(message->batch));
    chunk.marks.push_back(message->mark);
  }
  chunk.charge =
      bytes.pinned_bytes() + chunk.batches.size() * (sizeof(protocol::RecordBatch) + sizeof(MessageMark));
  return chunk;
}

}  // namespace

struct ChunkReader::Several {
  std::vector<Asked> asked;
  std::vector<ChunkPtr> found;
  std::optional<Error> error;
  std::size_t left = 0;
  Event done;
};

// Of what is asked for, from `first` to in front of `behind`: parts of one chunk that lie beside each other.
struct ChunkReader::Run {
  std::size_t first = 0;
  std::size_t behind = 0;
};

std::vector<ChunkReader::Run> ChunkReader::runs_of(const std::vector<Asked>& asked) {
  std::vector<Run> runs;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (!runs.empty()) {
      const Asked& begin = asked[runs.back().first];
      const bool beside = begin.chunk.file_id == asked[i].chunk.file_id && asked[i - 1].end == asked[i].begin;
      if (beside && asked[i].end - begin.begin <= kRunBytes) {
        runs.back().behind = i + 1;
        continue;
      }
    }
    runs.push_back({.first = i, .behind = i + 1});
  }
  return runs;
}

Task<void> ChunkReader::read_into(ChunkReader* self, std::shared_ptr<Several> all, std::size_t first,
                                  std::size_t behind) {
  auto done = co_await self->read_run(all, first, behind);
  if (!done) all->error = std::move(done.error());
  if (--all->left == 0) all->done.notify_all();
}

Task<Result<std::vector<ChunkPtr>>> ChunkReader::read(std::vector<Asked> asked) {
  auto all = std::make_shared<Several>();
  for (Asked& one : asked) {
    if (one.end == 0) one.end = one.chunk.size_bytes;
  }
  const std::vector<Run> runs = runs_of(asked);
  all->left = runs.size();
  all->found.resize(asked.size());
  all->asked = std::move(asked);
  for (const Run& run : runs) shard_.start(read_into(this, all, run.first, run.behind), "read chunk");
  while (all->left > 0) co_await all->done.wait();
  if (all->error) co_return fail(*all->error);
  co_return std::move(all->found);
}

Task<Result<void>> ChunkReader::read_run(std::shared_ptr<Several> all, std::size_t first,
                                         std::size_t behind) {
  while (first < behind) {
    const Asked& asked = all->asked[first];
    if (Kept* const kept = holder_of(asked)) {
      if (!kept->chunk) {
        co_await loaded_.wait();
        continue;
      }
      used_last_.splice(used_last_.begin(), used_last_, kept->used);
      all->found[first++] = kept->chunk;
      continue;
    }
    // As far as nothing of it is here.
    std::size_t last = first;
    while (last + 1 < behind && holder_of(all->asked[last + 1]) == nullptr) ++last;
    Asked together = asked;
    together.end = all->asked[last].end;
    auto loaded = co_await load(std::move(together));
    if (!loaded) co_return fail(std::move(loaded.error()));
    while (first <= last) all->found[first++] = *loaded;
  }
  co_return Result<void>{};
}

Task<Result<ChunkPtr>> ChunkReader::load(Asked asked) {
  const Place place{asked.chunk.file_id, asked.begin};
  // Another reader's that begins there and is shorter stays.
  if (asked.form.headers_only || kept_.contains(place)) co_return co_await fetch(std::move(asked));
  kept_.emplace(place, Kept{.end = asked.end, .chunk = nullptr, .used = {}});
  auto opened = co_await fetch(std::move(asked));
  keep(place, opened ? *opened : nullptr);
  loaded_.notify_all();
  co_return opened;
}

Task<Result<std::optional<SharedBuffer>>> ChunkReader::fetch_plain(Chunk chunk, std::uint64_t begin,
                                                                   std::uint64_t end) {
  if (chunk.manifest)
    co_return fail(ErrorCode::corrupt_message, "a log file with a list of chunks instead of chunks");
  auto bytes = co_await volumes_.download(chunk.file_id, begin, end - begin);
  if (!bytes || !*bytes || !chunk.gzipped || !is_gzip(**bytes)) co_return bytes;
  const std::size_t limit =
      std::clamp<std::size_t>(chunk.size_bytes, kAlwaysInflatedBytes, kMaxInflatedBytes);
  auto inflated = protocol::decompress(protocol::Compression::gzip, **bytes, limit);
  if (!inflated) co_return fail(std::move(inflated.error()));
  co_return std::move(*inflated);
}

Task<Result<ChunkPtr>> ChunkReader::fetch(Asked asked) {
  const ChunkForm form = asked.form;
  auto bytes = co_await fetch_plain(std::move(asked.chunk), asked.begin, asked.end);
  if (!bytes) co_return fail(std::move(bytes.error()));
  if (!*bytes) co_return ChunkPtr();
  OpenChunk opened;
  if (form.messages && form.layout == Layout::record) {
    opened = co_await open_record_messages(std::move(**bytes), form);
  } else if (form.messages) {
    opened = open_messages(**bytes);
  } else if (form.layout == Layout::batch) {
    opened = open_batches(**bytes);
  } else {
    opened = co_await open_records(std::move(**bytes), form);
  }
  co_return std::make_shared<const OpenChunk>(std::move(opened));
}

Task<Result<std::optional<SharedBuffer>>> ChunkReader::read_plain(Chunk chunk, Layout layout) {
  const std::uint64_t size = chunk.size_bytes;
  auto bytes = co_await fetch_plain(std::move(chunk), 0, size);
  if (!bytes || !*bytes) co_return bytes;
  if (layout == Layout::batch) {
    auto opened = open_batches(**bytes);
    if (opened.damage) co_return fail(std::move(*opened.damage));
    co_return bytes;
  }
  RecordChunkReader reader(**bytes, {.headers_only = true});
  while (auto batch = reader.next()) {
    if (!*batch) co_return fail(std::move(batch->error()));
  }
  co_return bytes;
}

Task<OpenChunk> ChunkReader::open_records(SharedBuffer bytes, ChunkForm form) {
  OpenChunk chunk;
  RecordChunkReader reader(bytes, {.others = form.others_from.has_value(),
                                   .from = form.others_from.value_or(0),
                                   .headers_only = form.headers_only,
                                   .value_of = values_of(form.topic)});
  std::size_t since = 0;
  while (auto batch = reader.next()) {
    if (!*batch) {
      chunk.damage = std::move(batch->error());
      break;
    }
    since += (*batch)->bytes.size() + sizeof(protocol::RecordBatch);
    chunk.charge += (*batch)->bytes.pinned_bytes() + sizeof(protocol::RecordBatch);
    chunk.batches.push_back(std::move(**batch));
    if (since < kTurnBytes) continue;
    since = 0;
    co_await give_way();
  }
  of_others_.add(reader.of_others());
  co_return chunk;
}

ValueOfStored ChunkReader::values_of(TopicId topic) const {
  if (rebuilder_ == nullptr) return {};
  return [rebuilder = rebuilder_, topic](ByteView stored) { return rebuilder->value_of(topic, stored); };
}

Task<OpenChunk> ChunkReader::open_record_messages(SharedBuffer bytes, ChunkForm form) {
  OpenChunk chunk;
  FrameReader frames(bytes);
  RecordMessageReader reader(values_of(form.topic));
  std::size_t begun_at = bytes.size();  // the last batch
  std::size_t first_begun_at = bytes.size();
  std::size_t since = 0;
  while (const auto entry = frames.next()) {
    if (!*entry) {
      chunk.damage = entry->error();
      break;
    }
    chunk.last_message = (*entry)->offset;
    since += (*entry)->data.size() + (*entry)->key.size() + sizeof(LogEntry);
    auto taken = reader.take(**entry, bytes);
    if (taken.damage) {
      chunk.damage = std::move(taken.damage);
      break;
    }
    if (taken.begins) {
      begun_at = frames.position();
      first_begun_at = std::min(first_begun_at, begun_at);
    }
    if (taken.batch) {
      chunk.charge +=
          taken.batch->batch.bytes.pinned_bytes() + sizeof(protocol::RecordBatch) + sizeof(MessageMark);
      chunk.batches.push_back(std::move(taken.batch->batch));
      chunk.marks.push_back(taken.batch->mark);
    }
    if (since < kTurnBytes) continue;
    since = 0;
    co_await give_way();
  }
  const ByteView all = bytes.bytes();
  chunk.leading = SharedBuffer::copy_of(all.first(first_begun_at));
  if (reader.is_open() && !chunk.damage) chunk.unfinished = SharedBuffer::copy_of(all.subspan(begun_at));
  chunk.charge += chunk.leading.size() + chunk.unfinished.size();
  if (form.shared) {
    chunk.charge += bytes.pinned_bytes();
    chunk.whole = std::move(bytes);
  }
  co_return chunk;
}

// To whatever else the shard has to do.
Task<void> ChunkReader::give_way() {
  auto park = [this](Resume resume) { shard_.post([later = std::move(resume)]() mutable { later(); }); };
  co_await suspend(park);
}

ChunkReader::Kept* ChunkReader::holder_of(const Asked& asked) {
  auto at = kept_.upper_bound(Place{asked.chunk.file_id, asked.begin});
  if (at == kept_.begin()) return nullptr;
  --at;
  return at->first.first == asked.chunk.file_id && at->second.end >= asked.end ? &at->second : nullptr;
}

void ChunkReader::keep(const Place& place, ChunkPtr chunk) {
  const auto at = kept_.find(place);
  // Damage may heal: another replica answers the next time.
  if (!chunk || chunk->damage || chunk->charge > budget_) {
    kept_.erase(at);
    return;
  }
  used_ += chunk->charge;
  used_last_.push_front(place);
  at->second.chunk = std::move(chunk);
  at->second.used = used_last_.begin();
  while (used_ > budget_) {
    const auto oldest = kept_.find(used_last_.back());
    used_ -= oldest->second.chunk->charge;
    kept_.erase(oldest);
    used_last_.pop_back();
  }
}

}  // namespace tidegate::storage::seaweedmq
