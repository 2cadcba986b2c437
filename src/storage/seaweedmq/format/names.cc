#include "names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include <fmt/format.h>

#include "tidegate/base/assert.h"

namespace tidegate::storage::seaweedmq {

namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::size_t kTimeTextBytes = 19;  // 2026-01-31-23-59-59

std::string time_text(std::int64_t second) {
  using namespace std::chrono;
  const sys_seconds at{seconds(second)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss clock(at - day);
  return fmt::format("{:04}-{:02}-{:02}-{:02}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

// Decimal digits alone: from_chars would take a sign.
std::optional<int> digits(std::string_view text) {
  if (text.empty() || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  int value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<std::int64_t> parse_time(std::string_view text) {
  using namespace std::chrono;
  if (text.size() != kTimeTextBytes) return std::nullopt;
  std::array<int, 6> parts{};
  for (std::size_t i = 0, at = 0; i < parts.size(); ++i) {
    const std::size_t size = i == 0 ? 4 : 2;
    if (i > 0 && text[at++] != '-') return std::nullopt;
    const auto part = digits(text.substr(at, size));
    if (!part) return std::nullopt;
    parts[i] = *part;
    at += size;
  }
  const year_month_day date(year(parts[0]), month(static_cast<unsigned>(parts[1])),
                            day(static_cast<unsigned>(parts[2])));
  if (!date.ok() || parts[3] > 23 || parts[4] > 59 || parts[5] > 59) return std::nullopt;
  const auto at = sys_days(date) + hours(parts[3]) + minutes(parts[4]) + seconds(parts[5]);
  return at.time_since_epoch().count();
}

bool stands_for_itself(unsigned char byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

// One that sorts where the byte does, between those that stand for themselves.
char escape_mark(unsigned char byte) {
  if (byte < '0') return '-';
  if (byte < 'A') return '@';
  return byte < 'a' ? '_' : '~';
}

}  // namespace

std::int32_t slots_for(std::int32_t partitions) { return std::max(partitions, kReservedSlots); }

RingRange ring_range(std::int32_t index, std::int32_t slots) {
  TIDEGATE_ASSERT(slots > 0 && slots <= kRingSize && index >= 0 && index < slots);
  const std::int32_t width = kRingSize / slots;
  return {.start = index * width, .stop = index + 1 == slots ? kRingSize : (index + 1) * width};
}

namespace paths {

std::string join(std::string_view directory, std::string_view name) {
  return fmt::format("{}/{}", directory, name);
}
std::string topic_dir(std::string_view topic) { return join(kNamespace, topic); }
std::string version_name(std::int64_t generation_ns) { return "v" + time_text(generation_ns / kNsPerSecond); }

std::optional<std::int64_t> parse_version(std::string_view name) {
  if (!name.starts_with('v')) return std::nullopt;
  const auto second = parse_time(name.substr(1));
  if (!second) return std::nullopt;
  return *second * kNsPerSecond;
}

std::string partition_dir(std::string_view topic, std::int64_t generation_ns, RingRange range) {
  return fmt::format("{}/{}/{}/{:04}-{:04}", kNamespace, topic, version_name(generation_ns), range.start,
                     range.stop);
}

std::string topics_dir() { return join(kMeta, "topics"); }
std::string scopes_dir() { return join(kMeta, "scopes"); }
std::string positions_dir() { return join(kMeta, "consumer_offsets"); }
std::string states_dir(const TopicId& id) { return fmt::format("{}/partitions/{}", kMeta, id.to_string()); }
std::string state_name(std::int32_t index) { return fmt::format("{:04}", index); }
std::string sessions_dir() { return join(kMeta, "sessions"); }
std::string nodes_dir() { return join(kMeta, "nodes"); }
std::string fences_dir() { return join(kMeta, "fences"); }
std::string fence_name(unsigned shard) { return fmt::format("{:03}", shard); }

}  // namespace paths

std::string LogFileName::to_string() const {
  return suffix == 0 ? time_text(second) : fmt::format("{}-{:03}", time_text(second), suffix);
}

std::optional<LogFileName> LogFileName::parse(std::string_view name) {
  if (name.size() < kTimeTextBytes) return std::nullopt;
  const auto second = parse_time(name.substr(0, kTimeTextBytes));
  if (!second) return std::nullopt;
  LogFileName parsed{.second = *second};
  const std::string_view rest = name.substr(kTimeTextBytes);
  if (rest.empty()) return parsed;
  const auto suffix = rest.size() == 4 && rest[0] == '-' ? digits(rest.substr(1)) : std::nullopt;
  if (!suffix || *suffix == 0) return std::nullopt;
  parsed.suffix = *suffix;
  return parsed;
}

LogFileName next_file_name(std::int64_t ts_ns, std::optional<LogFileName> last) {
  const LogFileName wanted{.second = ts_ns / kNsPerSecond};
  if (!last || wanted > *last) return wanted;
  if (last->suffix < kMaxFileSuffix) return {.second = last->second, .suffix = last->suffix + 1};
  return {.second = last->second + 1};
}

std::string escape_name(std::string_view bytes) {
  std::string name;
  name.reserve(bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (stands_for_itself(byte)) {
      name.push_back(c);
    } else {
      name += fmt::format("{}{:02X}", escape_mark(byte), byte);
    }
  }
  return name;
}

std::optional<std::string> unescape_name(std::string_view name) {
  std::string bytes;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto c = static_cast<unsigned char>(name[i]);
    if (stands_for_itself(c)) {
      bytes.push_back(name[i]);
      continue;
    }
    unsigned byte = 0;
    if (i + 2 >= name.size()) return std::nullopt;
    const char* const from = name.data() + i + 1;
    const auto parsed = std::from_chars(from, from + 2, byte, 16);
    const auto found = static_cast<unsigned char>(byte);
    // One name for each sequence of bytes, so that two entries are never the same thing.
    if (parsed.ec != std::errc() || parsed.ptr != from + 2 || stands_for_itself(found) ||
        name.substr(i, 3) != fmt::format("{}{:02X}", escape_mark(found), found)) {
      return std::nullopt;
    }
    bytes.push_back(static_cast<char>(found));
    i += 2;
  }
  return bytes;
}

}  // namespace tidegate::storage::seaweedmq
