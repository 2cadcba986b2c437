// CRC-32C through ISA-L, which picks the fastest instructions of the machine at run time.
//
// crc32_iscsi() is the bare polynomial step: it neither inverts the seed nor the result. Kafka's CRC
// starts at all ones and inverts at the end, and so that an earlier result can be continued, both
// inversions happen here.
#include <isa-l/crc.h>

#include <algorithm>
#include <limits>

#include "tidegate/protocol/record_batch.h"

namespace tidegate::protocol {

std::uint32_t crc32c(ByteView bytes, std::uint32_t seed) {
  constexpr std::size_t kMaxStep = std::numeric_limits<int>::max();  // ISA-L takes an int
  std::uint32_t crc = ~seed;
  while (!bytes.empty()) {
    const auto step = bytes.first(std::min(bytes.size(), kMaxStep));
    // The library reads only; its prototype lacks the const.
    crc = crc32_iscsi(const_cast<unsigned char*>(step.data()), static_cast<int>(step.size()), crc);
    bytes = bytes.subspan(step.size());
  }
  return ~crc;
}

}  // namespace tidegate::protocol
