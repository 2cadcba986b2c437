#include "log_entry.h"

#include <fmt/format.h>

#include "coding.h"

namespace tidegate::storage::seaweedmq {

namespace {

enum Wire : std::uint32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };
constexpr std::uint32_t tag(std::uint32_t field, Wire wire) { return (field << 3) | wire; }

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>((value & 0x7F) | 0x80));
  out.push_back(static_cast<char>(value));
}

std::size_t varint_bytes(std::uint64_t value) {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

// Protobuf sign-extends negative int32 and int64 to ten bytes.
void put_integer(std::string& out, std::uint32_t field, std::int64_t value) {
  if (value == 0) return;
  put_varint(out, tag(field, varint));
  put_varint(out, static_cast<std::uint64_t>(value));
}

std::size_t integer_bytes(std::uint32_t field, std::int64_t value) {
  if (value == 0) return 0;
  return varint_bytes(tag(field, varint)) + varint_bytes(static_cast<std::uint64_t>(value));
}

std::size_t bytes_head(std::uint32_t field, std::size_t size) {
  return varint_bytes(tag(field, bytes)) + varint_bytes(size);
}

// Without the frame's length and without the data.
std::size_t fields_bytes(const LogEntry& entry, std::size_t data_bytes) {
  std::size_t size = integer_bytes(1, entry.ts_ns) + integer_bytes(2, entry.partition_key_hash) +
                     integer_bytes(5, entry.offset);
  if (!entry.key.empty()) size += bytes_head(4, entry.key.size()) + entry.key.size();
  if (!entry.extra.empty()) size += bytes_head(100, entry.extra.size()) + entry.extra.size();
  if (data_bytes > 0) size += bytes_head(3, data_bytes);
  return size;
}

class ProtoReader {
 public:
  explicit ProtoReader(ByteView bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return at_ == bytes_.size(); }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && at_ < bytes_.size(); shift += 7) {
      const std::uint8_t byte = bytes_[at_++];
      if (shift < 64) value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  ByteView bytes() { return take(varint()); }
  // A field that nobody asked for.
  void skip(std::uint32_t wire) {
    switch (wire) {
      case Wire::varint:
        varint();
        break;
      case Wire::fixed64:
        take(8);
        break;
      case Wire::bytes:
        bytes();
        break;
      case Wire::fixed32:
        take(4);
        break;
      default:
        ok_ = false;  // groups: nobody writes them any more
    }
  }

 private:
  ByteView take(std::uint64_t size) {
    if (!ok_ || size > bytes_.size() - at_) {
      ok_ = false;
      return {};
    }
    const ByteView taken = bytes_.subspan(at_, static_cast<std::size_t>(size));
    at_ += static_cast<std::size_t>(size);
    return taken;
  }
  ByteView bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace

void put_frame_head(std::string& out, const LogEntry& entry, std::size_t data_bytes) {
  put_be(out, static_cast<std::uint32_t>(fields_bytes(entry, data_bytes) + data_bytes));
  put_integer(out, 1, entry.ts_ns);
  put_integer(out, 2, entry.partition_key_hash);
  if (!entry.key.empty()) {
    put_varint(out, tag(4, bytes));
    put_varint(out, entry.key.size());
    out.append(as_text(entry.key));
  }
  put_integer(out, 5, entry.offset);
  if (!entry.extra.empty()) {
    put_varint(out, tag(100, bytes));
    put_varint(out, entry.extra.size());
    out.append(as_text(entry.extra));
  }
  if (data_bytes == 0) return;
  put_varint(out, tag(3, bytes));
  put_varint(out, data_bytes);
}

std::size_t frame_head_bytes(const LogEntry& entry, std::size_t data_bytes) {
  return kFrameLengthBytes + fields_bytes(entry, data_bytes);
}

Result<LogEntry> parse_log_entry(ByteView from) {
  ProtoReader reader(from);
  LogEntry entry;
  while (reader.ok() && !reader.at_end()) {
    const std::uint64_t key = reader.varint();
    if (!reader.ok()) break;
    switch (key) {
      case tag(1, varint):
        entry.ts_ns = static_cast<std::int64_t>(reader.varint());
        break;
      case tag(2, varint):
        entry.partition_key_hash = static_cast<std::int32_t>(reader.varint());
        break;
      case tag(3, bytes):
        entry.data = reader.bytes();
        break;
      case tag(4, bytes):
        entry.key = reader.bytes();
        break;
      case tag(5, varint):
        entry.offset = static_cast<std::int64_t>(reader.varint());
        break;
      case tag(100, bytes):
        entry.extra = reader.bytes();
        break;
      default:
        // Field 0 does not exist, and no field is above 2^29 - 1.
        if (key < 8 || key > 0xFFFFFFFFULL)
          return fail(ErrorCode::corrupt_message, "log entry: bad field number");
        reader.skip(static_cast<std::uint32_t>(key & 7));
    }
  }
  if (!reader.ok()) return fail(ErrorCode::corrupt_message, "log entry: no protobuf message");
  return entry;
}

std::optional<Result<LogEntry>> FrameReader::next() {
  const auto broken = [this](const char* what) {
    broken_ = true;
    return Result<LogEntry>(
        fail(ErrorCode::corrupt_message, fmt::format("log file: {} at byte {}", what, position_)));
  };
  if (broken_) return broken("damaged frame");
  if (chunk_.empty()) return std::nullopt;
  BigEndianReader head(chunk_);
  const auto size = head.integer<std::uint32_t>();
  if (!head.ok() || size > kMaxFrameBytes || size > head.remaining()) return broken("cut frame");
  auto entry = parse_log_entry(chunk_.subspan(kFrameLengthBytes, size));
  if (!entry) return broken("damaged frame");
  position_ = next_;
  next_ += kFrameLengthBytes + size;
  chunk_ = chunk_.subspan(kFrameLengthBytes + size);
  return entry;
}

}  // namespace tidegate::storage::seaweedmq
