#include "chunk_reader.h"

#include <fmt/format.h>

#include "format/batch_layout.h"
#include "tidegate/protocol/compression.h"

namespace tidegate::storage::seaweedmq {

namespace {
// A chunk of ours has 4 MB, or one append.
constexpr std::size_t kMaxInflatedBytes = 512U << 20;

bool is_gzip(const SharedBuffer& bytes) {
  return bytes.size() > 2 && bytes.data()[0] == 0x1F && bytes.data()[1] == 0x8B;
}
}  // namespace

OpenChunk open_chunk(const SharedBuffer& bytes) {
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

struct ChunkReader::Several {
  std::vector<Chunk> chunks;
  std::vector<ChunkPtr> found;
  std::optional<Error> error;
  std::size_t left = 0;
  Event done;
};

Task<void> ChunkReader::read_into(ChunkReader* self, std::shared_ptr<Several> all, std::size_t index) {
  auto chunk = co_await self->read_one(all->chunks[index]);
  if (chunk) {
    all->found[index] = std::move(*chunk);
  } else {
    all->error = std::move(chunk.error());
  }
  if (--all->left == 0) all->done.notify_all();
}

Task<Result<std::vector<ChunkPtr>>> ChunkReader::read(std::vector<Chunk> chunks) {
  auto all = std::make_shared<Several>();
  all->left = chunks.size();
  all->found.resize(chunks.size());
  all->chunks = std::move(chunks);
  for (std::size_t i = 0; i < all->chunks.size(); ++i) shard_.start(read_into(this, all, i), "read chunk");
  while (all->left > 0) co_await all->done.wait();
  if (all->error) co_return fail(*all->error);
  co_return std::move(all->found);
}

Task<Result<ChunkPtr>> ChunkReader::read_one(Chunk chunk) {
  while (loading_.contains(chunk.file_id)) co_await loaded_.wait();
  if (auto kept = cached(chunk.file_id)) co_return kept;
  if (chunk.manifest)
    co_return fail(ErrorCode::corrupt_message, "a log file with a list of chunks instead of chunks");
  loading_.insert(chunk.file_id);
  auto bytes = co_await volumes_.download(chunk.file_id, 0, chunk.size_bytes);
  loading_.erase(chunk.file_id);
  loaded_.notify_all();
  if (!bytes) co_return fail(std::move(bytes.error()));
  if (!*bytes) co_return ChunkPtr();
  SharedBuffer plain = std::move(**bytes);
  if (chunk.gzipped && is_gzip(plain)) {
    auto inflated = protocol::decompress(protocol::Compression::gzip, plain, kMaxInflatedBytes);
    if (!inflated) co_return fail(std::move(inflated.error()));
    plain = std::move(*inflated);
  }
  auto opened = std::make_shared<const OpenChunk>(open_chunk(plain));
  keep(chunk.file_id, opened);
  co_return opened;
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
