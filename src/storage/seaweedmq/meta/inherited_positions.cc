#include "inherited_positions.h"

#include <algorithm>
#include <charconv>

#include "format/names.h"
#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {

namespace {

constexpr std::size_t kPage = 1000;
constexpr std::size_t kMaxNameBytes = 255;
constexpr const char* kPositionFile = "offset";

// The other gateway writes the group's name into the path as it is.
bool is_one_name(std::string_view name) {
  const auto bad = [](char c) { return c == '/' || static_cast<unsigned char>(c) < ' '; };
  return !name.empty() && name.size() <= kMaxNameBytes && name != "." && name != ".." &&
         std::ranges::none_of(name, bad);
}

std::optional<std::int32_t> partition_of(std::string_view name) {
  std::int32_t partition = 0;
  const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), partition);
  if (error != std::errc{} || stop != name.data() + name.size() || partition < 0) return std::nullopt;
  return partition;
}

}  // namespace

std::optional<std::string> InheritedPositions::group_of(const std::string& scope) const {
  if (!files_.to_entries || !scope.starts_with(files_.scope_prefix)) return std::nullopt;
  std::string group = scope.substr(files_.scope_prefix.size());
  if (!is_one_name(group)) return std::nullopt;
  return group;
}

Task<Result<std::vector<std::string>>> InheritedPositions::directories(std::string in) {
  std::vector<std::string> names;
  for (std::string after; names.size() < kMaxFiles;) {
    auto page = co_await filer_.list(in, "", after, kPage);
    if (!page) co_return fail(std::move(page.error()));
    for (const Entry& entry : *page) {
      if (entry.is_directory) names.push_back(entry.name);
    }
    if (page->size() < kPage) break;
    after = page->back().name;
  }
  co_return names;
}

Task<Result<void>> InheritedPositions::read_topic(std::string directory, std::string topic,
                                                  std::vector<PositionFile>* found) {
  auto partitions = co_await directories(directory);
  if (!partitions) co_return fail(std::move(partitions.error()));
  for (const std::string& name : *partitions) {
    const auto partition = partition_of(name);
    if (!partition) continue;
    if (found->size() >= kMaxFiles) co_return Result<void>{};
    auto entry = co_await filer_.lookup(paths::join(directory, name), kPositionFile);
    if (!entry) co_return fail(std::move(entry.error()));
    if (*entry && !(*entry)->is_directory) {
      found->push_back({.topic = topic, .partition = *partition, .content = std::move((*entry)->content)});
    }
  }
  co_return Result<void>{};
}

Task<Result<std::map<std::string, std::string>>> InheritedPositions::of(std::string scope) {
  std::map<std::string, std::string> entries;
  const auto group = group_of(scope);
  if (!group) co_return entries;
  const std::string directory = paths::join(paths::positions_dir(), *group);
  auto topics = co_await directories(directory);
  if (!topics) co_return fail(std::move(topics.error()));
  std::vector<PositionFile> found;
  for (const std::string& topic : *topics) {
    auto read = co_await read_topic(paths::join(directory, topic), topic, &found);
    if (!read) co_return fail(std::move(read.error()));
  }
  if (found.empty()) co_return entries;
  if (found.size() >= kMaxFiles) {
    module_log().warn("event=positions_of_others_cut group={:?} files={}", *group, found.size());
  }
  for (MetaEntry& entry : files_.to_entries(found)) entries[std::move(entry.key)] = std::move(entry.value);
  module_log().info("event=positions_of_others_read group={:?} files={} positions={}", *group, found.size(),
                    entries.size());
  co_return entries;
}

}  // namespace tidegate::storage::seaweedmq
