// How a fetch response's bytes are shared out: given what each partition could return, how much each may
// read. Pure. Called by fetch_path on the connection's shard, which alone decides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tidegate::broker {

struct FetchSize {
  std::size_t readable = 0;       // bytes that a read could return, from the owner shard
  std::size_t partition_max = 0;  // the client's limit for this partition
};

struct FetchAllotment {
  std::size_t max_bytes = 0;  // 0: do not read
  bool at_least_one = false;  // the first batch whole, however large: every fetch makes progress
};

// In request order until `max_bytes` are spent; the first partition with anything to read gets at
// least one batch, unless `first_whole` is false (there is less memory than that may take).
std::vector<FetchAllotment> allot(std::span<const FetchSize> sizes, std::size_t max_bytes,
                                  bool first_whole = true);

// What counts towards min_bytes: never more of a partition than one response could carry.
std::size_t countable_bytes(std::span<const FetchSize> sizes);

}  // namespace tidegate::broker
