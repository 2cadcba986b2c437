// Sharing out a fetch response.
#include "fetch_plan.h"

#include <algorithm>

namespace tidegate::broker {

std::vector<FetchAllotment> allot(std::span<const FetchSize> sizes, std::size_t max_bytes, bool first_whole) {
  std::vector<FetchAllotment> out(sizes.size());
  bool first = first_whole;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i].readable == 0) continue;
    const std::size_t share = std::min({sizes[i].readable, sizes[i].partition_max, max_bytes});
    if (share == 0 && !first) continue;
    out[i] = {.max_bytes = share, .at_least_one = first};
    max_bytes -= share;
    first = false;
  }
  return out;
}

std::size_t countable_bytes(std::span<const FetchSize> sizes) {
  std::size_t sum = 0;
  for (const FetchSize& size : sizes) sum += std::min(size.readable, size.partition_max);
  return sum;
}

}  // namespace tidegate::broker
