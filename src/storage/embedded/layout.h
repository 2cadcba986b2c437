// Names of files in the data directory.
#pragma once

#include <charconv>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "tidegate/base/ids.h"

namespace tidegate::storage::embedded::layout {

inline constexpr int kFormatVersion = 1;

inline std::string topic_dir(const std::string& data_dir, const TopicId& id) {
  return data_dir + "/logs/" + id.to_string();
}
inline std::string partition_dir(const std::string& data_dir, const PartitionId& id) {
  return topic_dir(data_dir, id.topic) + "/" + std::to_string(id.index);
}
inline std::string segment_path(const std::string& dir, Offset base) { return fmt::format("{}/{:020}.log", dir, base); }
inline std::string index_path(const std::string& dir, Offset base) { return fmt::format("{}/{:020}.index", dir, base); }

// The base offset in "00000000000000000042.log".
inline std::optional<Offset> segment_base(std::string_view name) {
  if (name.size() != 24 || !name.ends_with(".log")) return std::nullopt;
  Offset base = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + 20, base);
  if (error != std::errc() || end != name.data() + 20 || base < 0) return std::nullopt;
  return base;
}

}  // namespace tidegate::storage::embedded::layout
