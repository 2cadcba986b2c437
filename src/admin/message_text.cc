#include "message_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "tidegate/protocol/record_batch.h"

namespace tidegate::admin {
namespace {

using Json = nlohmann::ordered_json;

std::string_view chars(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// nlohmann's own check of UTF-8: what dump() refuses is no text.
bool is_text(std::string_view text) {
  if (std::ranges::any_of(text, [](char c) { return c == '\0'; })) return false;
  const Json probe{std::string(text)};
  return probe.dump(-1, ' ', false, Json::error_handler_t::ignore) ==
         probe.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string hex(ByteView bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const auto byte : bytes) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

// {"size":5,"text":"hello"} or {"size":2,"hex":"ff00"}; schema_id where the bytes begin as a registry's
// serializers write them. null stays null.
Json shown(const std::optional<ByteView>& bytes) {
  if (!bytes) return {};
  Json out{{"size", bytes->size()}};
  ByteView part = bytes->first(std::min(bytes->size(), kShownBytes));
  if (part.size() < bytes->size()) {
    out["cut"] = true;
    // Not through the middle of a character.
    for (int i = 0; i < 3 && !part.empty() && (part.back() & 0xC0) == 0x80; ++i)
      part = part.first(part.size() - 1);
    if (!part.empty() && part.back() >= 0xC0) part = part.first(part.size() - 1);
  }
  if (part.size() >= 5 && part[0] == 0) {
    out["schema_id"] = (std::uint32_t{part[1]} << 24) | (std::uint32_t{part[2]} << 16) |
                       (std::uint32_t{part[3]} << 8) | part[4];
    // JSON Schema's values are text behind the five bytes.
    const auto rest = chars(part.subspan(5));
    if (!rest.empty() && (rest.front() == '{' || rest.front() == '[') && is_text(rest)) {
      out["text"] = rest;
      return out;
    }
  }
  if (is_text(chars(part))) {
    out["text"] = chars(part);
  } else {
    out["hex"] = hex(part);
  }
  return out;
}

bool has(ByteView bytes, std::string_view wanted) { return chars(bytes).contains(wanted); }

bool passes(const protocol::RecordView& record, std::string_view filter) {
  if (filter.empty()) return true;
  if ((record.key && has(*record.key, filter)) || (record.value && has(*record.value, filter))) return true;
  return std::ranges::any_of(record.headers, [filter](const protocol::HeaderView& header) {
    return has(header.key, filter) || (header.value && has(*header.value, filter));
  });
}

Json object(const protocol::BatchHeader& batch, const protocol::RecordView& record) {
  const bool appended = batch.timestamp_type() == protocol::TimestampType::log_append_time;
  Json out{{"offset", batch.base_offset + record.offset_delta},
           {"time_ms", appended ? batch.max_timestamp : batch.base_timestamp + record.timestamp_delta},
           {"key", shown(record.key)},
           {"value", shown(record.value)}};
  Json headers = Json::array();
  for (const auto& header : record.headers) {
    if (headers.size() == kShownHeaders) break;
    headers.push_back({{"key", shown(header.key)}, {"value", shown(header.value)}});
  }
  out["headers"] = std::move(headers);
  return out;
}

class Page {
 public:
  explicit Page(const MessageLimits& limits) : limits_(limits) { page_.next = limits.from; }

  // False: enough.
  bool add(const protocol::RecordBatch& batch) {
    if (batch.header.is_control()) {
      page_.next = std::max(page_.next, batch.header.next_offset());
      return true;
    }
    bool whole = true;
    const protocol::RecordLimits inflated{.max_inflated_bytes = kInflatedBytes};
    auto read = protocol::for_each_record(batch, inflated, [&](const protocol::RecordView& record) {
      const Offset offset = batch.header.base_offset + record.offset_delta;
      if (offset < limits_.from) return true;
      whole = count_ < limits_.records && page_.messages.size() < kAnswerBytes;
      if (!whole) return false;
      ++page_.scanned;
      page_.next = offset + 1;
      if (!passes(record, limits_.filter)) return true;
      if (count_++ > 0) page_.messages += ',';
      page_.messages += object(batch.header, record).dump(-1, ' ', false, Json::error_handler_t::replace);
      return true;
    });
    if (!read) {
      page_.problem = "the batch at offset " + std::to_string(batch.header.base_offset) +
                      " cannot be shown: " + read.error().message;
      whole = true;
    }
    if (whole) page_.next = std::max(page_.next, batch.header.next_offset());
    return whole && read.has_value();
  }
  MessagePage take() { return std::move(page_); }

 private:
  const MessageLimits& limits_;
  MessagePage page_;
  std::size_t count_ = 0;
};

// An engine may cut its reads anywhere.
SharedBuffer joined(std::span<const SharedBuffer> chunks, std::size_t size) {
  MutableBuffer out(size);
  std::size_t at = 0;
  for (const auto& chunk : chunks) {
    std::ranges::copy(chunk.bytes(), out.data() + at);
    at += chunk.size();
  }
  return std::move(out).freeze();
}

MessagePage unreadable(const MessageLimits& limits, std::string why, const SharedBuffer& first) {
  MessagePage out{.next = limits.from, .problem = std::move(why)};
  if (const auto header = protocol::parse_batch_header(first.bytes())) {
    out.next = std::max(out.next, header->next_offset());
  }
  return out;
}

}  // namespace

MessagePage read_messages(std::span<const SharedBuffer> chunks, const MessageLimits& limits) {
  std::size_t size = 0;
  for (const auto& chunk : chunks) size += chunk.size();
  if (size == 0) return {.next = limits.from};
  if (size > kInflatedBytes) return unreadable(limits, "the batch is too large to be shown", chunks.front());
  const auto split = protocol::split_batches(joined(chunks, size));
  if (!split) return unreadable(limits, "this is no record batch: " + split.error().message, chunks.front());
  Page page(limits);
  for (const auto& batch : split->batches)
    if (!page.add(batch)) break;
  return page.take();
}

}  // namespace tidegate::admin
