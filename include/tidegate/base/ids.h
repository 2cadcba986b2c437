// Identities that cross module boundaries. Offsets are plain 64-bit integers under the name Offset,
// because arithmetic on them is everywhere; signatures that need two of a kind take a struct.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

#include "tidegate/base/uuid.h"

namespace tidegate {

using Offset = std::int64_t;
using LeaderEpoch = std::int32_t;
using NodeId = std::int32_t;
using TopicId = Uuid;

inline constexpr LeaderEpoch kNoEpoch = -1;

struct PartitionId {
  TopicId topic;
  std::int32_t index = 0;

  auto operator<=>(const PartitionId&) const = default;
};

}  // namespace tidegate

template <>
struct std::hash<tidegate::PartitionId> {
  std::size_t operator()(const tidegate::PartitionId& id) const noexcept {
    return std::hash<tidegate::Uuid>{}(id.topic) + static_cast<std::size_t>(id.index);
  }
};
