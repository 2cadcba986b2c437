#include "message_path.h"

#include <utility>

#include <fmt/format.h>

namespace tidegate::schema::protobuf {
namespace {

constexpr std::size_t kMaxVarintBytes = 5;

// False: there is none at the front.
bool zigzag(ByteView& rest, std::int32_t& number) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < rest.size() && i < kMaxVarintBytes; ++i) {
    bits |= static_cast<std::uint64_t>(rest[i] & 0x7f) << (7 * i);
    if (rest[i] < 0x80) {
      if (bits > UINT32_MAX) return false;
      rest = rest.subspan(i + 1);
      const auto raw = static_cast<std::uint32_t>(bits);
      number = static_cast<std::int32_t>((raw >> 1) ^ (0U - (raw & 1)));
      return true;
    }
  }
  return false;
}

MessagePath refused(std::string problem) {
  return {.indexes = {}, .message = {}, .problem = std::move(problem)};
}

}  // namespace

MessagePath read_message_path(ByteView bytes, std::size_t max_length) {
  std::int32_t count = 0;
  if (bytes.empty()) return refused("the record ends before its message path");
  if (!zigzag(bytes, count)) return refused("its message path has no readable length");
  if (count < 0) return refused("the length of its message path is negative");
  if (count == 0) return {.indexes = {0}, .message = bytes, .problem = {}};
  if (static_cast<std::size_t>(count) > max_length) {
    return refused(fmt::format("its message path has {} steps, and the schema nests messages {} deep", count,
                               max_length));
  }
  std::vector<std::uint32_t> indexes;
  for (std::int32_t i = 0; i < count; ++i) {
    std::int32_t index = 0;
    if (!zigzag(bytes, index)) return refused(fmt::format("step {} of its message path is cut off", i));
    if (index < 0) return refused(fmt::format("step {} of its message path is negative", i));
    indexes.push_back(static_cast<std::uint32_t>(index));
  }
  return {.indexes = std::move(indexes), .message = bytes, .problem = {}};
}

}  // namespace tidegate::schema::protobuf
