// Chunks of log files, taken apart: fetched from a volume server, whole or in part, inflated if need be,
// checked, and kept for a while, because whoever reads a little of a chunk soon reads the rest. Parts of a
// chunk that are wanted together and are not here come in one request for about a megabyte. One a shard; used
// on it alone.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend.h"
#include "format/broker_message.h"
#include "format/file_facts.h"
#include "format/record_layout.h"
#include "tidegate/base/metrics.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/storage/engine.h"

namespace tidegate::storage::seaweedmq {

struct OpenChunk {
  // Slices of one buffer, or put together from records.
  std::vector<protocol::RecordBatch> batches;
  std::vector<MessageMark> marks;  // of messages of a broker, one for each batch
  // Of messages that are records: frames in front of the first batch, which may be the rest of one that began
  // in the chunk in front, and those from the begin of a batch that misses records on.
  SharedBuffer leading;
  SharedBuffer unfinished;
  SharedBuffer whole;        // of a partition that others publish to: all of it
  Offset last_message = -1;  // the broker's number of the last of all messages
  std::size_t charge = 0;
  // Nothing behind the last batch could be read; says why.
  std::optional<Error> damage;
};
using ChunkPtr = std::shared_ptr<const OpenChunk>;

// How the bytes of a chunk are to be taken.
struct ChunkForm {
  Layout layout = Layout::batch;
  // Messages that a broker of SeaweedMQ wrote: every batch that was published, void ones and doubles among
  // them. In layout record those that are wholly in the chunk.
  bool messages = false;
  // Others publish to the partition, too, and their messages count.
  bool shared = false;
  // Set: entries may be others', and what is below this offset was given by a chunk in front.
  std::optional<Offset> others_from = std::nullopt;
  // Batches of layout record need no bytes and are not put together; nothing of it is kept.
  bool headers_only = false;
  // Whose records they are, for values that are stored in another form.
  TopicId topic = {};
};

class ChunkReader {
 public:
  struct Asked {
    Chunk chunk;
    ChunkForm form;
    // Bytes of the chunk at whose ends frames of a batch begin; without an end all of it.
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  // `of_others` counts records that others have stored.
  ChunkReader(Volumes& volumes, Shard& shard, std::size_t cache_bytes, Counter& of_others)
      : volumes_(volumes), shard_(shard), of_others_(of_others), budget_(cache_bytes) {}

  // On the shard, before anything is read. `rebuilder` may be nullptr: there are no values in another form.
  void use(const ValueRebuilder* rebuilder) { rebuilder_ = rebuilder; }
  // For records of the topic; outlives this.
  ValueOfStored values_of(TopicId topic) const;
  // In the order asked for, several at a time. What is found can begin before and end behind what was asked
  // for, and be the same for several. nullptr: the needle is gone.
  Task<Result<std::vector<ChunkPtr>>> read(std::vector<Asked> asked);
  // The bytes of a chunk, inflated and checked, for whoever stores them elsewhere; not kept. nullopt: the
  // needle is gone.
  Task<Result<std::optional<SharedBuffer>>> read_plain(Chunk chunk, Layout layout);
  std::size_t used() const { return used_; }
  // Whether so much can be kept, and something of before beside it.
  bool has_room_for(std::size_t bytes) const { return 2 * bytes <= budget_; }

 private:
  struct Several;
  struct Run;
  using Place = std::pair<std::string, std::uint64_t>;  // file id, first byte
  struct Kept {
    std::uint64_t end = 0;
    ChunkPtr chunk;  // nullptr: under way
    std::list<Place>::iterator used;
  };
  static std::vector<Run> runs_of(const std::vector<Asked>& asked);
  Task<Result<void>> read_run(std::shared_ptr<Several> all, std::size_t first, std::size_t behind);
  Task<Result<ChunkPtr>> load(Asked asked);
  Task<Result<ChunkPtr>> fetch(Asked asked);
  Task<Result<std::optional<SharedBuffer>>> fetch_plain(Chunk chunk, std::uint64_t begin, std::uint64_t end);
  Task<OpenChunk> open_records(SharedBuffer bytes, ChunkForm form);
  Task<OpenChunk> open_record_messages(SharedBuffer bytes, ChunkForm form);
  Task<void> give_way();
  static Task<void> read_into(ChunkReader* self, std::shared_ptr<Several> all, std::size_t first,
                              std::size_t behind);
  // What has all of it, or will have.
  Kept* holder_of(const Asked& asked);
  void keep(const Place& place, ChunkPtr chunk);
  Volumes& volumes_;
  Shard& shard_;
  Counter& of_others_;
  const ValueRebuilder* rebuilder_ = nullptr;
  const std::size_t budget_;
  std::size_t used_ = 0;
  std::map<Place, Kept> kept_;
  std::list<Place> used_last_;  // that one in front; without what is under way
  Event loaded_;
};

}  // namespace tidegate::storage::seaweedmq
