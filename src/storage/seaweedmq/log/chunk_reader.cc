#include "chunk_reader.h"

#include <fmt/format.h>

#include "format/batch_layout.h"
#include "format/record_layout.h"
#include "tidegate/protocol/compression.h"
#include "tidegate/runtime/suspend.h"

namespace tidegate::storage::seaweedmq {

namespace {
// A chunk of ours has 4 MB, or one append.
constexpr std::size_t kMaxInflatedBytes = 512U << 20;

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

}  // namespace

struct ChunkReader::Several {
  std::vector<Asked> asked;
  std::vector<ChunkPtr> found;
  std::optional<Error> error;
  std::size_t left = 0;
  Event done;
};

Task<void> ChunkReader::read_into(ChunkReader* self, std::shared_ptr<Several> all, std::size_t index) {
  auto chunk = co_await self->read_one(all->asked[index]);
  if (chunk) {
    all->found[index] = std::move(*chunk);
  } else {
    all->error = std::move(chunk.error());
  }
  if (--all->left == 0) all->done.notify_all();
}

Task<Result<std::vector<ChunkPtr>>> ChunkReader::read(std::vector<Asked> asked) {
  auto all = std::make_shared<Several>();
  all->left = asked.size();
  all->found.resize(asked.size());
  all->asked = std::move(asked);
  for (std::size_t i = 0; i < all->asked.size(); ++i) shard_.start(read_into(this, all, i), "read chunk");
  while (all->left > 0) co_await all->done.wait();
  if (all->error) co_return fail(*all->error);
  co_return std::move(all->found);
}

Task<Result<ChunkPtr>> ChunkReader::read_one(Asked asked) {
  const std::string id = asked.chunk.file_id;
  while (loading_.contains(id)) co_await loaded_.wait();
  if (auto kept = cached(id)) co_return kept;
  if (asked.form.headers_only) co_return co_await fetch(std::move(asked));
  loading_.insert(id);
  auto opened = co_await fetch(std::move(asked));
  loading_.erase(id);
  if (opened && *opened) keep(id, *opened);
  loaded_.notify_all();
  co_return opened;
}

Task<Result<std::optional<SharedBuffer>>> ChunkReader::fetch_plain(Chunk chunk) {
  if (chunk.manifest)
    co_return fail(ErrorCode::corrupt_message, "a log file with a list of chunks instead of chunks");
  auto bytes = co_await volumes_.download(chunk.file_id, 0, chunk.size_bytes);
  if (!bytes || !*bytes || !chunk.gzipped || !is_gzip(**bytes)) co_return bytes;
  auto inflated = protocol::decompress(protocol::Compression::gzip, **bytes, kMaxInflatedBytes);
  if (!inflated) co_return fail(std::move(inflated.error()));
  co_return std::move(*inflated);
}

Task<Result<ChunkPtr>> ChunkReader::fetch(Asked asked) {
  const ChunkForm form = asked.form;
  auto bytes = co_await fetch_plain(std::move(asked.chunk));
  if (!bytes) co_return fail(std::move(bytes.error()));
  if (!*bytes) co_return ChunkPtr();
  OpenChunk opened;
  if (form.layout == Layout::batch) {
    opened = open_batches(**bytes);
  } else {
    opened = co_await open_records(std::move(**bytes), form);
  }
  co_return std::make_shared<const OpenChunk>(std::move(opened));
}

Task<Result<std::optional<SharedBuffer>>> ChunkReader::read_plain(Chunk chunk, Layout layout) {
  auto bytes = co_await fetch_plain(std::move(chunk));
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
                                   .headers_only = form.headers_only});
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
    auto park = [this](Resume resume) { shard_.post([later = std::move(resume)]() mutable { later(); }); };
    co_await suspend(park);
  }
  co_return chunk;
}

ChunkPtr ChunkReader::cached(const std::string& file_id) {
  const auto found = by_id_.find(file_id);
  if (found == by_id_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found->second);
  return found->second->chunk;
}

void ChunkReader::keep(const std::string& file_id, ChunkPtr chunk) {
  // Damage may heal: another replica answers the next time.
  if (chunk->damage || chunk->charge > budget_ || by_id_.contains(file_id)) return;
  used_ += chunk->charge;
  kept_.push_front({file_id, std::move(chunk)});
  by_id_[file_id] = kept_.begin();
  while (used_ > budget_) {
    used_ -= kept_.back().chunk->charge;
    by_id_.erase(kept_.back().file_id);
    kept_.pop_back();
  }
}

}  // namespace tidegate::storage::seaweedmq
