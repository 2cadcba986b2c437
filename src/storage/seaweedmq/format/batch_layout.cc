#include "batch_layout.h"

#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "coding.h"

namespace tidegate::storage::seaweedmq {

std::string batch_key(const protocol::BatchHeader& header) {
  std::string key;
  key.reserve(kBatchKeyBytes);
  put_be(key, header.base_offset);
  put_be(key, header.last_offset_delta + 1);
  return key;
}

Result<protocol::RecordBatch> batch_of_entry(const LogEntry& entry, const SharedBuffer& chunk) {
  auto header = protocol::parse_batch_header(entry.data);
  if (!header) return fail(std::move(header.error()));
  const bool fits = header->size_bytes() == entry.data.size() && header->last_offset_delta >= 0 &&
                    header->base_offset >= 0 && header->base_offset == entry.offset;
  if (!fits || as_text(entry.key) != batch_key(*header)) {
    return fail(ErrorCode::corrupt_message,
                fmt::format("log entry at offset {} is not the batch it says", entry.offset));
  }
  const auto at = static_cast<std::size_t>(entry.data.data() - chunk.data());
  return protocol::RecordBatch{.header = *header, .bytes = chunk.slice(at, entry.data.size())};
}

void ChunkBuilder::add(const protocol::BatchHeader& header, const SharedBuffer& front,
                       const SharedBuffer& rest, std::int64_t ts_ns) {
  const std::string key = batch_key(header);
  const std::size_t data_bytes = front.size() + rest.size();
  const LogEntry entry{.ts_ns = ts_ns, .offset = header.base_offset, .key = as_bytes(key)};
  size_bytes_ += frame_head_bytes(entry, data_bytes) + data_bytes;
  put_frame_head(heads_, entry, data_bytes);
  heads_.append(as_text(front.bytes()));
  if (pieces_.empty() || !pieces_.back().rest.empty()) pieces_.emplace_back();
  pieces_.back() = {.head_end = heads_.size(), .rest = rest};
}

std::vector<SharedBuffer> ChunkBuilder::take() {
  const SharedBuffer heads = SharedBuffer::copy_of(as_bytes(heads_));
  std::vector<SharedBuffer> out;
  std::size_t from = 0;
  for (Piece& piece : pieces_) {
    out.push_back(heads.slice(from, piece.head_end - from));
    from = piece.head_end;
    if (!piece.rest.empty()) out.push_back(std::move(piece.rest));
  }
  *this = {};
  return out;
}

}  // namespace tidegate::storage::seaweedmq
