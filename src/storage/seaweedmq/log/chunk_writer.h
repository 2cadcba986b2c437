// Batches on their way into one chunk, in the layout of their log. Lives in a DirectLog, on its shard.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "format/batch_layout.h"
#include "format/file_facts.h"
#include "format/record_layout.h"
#include "tidegate/storage/placed_batch.h"

namespace tidegate::storage::seaweedmq {

class ChunkWriter {
 public:
  explicit ChunkWriter(Layout layout) {
    if (layout == Layout::record) builder_.emplace<RecordChunkBuilder>();
  }

  // Entries of the batch get ts_ns from `ts_ns` on, one more each; returns how many there are.
  std::int64_t add(const PlacedBatch& batch, std::int64_t ts_ns) {
    if (auto* const records = std::get_if<RecordChunkBuilder>(&builder_))
      return records->add(batch.header, batch.front, batch.rest, ts_ns, batch.stored_values.get());
    std::get<ChunkBuilder>(builder_).add(batch.header, batch.front, batch.rest, ts_ns);
    return 1;
  }
  std::size_t size_bytes() const {
    return std::visit([](const auto& builder) { return builder.size_bytes(); }, builder_);
  }
  // Batches that layout `record` had to keep whole.
  std::size_t opaque() const {
    const auto* const records = std::get_if<RecordChunkBuilder>(&builder_);
    return records != nullptr ? records->opaque() : 0;
  }
  // The writer is empty afterwards.
  std::vector<SharedBuffer> take() {
    return std::visit([](auto& builder) { return builder.take(); }, builder_);
  }

 private:
  std::variant<ChunkBuilder, RecordChunkBuilder> builder_;
};

}  // namespace tidegate::storage::seaweedmq
