#include "legacy_offsets.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace tidegate::app {
namespace {

constexpr std::size_t kOffsetFileBytes = 8;

auto refuse(std::string message) { return fail(ErrorCode::invalid_request, std::move(message)); }

}  // namespace

Result<std::int32_t> parse_partition(std::string_view text) {
  std::int32_t value = 0;
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (!text.empty() && text.front() == '-') return refuse(fmt::format("partition '{}' is negative", text));
  if (!digits || error != std::errc{} || stop != end) {
    return refuse(fmt::format("partition '{}' is not a number from 0 to 2147483647", text));
  }
  return value;
}

Result<std::int64_t> parse_offset(std::string_view text) {
  std::int64_t value = 0;
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value < 0 || text.front() == '-') {
    return refuse(fmt::format("offset '{}' is not a number from 0 to 9223372036854775807", text));
  }
  return value;
}

Result<TopicPartition> parse_legacy_key(std::string_view key) {
  const auto colon = key.rfind(':');
  if (colon == std::string_view::npos)
    return refuse(fmt::format("key '{}' has no colon: expected topic:partition", key));
  if (colon == 0) return refuse(fmt::format("key '{}' has an empty topic", key));
  if (colon + 1 == key.size())
    return refuse(fmt::format("key '{}' has no partition behind its last colon", key));
  auto partition = parse_partition(key.substr(colon + 1));
  if (!partition) return refuse(fmt::format("key '{}': {}", key, partition.error().message));
  return TopicPartition{std::string(key.substr(0, colon)), *partition};
}

std::string format_legacy_key(const TopicPartition& key) {
  return fmt::format("{}:{}", key.topic, key.partition);
}

Result<LegacyOffset> parse_position_file(std::string_view json) {
  const auto parsed = nlohmann::json::parse(json, nullptr, false);
  if (!parsed.is_object()) return refuse("not a JSON object");
  const auto type = parsed.find("type");
  if (type == parsed.end() || !type->is_string() || type->get_ref<const std::string&>() != "offset") {
    return refuse("\"type\" is not \"offset\"");
  }
  const auto value = parsed.find("value");
  if (value == parsed.end() || !value->is_number_integer()) return refuse("\"value\" is not a whole number");
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX)
    return refuse("\"value\" is too large");
  LegacyOffset out;
  out.offset = value->get<std::int64_t>();
  if (out.offset < 0) return refuse(fmt::format("offset {} is negative", out.offset));
  if (const auto at = parsed.find("committed_at"); at != parsed.end() && !at->is_null()) {
    if (!at->is_number_integer()) return refuse("\"committed_at\" is not a whole number of milliseconds");
    out.committed_at_ms = at->get<std::int64_t>();
  }
  if (const auto metadata = parsed.find("metadata"); metadata != parsed.end() && !metadata->is_null()) {
    if (!metadata->is_string()) return refuse("\"metadata\" is not a string");
    out.metadata = metadata->get<std::string>();
  }
  return out;
}

std::string format_position_file(const LegacyOffset& offset) {
  nlohmann::ordered_json json = {{"type", "offset"}, {"value", offset.offset}};
  if (offset.committed_at_ms >= 0) json["committed_at"] = offset.committed_at_ms;
  json["metadata"] = offset.metadata;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<LegacyOffset> parse_offset_file(ByteView bytes) {
  if (bytes.size() != kOffsetFileBytes)
    return refuse(fmt::format("{} bytes, where an offset has 8", bytes.size()));
  std::uint64_t value = 0;
  for (const auto byte : bytes) value = value << 8U | static_cast<std::uint8_t>(byte);
  LegacyOffset out;
  out.offset = static_cast<std::int64_t>(value);
  if (out.offset < 0) return refuse(fmt::format("offset {} is negative", out.offset));
  return out;
}

std::string format_offset_file(std::int64_t offset) {
  std::string out(kOffsetFileBytes, '\0');
  for (std::size_t i = 0; i < kOffsetFileBytes; ++i) {
    out[i] = static_cast<char>(static_cast<std::uint64_t>(offset) >> 8 * (kOffsetFileBytes - 1 - i));
  }
  return out;
}

Result<std::int32_t> parse_partition_dir(std::string_view name) {
  const auto dash = name.find('-');
  if (dash == std::string_view::npos || name.substr(0, dash) != name.substr(dash + 1) || dash < 4) {
    return refuse(fmt::format("'{}' is not a partition's directory, as in 0003-0003", name));
  }
  return parse_partition(name.substr(0, dash));
}

}  // namespace tidegate::app
