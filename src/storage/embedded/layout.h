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
// `generation` is 0 for a segment as it was appended; compaction counts up from 1.
inline std::string segment_file(const std::string& dir, Offset base, std::uint32_t generation,
                                std::string_view ending) {
  if (generation == 0) return fmt::format("{}/{:020}.{}", dir, base, ending);
  return fmt::format("{}/{:020}-{:010}.{}", dir, base, generation, ending);
}
inline std::string segment_path(const std::string& dir, Offset base, std::uint32_t generation = 0) {
  return segment_file(dir, base, generation, "log");
}
inline std::string index_path(const std::string& dir, Offset base, std::uint32_t generation = 0) {
  return segment_file(dir, base, generation, "index");
}

// The base offset in "00000000000000000042.log".
inline std::optional<Offset> segment_base(std::string_view name) {
  if (name.size() != 24 || !name.ends_with(".log")) return std::nullopt;
  Offset base = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + 20, base);
  if (error != std::errc() || end != name.data() + 20 || base < 0) return std::nullopt;
  return base;
}

// Whether "00000000000000000042-0000000003.log" (or its index) is the name of a compacted segment's file.
inline bool is_compacted_name(std::string_view name) {
  const bool ends = name.ends_with(".log") || name.ends_with(".index");
  return ends && name.size() > 31 && name[20] == '-' && name.find('.') == 31 &&
         name.substr(0, 31).find_first_not_of("0123456789-") == std::string_view::npos;
}

}  // namespace tidegate::storage::embedded::layout
