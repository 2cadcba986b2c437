// Finds zstd batches in what was read, for clients that do not know the codec (Fetch below 10). Pure.
#pragma once

#include <span>

#include "tidegate/base/shared_buffer.h"

namespace tidegate::broker {

// `chunks` one after the other are whole record batches; a chunk may end inside of one.
bool holds_zstd(std::span<const SharedBuffer> chunks);

}  // namespace tidegate::broker
