#include "record_layout.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "batch_shape.h"
#include "coding.h"
#include "others_batch.h"
#include "tidegate/protocol/compression.h"
#include "tidegate/protocol/record_section.h"

namespace tidegate::storage::seaweedmq {

namespace {

using protocol::BatchHeader;

constexpr std::uint8_t kVersion = 1;
enum Flag : std::uint8_t {
  kFirst = 1,        // of its batch: the batch's shape follows
  kKeyNull = 2,      // the entry's key stands in for none,
  kKeyEmpty = 4,     // or for one of no bytes
  kValueNull = 8,    // rather than empty
  kHeaders = 16,     // follow the timestamp
  kWholeBatch = 32,  // follows, and nothing else
  kStored = 64,      // the data stands for the value
};
constexpr std::uint8_t kAllFlags = 127;
constexpr std::size_t kCrcBytes = 4;
constexpr std::size_t kWindow = 1024;

std::unexpected<Error> damaged(Offset offset, const char* what) {
  return fail(ErrorCode::corrupt_message, fmt::format("log entry at offset {}: {}", offset, what));
}

// Covers what a reader gives back, since batches get a CRC of their own only when they are put together.
std::uint32_t crc_of(Offset offset, ByteView extra, ByteView key, ByteView data) {
  std::string place;
  put_be(place, offset);
  put_be(place, static_cast<std::uint32_t>(key.size()));
  std::uint32_t crc = protocol::crc32c(as_bytes(place));
  crc = protocol::crc32c(extra, crc);
  crc = protocol::crc32c(key, crc);
  return protocol::crc32c(data, crc);
}

void put_entry(std::string& out, const LogEntry& entry) {
  put_frame_head(out, entry, entry.data.size());
  out.append(as_text(entry.data));
}

// Field 100 of an entry of ours, taken apart.
struct Extra {
  std::uint8_t flags = 0;
  std::optional<BatchHeader> shape;
  std::int64_t timestamp_delta = 0;
  ByteView headers;
  ByteView whole_batch;
};

Result<Extra> parse_extra(const LogEntry& entry) {
  BigEndianReader reader(entry.extra);
  const auto version = reader.integer<std::uint8_t>();
  Extra extra{.flags = reader.integer<std::uint8_t>()};
  if (!reader.ok() || version != kVersion || extra.flags > kAllFlags)
    return damaged(entry.offset, "of a later version, or of somebody else");
  if (extra.flags == kWholeBatch) {
    extra.whole_batch = reader.take(reader.remaining());
    return extra;
  }
  if (entry.extra.size() < 2 + kCrcBytes) return damaged(entry.offset, "cut field 100");
  const ByteView covered = entry.extra.first(entry.extra.size() - kCrcBytes);
  const auto crc = BigEndianReader(entry.extra.last(kCrcBytes)).integer<std::uint32_t>();
  if (crc != crc_of(entry.offset, covered, entry.key, entry.data))
    return damaged(entry.offset, "fails its CRC");
  if ((extra.flags & kFirst) != 0) extra.shape = take_shape(reader);
  if (!reader.ok() || reader.remaining() < kCrcBytes) return damaged(entry.offset, "cut field 100");
  ByteView rest = reader.take(reader.remaining() - kCrcBytes);
  const auto delta = protocol::take_varlong(rest);
  if (!delta) return damaged(entry.offset, "no timestamp");
  extra.timestamp_delta = *delta;
  static constexpr std::uint8_t kNoHeaders[] = {0};
  extra.headers = (extra.flags & kHeaders) != 0 ? rest : ByteView(kNoHeaders);
  const bool headers_fit = (extra.flags & kHeaders) != 0 ? protocol::are_record_headers(rest) : rest.empty();
  const bool value_fits =
      (extra.flags & kValueNull) == 0 || (entry.data.empty() && (extra.flags & kStored) == 0);
  if (!headers_fit || !value_fits || (extra.flags & kWholeBatch) != 0)
    return damaged(entry.offset, "contradicts itself");
  return extra;
}

}  // namespace

// ------------------------------------------------------------------------------------------ writing

std::int64_t RecordChunkBuilder::add(const BatchHeader& header, const SharedBuffer& front,
                                     const SharedBuffer& rest, std::int64_t ts_ns,
                                     const protocol::StoredValues* stored) {
  const std::size_t before = bytes_.size();
  const SharedBuffer section =
      rest.empty() ? front.slice(protocol::kBatchHeaderBytes, front.size() - protocol::kBatchHeaderBytes)
                   : rest;
  if (!header.is_control() && header.records_count > 0) {
    if (add_records(header, section, ts_ns, stored)) return header.records_count;
    bytes_.resize(before);
    ++opaque_;
  }
  std::string extra{static_cast<char>(kVersion), static_cast<char>(kWholeBatch)};
  extra.append(as_text(front.bytes())).append(as_text(rest.bytes()));
  put_entry(bytes_, {.ts_ns = ts_ns, .offset = header.base_offset, .extra = as_bytes(extra)});
  return 1;
}

bool RecordChunkBuilder::add_records(const BatchHeader& header, const SharedBuffer& section,
                                     std::int64_t ts_ns, const protocol::StoredValues* stored) {
  if (!is_possible(header)) return false;
  if (stored != nullptr && stored->values.size() != static_cast<std::size_t>(header.records_count))
    return false;
  SharedBuffer plain = section;
  if (header.compression() != protocol::Compression::none) {
    auto inflated = protocol::decompress(header.compression(), section, max_inflated_bytes_);
    if (!inflated) return false;
    plain = std::move(*inflated);
  }
  if (plain.size() / kMinRecordBytes < static_cast<std::size_t>(header.records_count)) return false;
  std::string extra;
  std::string stand_in;
  const std::size_t before = bytes_.size();
  bool first = true;
  std::size_t index = 0;
  const auto each = [&](const protocol::RecordView& record) {
    const Offset offset = header.base_offset + record.offset_delta;
    std::uint8_t flags = first ? kFirst : 0;
    if (!record.key) flags |= kKeyNull;
    if (record.key && record.key->empty()) flags |= kKeyEmpty;
    if (!record.value) flags |= kValueNull;
    if (!record.headers.empty()) flags |= kHeaders;
    const std::optional<std::string>* const other = stored != nullptr ? &stored->values[index++] : nullptr;
    const bool stands_in = other != nullptr && *other && record.value;
    if (stands_in) flags |= kStored;
    extra.assign({static_cast<char>(kVersion), static_cast<char>(flags)});
    if (first) put_shape(extra, header);
    protocol::put_varlong(extra, record.timestamp_delta);
    if (!record.headers.empty()) protocol::put_record_headers(extra, record.headers);
    LogEntry entry{.ts_ns = ts_ns++,
                   .offset = offset,
                   .data = stands_in ? as_bytes(**other) : record.value.value_or(ByteView())};
    if ((flags & (kKeyNull | kKeyEmpty)) != 0) {
      // Each its own: subscribers of SeaweedMQ wait for an acknowledgement between two of one key.
      stand_in = std::to_string(offset);
      entry.key = as_bytes(stand_in);
    } else {
      entry.key = *record.key;
    }
    put_be(extra, crc_of(offset, as_bytes(extra), entry.key, entry.data));
    entry.extra = as_bytes(extra);
    put_entry(bytes_, entry);
    first = false;
    return bytes_.size() - before <= max_inflated_bytes_;
  };
  const auto walked =
      protocol::walk_records(header, plain, {.max_inflated_bytes = max_inflated_bytes_}, each);
  return walked && bytes_.size() - before <= max_inflated_bytes_;
}

std::vector<SharedBuffer> RecordChunkBuilder::take() {
  std::vector<SharedBuffer> pieces;
  if (!bytes_.empty()) pieces.push_back(SharedBuffer::copy_of(as_bytes(bytes_)));
  bytes_.clear();
  bytes_.shrink_to_fit();
  opaque_ = 0;
  return pieces;
}

// ------------------------------------------------------------------------------------------ reading

std::optional<Result<void>> RecordChunkReader::look() {
  if (ahead_) return Result<void>{};
  if (ahead_damage_) return fail(*ahead_damage_);
  auto entry = frames_.next();
  if (!entry) return std::nullopt;
  if (*entry && (*entry)->extra.empty() && !options_.others)
    *entry = damaged((*entry)->offset, "has no field 100");
  if (!*entry) {
    ahead_damage_ = std::move(entry->error());
    return fail(*ahead_damage_);
  }
  ahead_ = **entry;
  return Result<void>{};
}

std::optional<RecordChunkReader::Batch> RecordChunkReader::next() {
  if (damage_) return fail(*damage_);
  auto batch = read_next();
  if (batch && *batch && (*batch)->header.base_offset < next_offset_)
    *batch = damaged((*batch)->header.base_offset, "its batch is out of order");
  if (batch && !*batch) damage_ = batch->error();
  if (batch && *batch) next_offset_ = (*batch)->header.next_offset();
  return batch;
}

std::optional<RecordChunkReader::Batch> RecordChunkReader::read_next() {
  const auto looked = look();
  const bool others = looked && *looked && ahead_->extra.empty();
  if (others || !window_.empty()) {
    if (auto batch = batch_of_others()) return batch;
  }
  // What was read in front of a damage has been given back by now.
  const auto behind = look();
  if (!behind) return std::nullopt;
  if (!*behind) return fail(behind->error());
  return batch_of_ours();
}

RecordChunkReader::Batch RecordChunkReader::batch_of_ours() {
  const LogEntry head = *std::exchange(ahead_, std::nullopt);
  auto extra = parse_extra(head);
  if (!extra) return fail(std::move(extra.error()));
  if (!extra->whole_batch.empty()) {
    auto header = protocol::parse_batch_header(extra->whole_batch);
    const bool fits = header && header->size_bytes() == extra->whole_batch.size() &&
                      header->base_offset == head.offset && header->base_offset >= 0 &&
                      header->last_offset_delta >= 0 &&
                      header->base_offset < std::numeric_limits<Offset>::max() - header->last_offset_delta;
    if (!fits || !protocol::batch_crc_is_valid(extra->whole_batch, *header))
      return damaged(head.offset, "no batch");
    const auto at = static_cast<std::size_t>(extra->whole_batch.data() - chunk_.data());
    return protocol::RecordBatch{.header = *header, .bytes = chunk_.slice(at, extra->whole_batch.size())};
  }
  if (!extra->shape || !is_possible(*extra->shape)) return damaged(head.offset, "no first entry of a batch");
  const BatchHeader shape = *extra->shape;
  std::string records;
  LogEntry entry = head;
  Offset above = shape.base_offset;
  for (std::int32_t i = 0; i < shape.records_count; ++i) {
    if (i > 0) {
      const auto looked = look();
      if (looked && !*looked) return fail(looked->error());
      if (!looked || ahead_->extra.empty()) return damaged(entry.offset, "its batch is cut");
      entry = *std::exchange(ahead_, std::nullopt);
      extra = parse_extra(entry);
      if (!extra) return fail(std::move(extra.error()));
      if (extra->shape || !extra->whole_batch.empty())
        return damaged(entry.offset, "in the middle of a batch");
    }
    if (entry.offset < above || entry.offset > shape.last_offset())
      return damaged(entry.offset, "not in its batch");
    above = entry.offset + 1;
    if (options_.headers_only) continue;
    protocol::PlainRecord record{.timestamp_delta = extra->timestamp_delta,
                                 .offset_delta = static_cast<std::int32_t>(entry.offset - shape.base_offset),
                                 .headers = extra->headers};
    if ((extra->flags & kKeyNull) == 0) record.key = (extra->flags & kKeyEmpty) != 0 ? ByteView() : entry.key;
    if ((extra->flags & kValueNull) == 0) record.value = entry.data;
    std::string value;
    if ((extra->flags & kStored) != 0) {
      auto made = options_.value_of ? options_.value_of(entry.data)
                                    : Result<std::string>(damaged(entry.offset, "nobody knows its value"));
      if (!made) return damaged(entry.offset, made.error().message.c_str());
      value = std::move(*made);
      record.value = as_bytes(value);
    }
    protocol::put_record(records, record);
  }
  if (options_.headers_only) return protocol::RecordBatch{.header = shape};
  return protocol::pack_batch(shape, as_bytes(records));
}

void RecordChunkReader::put_into_window(const LogEntry& entry) {
  const bool fresh = entry.offset >= next_offset_ && window_.try_emplace(entry.offset, entry).second;
  if (!fresh) ++passed_over_;
}

Result<std::optional<LogEntry>> RecordChunkReader::next_of_others() {
  while (window_.size() < kWindow) {
    const auto looked = look();
    // Damage is told once everything in front of it has been given.
    if (!looked || !*looked || !ahead_->extra.empty()) break;
    const LogEntry entry = *std::exchange(ahead_, std::nullopt);
    if (entry.offset < 0 || entry.offset == std::numeric_limits<Offset>::max())
      return damaged(entry.offset, "not an offset");
    put_into_window(entry);
  }
  if (window_.empty()) return std::nullopt;
  return window_.extract(window_.begin()).mapped();
}

std::optional<RecordChunkReader::Batch> RecordChunkReader::batch_of_others() {
  OthersBatch batch(options_.leader_epoch);
  while (batch.size_bytes() < options_.max_batch_bytes) {
    auto entry = next_of_others();
    if (!entry) return Batch(fail(std::move(entry.error())));
    if (!*entry) break;
    const LogEntry& one = **entry;
    if (!batch.add(one, one.offset)) {
      window_.emplace(one.offset, one);
      break;
    }
    next_offset_ = one.offset + 1;
    ++of_others_;
  }
  if (batch.empty()) return std::nullopt;
  next_offset_ = batch.base_offset();
  return batch.pack();
}

}  // namespace tidegate::storage::seaweedmq
