// The id of a needle: volume, key, cookie; written "volume,hexkeyhexcookie" with the key's leading zero
// bytes left out. Pools compute ids from it, JWTs name it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidegate::storage::seaweedmq {

struct FileId {
  std::uint32_t volume = 0;
  std::uint64_t key = 0;
  std::uint32_t cookie = 0;

  std::string text() const;
  // A suffix "_N" (the N-th id behind) is understood.
  static std::optional<FileId> parse(std::string_view text);
  bool operator==(const FileId&) const = default;
};

}  // namespace tidegate::storage::seaweedmq
