// Walks batch headers across chunk borders, copying only headers that a border cuts.
#include "zstd_guard.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tidegate/protocol/record_batch.h"

namespace tidegate::broker {

bool holds_zstd(std::span<const SharedBuffer> chunks) {
  std::array<std::uint8_t, protocol::kBatchHeaderBytes> header{};
  std::size_t have = 0;  // of the header that is being put together
  std::size_t skip = 0;  // of the batch whose header was read
  for (const SharedBuffer& chunk : chunks) {
    std::size_t at = 0;
    while (at < chunk.size()) {
      if (skip > 0) {
        const std::size_t step = std::min(skip, chunk.size() - at);
        skip -= step;
        at += step;
        continue;
      }
      const std::size_t step = std::min(header.size() - have, chunk.size() - at);
      std::memcpy(header.data() + have, chunk.data() + at, step);
      have += step;
      at += step;
      if (have < header.size()) continue;
      const auto parsed = protocol::parse_batch_header(header);
      if (!parsed) return false;  // damage is the reader's to find
      if (parsed->compression() == protocol::Compression::zstd) return true;
      skip = parsed->size_bytes() - header.size();
      have = 0;
    }
  }
  return false;
}

}  // namespace tidegate::broker
