#include "file_facts.h"

#include <algorithm>

#include "coding.h"

namespace tidegate::storage::seaweedmq {

namespace {

// SeaweedMQ's names.
constexpr const char* kOffsetMin = "offset_min";
constexpr const char* kOffsetMax = "offset_max";
constexpr const char* kBufferStart = "buffer_start";
// Ours.
constexpr const char* kFacts = "tidegate";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kChunkBytes = 8 + 8 + 8 + 4;
// Beside it, when any chunk has some.
constexpr const char* kMarks = "tidegate_marks";
constexpr std::size_t kMarkBytes = 8 + 4;
constexpr std::size_t kMostMarks = 0xFFFF;

std::string marks_of(const FileFacts& facts) {
  std::string out;
  for (const ChunkFacts& chunk : facts.chunks) {
    const std::size_t count = std::min(chunk.marks.size(), kMostMarks);
    put_be(out, static_cast<std::uint16_t>(count));
    for (std::size_t i = 0; i < count; ++i) {
      put_be(out, chunk.marks[i].offset);
      put_be(out, chunk.marks[i].position);
    }
  }
  return out;
}

// False: damaged.
bool parse_marks(const std::string& bytes, FileFacts& facts) {
  BigEndianReader reader(bytes);
  for (ChunkFacts& chunk : facts.chunks) {
    const auto count = reader.integer<std::uint16_t>();
    if (!reader.ok() || count > reader.remaining() / kMarkBytes) return false;
    ChunkMark last{.offset = chunk.base, .position = 0};
    for (std::uint16_t i = 0; i < count; ++i) {
      ChunkMark mark;
      mark.offset = reader.integer<Offset>();
      mark.position = reader.integer<std::uint32_t>();
      if (mark.offset <= last.offset || mark.offset >= chunk.end || mark.position <= last.position)
        return false;
      chunk.marks.push_back(mark);
      last = mark;
    }
  }
  return reader.ok() && reader.remaining() == 0;
}

}  // namespace

std::string_view layout_name(Layout layout) { return layout == Layout::batch ? "batch" : "record"; }

std::optional<Layout> parse_layout(std::string_view name) {
  if (name == layout_name(Layout::batch)) return Layout::batch;
  if (name == layout_name(Layout::record)) return Layout::record;
  return std::nullopt;
}

Attributes attributes_of(const FileFacts& facts) {
  std::string own;
  put_be(own, kVersion);
  put_be(own, static_cast<std::uint8_t>(facts.layout));
  put_be(own, facts.epoch);
  put_be(own, facts.base);
  put_be(own, facts.end);
  put_be(own, facts.first_ts_ns);
  put_be(own, facts.last_ts_ns);
  put_be(own, facts.max_timestamp);
  put_be(own, static_cast<std::uint32_t>(facts.chunks.size()));
  for (const ChunkFacts& chunk : facts.chunks) {
    put_be(own, chunk.base);
    put_be(own, chunk.end);
    put_be(own, chunk.max_timestamp);
    put_be(own, chunk.record_bytes);
  }
  Attributes attributes;
  attributes[kFacts] = std::move(own);
  const bool marked =
      std::ranges::any_of(facts.chunks, [](const auto& chunk) { return !chunk.marks.empty(); });
  if (marked) attributes[kMarks] = marks_of(facts);
  attributes[kOffsetMin] = be_bytes(facts.base);
  attributes[kOffsetMax] = be_bytes(facts.end - 1);
  attributes[kBufferStart] = be_bytes(facts.base);
  return attributes;
}

Result<std::optional<FileFacts>> parse_facts(const Attributes& attributes, std::size_t chunks) {
  const auto own = attributes.find(kFacts);
  if (own == attributes.end()) return std::nullopt;
  BigEndianReader reader(own->second);
  const auto version = reader.integer<std::uint8_t>();
  const auto layout = reader.integer<std::uint8_t>();
  FileFacts facts;
  facts.layout = static_cast<Layout>(layout);
  facts.epoch = reader.integer<LeaderEpoch>();
  facts.base = reader.integer<Offset>();
  facts.end = reader.integer<Offset>();
  facts.first_ts_ns = reader.integer<std::int64_t>();
  facts.last_ts_ns = reader.integer<std::int64_t>();
  facts.max_timestamp = reader.integer<std::int64_t>();
  const auto count = reader.integer<std::uint32_t>();
  bool good = reader.ok() && version == kVersion && layout <= 1 && facts.base >= 0 &&
              facts.base <= facts.end && count == chunks && count == reader.remaining() / kChunkBytes &&
              reader.remaining() % kChunkBytes == 0;
  Offset from = facts.base;
  for (std::uint32_t i = 0; good && i < count; ++i) {
    ChunkFacts chunk;
    chunk.base = reader.integer<Offset>();
    chunk.end = reader.integer<Offset>();
    chunk.max_timestamp = reader.integer<std::int64_t>();
    chunk.record_bytes = reader.integer<std::uint32_t>();
    good = chunk.base >= from && chunk.end > chunk.base && chunk.end <= facts.end;
    from = chunk.end;
    facts.chunks.push_back(chunk);
  }
  const auto marks = attributes.find(kMarks);
  if (good && marks != attributes.end()) good = parse_marks(marks->second, facts);
  if (!good)
    return fail(ErrorCode::corrupt_message, "the attributes of a log file are damaged or of a later version");
  return facts;
}

std::string checkpoint_of(Offset last) { return be_bytes(last); }

std::optional<Offset> parse_checkpoint(std::string_view content) {
  if (content.size() != sizeof(Offset)) return std::nullopt;
  return BigEndianReader(content).integer<Offset>();
}

}  // namespace tidegate::storage::seaweedmq
