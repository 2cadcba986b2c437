// Where a batch counts as small.
#pragma once

#include <cstddef>

namespace tidegate::storage {

// Below this a copy is cheaper than a buffer and an I/O vector of its own.
inline constexpr std::size_t kSmallBatch = 2048;

}  // namespace tidegate::storage
