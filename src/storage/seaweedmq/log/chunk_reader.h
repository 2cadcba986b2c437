// Chunks of log files, taken apart: fetched from a volume server, inflated if need be, checked, and kept for
// a while, because whoever reads a little of a chunk soon reads the rest. One a shard; used on it alone.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "backend.h"
#include "format/file_facts.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/shard.h"

namespace tidegate::storage::seaweedmq {

struct OpenChunk {
  // Slices of one buffer, or put together from records.
  std::vector<protocol::RecordBatch> batches;
  std::size_t charge = 0;
  // Nothing behind the last batch could be read; says why.
  std::optional<Error> damage;
};
using ChunkPtr = std::shared_ptr<const OpenChunk>;

// How the bytes of a chunk are to be taken.
struct ChunkForm {
  Layout layout = Layout::batch;
  // Set: entries may be others', and what is below this offset was given by a chunk in front.
  std::optional<Offset> others_from = std::nullopt;
  // Batches of layout record need no bytes and are not put together; nothing of it is kept.
  bool headers_only = false;
};

class ChunkReader {
 public:
  struct Asked {
    Chunk chunk;
    ChunkForm form;
  };
  ChunkReader(Volumes& volumes, Shard& shard, std::size_t cache_bytes)
      : volumes_(volumes), shard_(shard), budget_(cache_bytes) {}

  // In the order asked for, several at a time. nullptr: the needle is gone.
  Task<Result<std::vector<ChunkPtr>>> read(std::vector<Asked> asked);
  // The bytes of a chunk, inflated and checked, for whoever stores them elsewhere; not kept. nullopt: the
  // needle is gone.
  Task<Result<std::optional<SharedBuffer>>> read_plain(Chunk chunk, Layout layout);
  std::size_t used() const { return used_; }
  // Whether so much can be kept, and something of before beside it.
  bool has_room_for(std::size_t bytes) const { return 2 * bytes <= budget_; }

 private:
  struct Several;
  Task<Result<ChunkPtr>> read_one(Asked asked);
  Task<Result<ChunkPtr>> fetch(Asked asked);
  Task<Result<std::optional<SharedBuffer>>> fetch_plain(Chunk chunk);
  Task<OpenChunk> open_records(SharedBuffer bytes, ChunkForm form);
  static Task<void> read_into(ChunkReader* self, std::shared_ptr<Several> all, std::size_t index);
  ChunkPtr cached(const std::string& file_id);
  void keep(const std::string& file_id, ChunkPtr chunk);

  struct Kept {
    std::string file_id;
    ChunkPtr chunk;
  };
  Volumes& volumes_;
  Shard& shard_;
  const std::size_t budget_;
  std::size_t used_ = 0;
  std::list<Kept> kept_;  // the one used last in front
  std::unordered_map<std::string, std::list<Kept>::iterator> by_id_;
  std::unordered_set<std::string> loading_;
  Event loaded_;
};

}  // namespace tidegate::storage::seaweedmq
