// Keys of the metadata store. docs/storage-format.md has the table.
#pragma once

#include <string>
#include <string_view>

#include "coding.h"
#include "tidegate/base/ids.h"

namespace tidegate::storage::embedded::keys {

inline constexpr std::string_view kClusterId = "C";
inline constexpr std::string_view kTopics = "t";
inline constexpr std::string_view kDeletions = "d";
inline constexpr std::string_view kEpochs = "e";
inline constexpr std::string_view kLogStarts = "s";
inline constexpr std::string_view kCompacted = "c";
inline constexpr std::string_view kScopes = "m";
inline constexpr std::string_view kFences = "f";

inline std::string topic(std::string_view kind, const TopicId& id) {
  return ValueWriter().raw(kind).uuid(id).take();
}
inline std::string partition(std::string_view kind, const PartitionId& id) {
  return ValueWriter().raw(kind).uuid(id.topic).integer(id.index).take();
}

// A scope in front of other bytes keeps its order and its end: 00 becomes 00 FF, 00 01 ends it.
inline std::string escaped(std::string_view scope) {
  std::string out;
  for (const char c : scope) {
    out.push_back(c);
    if (c == '\0') out.push_back('\xff');
  }
  return out;
}
inline std::string scope(std::string_view kind, std::string_view name) {
  return std::string(kind) + escaped(name) + std::string("\0\x01", 2);
}
// The scope's name out of a key made by scope() with something behind it; what is behind goes to `rest`.
inline std::string unescape_scope(std::string_view key, std::string_view& rest) {
  std::string out;
  for (std::size_t i = 1; i < key.size(); ++i) {
    if (key[i] != '\0') {
      out.push_back(key[i]);
      continue;
    }
    if (i + 1 < key.size() && key[i + 1] == '\x01') {
      rest = key.substr(i + 2);
      return out;
    }
    out.push_back('\0');
    ++i;
  }
  rest = {};
  return out;
}

}  // namespace tidegate::storage::embedded::keys
