#include "legacy_offset_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace tidegate::app {
namespace {

namespace fs = std::filesystem;

// A position is some hundred bytes; a list of a million keys is some dozen megabytes.
constexpr std::uintmax_t kMaxPositionBytes = 64U << 10;
constexpr std::uintmax_t kMaxListBytes = 256U << 20;
constexpr std::size_t kMaxProblems = 100;

class Finder {
 public:
  explicit Finder(const std::optional<std::string>& group) : group_(group) {}

  void visit(const std::string& path) {
    std::error_code error;
    const auto status = fs::status(path, error);
    if (fs::is_directory(status)) {
      visit_tree(path);
    } else if (fs::is_regular_file(status)) {
      visit_list(path);
    } else {
      problem(path + ": no such file or directory");
    }
  }
  FoundOffsets take() { return std::move(found_); }

 private:
  void problem(std::string line) {
    if (found_.problems.size() < kMaxProblems) found_.problems.push_back(std::move(line));
  }

  void add(FoundOffset offset) {
    const std::tuple key{offset.group, offset.at.topic, offset.at.partition};
    const auto where = offset.where;
    const auto [at, fresh] = found_.offsets.emplace(key, std::move(offset));
    if (!fresh) problem(fmt::format("{}: the same partition is at {} already", where, at->second.where));
  }

  std::optional<std::string> read(const std::string& path, std::uintmax_t limit) {
    std::error_code error;
    const auto size = fs::file_size(path, error);
    std::ifstream file(path, std::ios::binary);
    if (error || !file) {
      problem(path + ": cannot be read");
      return std::nullopt;
    }
    if (size > limit) {
      problem(fmt::format("{}: {} bytes, more than the {} that such a file may have", path, size, limit));
      return std::nullopt;
    }
    std::string text(static_cast<std::size_t>(size), '\0');
    file.read(text.data(), static_cast<std::streamsize>(size));
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
  }

  // -- lists of keys

  void visit_list(const std::string& path) {
    if (!group_ || group_->empty()) return problem(path + ": its keys name no group: say it with --group");
    const auto text = read(path, kMaxListBytes);
    if (!text) return;
    const auto first = text->find_first_not_of(" \t\r\n");
    if (first != std::string::npos && (*text)[first] == '{') return visit_json_list(path, *text);
    std::istringstream lines(*text);
    std::string line;
    for (std::size_t number = 1; std::getline(lines, line); ++number) {
      while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
        line.pop_back();
      if (line.empty() || line.front() == '#') continue;
      add_line(line, fmt::format("{}:{}", path, number));
    }
  }

  void add_line(const std::string& line, const std::string& where) {
    const auto split = line.find_last_of(" \t=,");
    if (split == std::string::npos) return problem(where + ": expected topic:partition and an offset");
    auto key = line.substr(0, split);
    while (!key.empty() && (key.back() == ' ' || key.back() == '\t')) key.pop_back();
    add_key(key, line.substr(split + 1), where);
  }

  void visit_json_list(const std::string& path, const std::string& text) {
    const auto parsed = nlohmann::json::parse(text, nullptr, false);
    if (!parsed.is_object()) return problem(path + ": not a JSON object of keys and offsets");
    for (const auto& [key, value] : parsed.items()) add_key(key, value.dump(), path);
  }

  void add_key(const std::string& key, const std::string& offset, const std::string& where) {
    auto at = parse_legacy_key(key);
    if (!at) return problem(where + ": " + at.error().message);
    const auto value = parse_offset(offset);
    if (!value) return problem(where + ": " + value.error().message);
    LegacyOffset position;
    position.offset = *value;
    add({*group_, std::move(*at), std::move(position), where});
  }

  // -- trees

  void visit_tree(const std::string& root) {
    std::error_code error;
    const auto options = fs::directory_options::skip_permission_denied;
    for (fs::recursive_directory_iterator at(root, options, error), end; !error && at != end;
         at.increment(error)) {
      if (!at->is_regular_file(error)) continue;
      const fs::path& path = at->path();
      std::vector<std::string> parts;
      for (const auto& part : fs::path(root) / fs::relative(path, root, error))
        parts.push_back(part.string());
      if (path.filename() == "offset") {
        visit_position(path.string(), parts, fs::path(root));
      } else if (path.extension() == ".offset" && path.filename() != "checkpoint.offset") {
        visit_offset_file(path.string(), parts);
      }
    }
    if (error) problem(root + ": " + error.message());
  }

  // .../consumer_offsets/<group>/<topic>/<partition>/offset; a group with slashes is several directories.
  void visit_position(const std::string& path, const std::vector<std::string>& parts, const fs::path& root) {
    const auto marker = std::find(parts.begin(), parts.end(), "consumer_offsets");
    const auto begin = marker != parts.end()
                           ? std::next(marker)
                           : std::next(parts.begin(), std::distance(root.begin(), root.end()));
    if (parts.end() - begin < 4)
      return problem(path + ": expected GROUP/TOPIC/PARTITION/offset below consumer_offsets");
    FoundOffset found;
    for (auto part = begin; part != parts.end() - 3; ++part)
      found.group += (part == begin ? "" : "/") + *part;
    found.at.topic = *(parts.end() - 3);
    auto partition = parse_partition(*(parts.end() - 2));
    if (!partition) return problem(path + ": " + partition.error().message);
    found.at.partition = *partition;
    const auto text = read(path, kMaxPositionBytes);
    if (!text) return;
    auto value = parse_position_file(*text);
    if (!value) return problem(path + ": " + value.error().message);
    found.value = std::move(*value);
    found.where = path;
    add(std::move(found));
  }

  // .../<topic>/[<version>/]<NNNN-NNNN>/<group>.offset
  void visit_offset_file(const std::string& path, const std::vector<std::string>& parts) {
    if (parts.size() < 3) return problem(path + ": expected TOPIC/PARTITION/GROUP.offset");
    const std::string& dir = *(parts.end() - 2);
    if (dir == "consumers") return;  // positions of the broker's own subscribers: not Kafka's groups
    auto partition = parse_partition_dir(dir);
    if (!partition) return problem(path + ": " + partition.error().message);
    auto topic = parts.end() - 3;
    const bool version = topic->size() == 20 && topic->front() == 'v' && std::ranges::count(*topic, '-') == 5;
    if (version && topic != parts.begin()) --topic;
    const auto bytes = read(path, kMaxPositionBytes);
    if (!bytes) return;
    auto value = parse_offset_file(as_bytes(*bytes));
    if (!value) return problem(path + ": " + value.error().message);
    add({fs::path(path).stem().string(), {*topic, *partition}, std::move(*value), path});
  }

  const std::optional<std::string>& group_;
  FoundOffsets found_;
};

}  // namespace

FoundOffsets find_legacy_offsets(const std::vector<std::string>& paths,
                                 const std::optional<std::string>& group) {
  Finder finder(group);
  for (const auto& path : paths) finder.visit(path);
  return finder.take();
}

}  // namespace tidegate::app
