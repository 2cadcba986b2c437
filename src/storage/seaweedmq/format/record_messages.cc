#include "record_messages.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "batch_shape.h"
#include "coding.h"
#include "tidegate/protocol/compression.h"
#include "tidegate/protocol/record_section.h"

namespace tidegate::storage::seaweedmq {

namespace {

using protocol::BatchHeader;

// No text begins so, nor does JSON, Avro's or the registry's framing, or an envelope of a later version.
constexpr std::array<std::uint8_t, 8> kMagic{0xF5, 'T', 'i', 'd', 'e', 'g', 0xFA, 0x00};
constexpr std::uint8_t kVersion = 1;
enum Kind : std::uint8_t {
  kEscaped = 0,     // a value that begins as an envelope does
  kFirst = 1,       // of its batch
  kWholeBatch = 2,  // and nothing else
};
enum Flag : std::uint8_t {
  kKeyNull = 1,    // the message's key stands in for none,
  kKeyEmpty = 2,   // or for one of no bytes
  kValueNull = 4,  // rather than empty
  kHeaders = 8,    // follow the timestamp
};
constexpr std::size_t kEnvelopeBytes = kMagic.size() + 2;

void put_envelope(std::string& out, Kind kind) {
  out.append(as_text(kMagic));
  out.push_back(static_cast<char>(kVersion));
  out.push_back(static_cast<char>(kind));
}

bool begins_as_envelope(ByteView value) {
  return value.size() >= kMagic.size() && std::ranges::equal(value.first(kMagic.size()), kMagic);
}

// Of a value that begins as one; of a version that is not known it is nothing.
std::optional<Kind> kind_of(ByteView value) {
  if (value.size() < kEnvelopeBytes || value[kMagic.size()] != kVersion) return std::nullopt;
  const std::uint8_t kind = value[kMagic.size() + 1];
  if (kind > kWholeBatch) return std::nullopt;
  return static_cast<Kind>(kind);
}

// `batch` is what the envelope has of the batch in front of the CRC.
std::uint32_t crc_of(ByteView batch, ByteView records) {
  return protocol::crc32c(records, protocol::crc32c(batch));
}

// What a record has beside key and value.
void put_facts(std::string& out, const protocol::RecordView& record) {
  std::uint8_t flags = 0;
  if (!record.key) flags |= kKeyNull;
  if (record.key && record.key->empty()) flags |= kKeyEmpty;
  if (!record.value) flags |= kValueNull;
  if (!record.headers.empty()) flags |= kHeaders;
  out.push_back(static_cast<char>(flags));
  protocol::put_varlong(out, record.timestamp_delta);
  if (record.headers.empty()) return;
  std::string headers;
  protocol::put_record_headers(headers, record.headers);
  protocol::put_varlong(out, static_cast<std::int64_t>(headers.size()));
  out.append(headers);
}

struct RecordFacts {
  std::uint8_t flags = 0;
  std::int64_t timestamp_delta = 0;
  ByteView headers;
};

// Off the front of `from`; nullopt when it makes no sense.
std::optional<RecordFacts> take_facts(ByteView& from) {
  static constexpr std::uint8_t kNoHeaders[] = {0};
  if (from.empty()) return std::nullopt;
  RecordFacts facts{.flags = from.front(), .headers = kNoHeaders};
  from = from.subspan(1);
  const auto delta = protocol::take_varlong(from);
  if (!delta || facts.flags >= 2 * kHeaders) return std::nullopt;
  facts.timestamp_delta = *delta;
  if ((facts.flags & kHeaders) == 0) return facts;
  const auto size = protocol::take_varlong(from);
  if (!size || *size < 0 || static_cast<std::uint64_t>(*size) > from.size()) return std::nullopt;
  facts.headers = from.first(static_cast<std::size_t>(*size));
  from = from.subspan(facts.headers.size());
  if (!protocol::are_record_headers(facts.headers)) return std::nullopt;
  return facts;
}

// Headers with their count, as they end a record.
std::string headers_of(const protocol::RecordView& record) {
  std::string headers;
  protocol::put_record_headers(headers, record.headers);
  return headers;
}

// The messages of a batch whose records can be told from each other; the first is without its envelope yet.
struct Apart {
  std::vector<RecordMessage> messages;
  std::string facts;
  std::string records;  // as a reader will put them together
};

std::optional<Apart> take_apart(const BatchHeader& header, const SharedBuffer& section, std::size_t limit) {
  // Offsets follow from the first one.
  if (!is_possible(header) || header.last_offset_delta != header.records_count - 1) return std::nullopt;
  SharedBuffer plain = section;
  if (header.compression() != protocol::Compression::none) {
    auto inflated = protocol::decompress(header.compression(), section, limit);
    if (!inflated) return std::nullopt;
    plain = std::move(*inflated);
  }
  if (plain.size() / kMinRecordBytes < static_cast<std::size_t>(header.records_count)) return std::nullopt;
  Apart apart;
  std::size_t bytes = 0;
  const auto each = [&](const protocol::RecordView& record) {
    const auto index = static_cast<std::int32_t>(apart.messages.size());
    if (record.offset_delta != index) return false;
    RecordMessage message;
    if (record.key && !record.key->empty()) {
      message.key = as_text(*record.key);
    } else {
      // SQL passes over messages without a key; and each its own, because subscribers of SeaweedMQ wait for
      // an acknowledgement between two of one key.
      message.key = std::to_string(header.base_offset + index);
    }
    if (record.value) {
      if (index > 0 && begins_as_envelope(*record.value)) put_envelope(message.value, kEscaped);
      message.value.append(as_text(*record.value));
    }
    put_facts(apart.facts, record);
    const std::string headers = headers_of(record);
    protocol::put_record(apart.records, {.timestamp_delta = record.timestamp_delta,
                                         .offset_delta = index,
                                         .key = record.key,
                                         .value = record.value,
                                         .headers = as_bytes(headers)});
    bytes += message.key.size() + message.value.size();
    apart.messages.push_back(std::move(message));
    return bytes + apart.facts.size() <= limit;
  };
  const auto walked = protocol::walk_records(header, plain, {.max_inflated_bytes = limit}, each);
  const bool all = walked && apart.messages.size() == static_cast<std::size_t>(header.records_count) &&
                   bytes + apart.facts.size() <= limit;
  if (!all) return std::nullopt;
  return apart;
}

}  // namespace

// ------------------------------------------------------------------------------------------ writing

RecordMessages record_messages(const BatchHeader& header, const SharedBuffer& front, const SharedBuffer& rest,
                               std::uint32_t session, std::size_t max_inflated_bytes) {
  RecordMessages made;
  const SharedBuffer section =
      rest.empty() ? front.slice(protocol::kBatchHeaderBytes, front.size() - protocol::kBatchHeaderBytes)
                   : rest;
  const bool has_records = !header.is_control() && header.records_count > 0;
  std::string envelope;
  if (has_records) {
    if (auto apart = take_apart(header, section, max_inflated_bytes)) {
      put_envelope(envelope, kFirst);
      put_be(envelope, session);
      put_shape(envelope, header);
      put_be(envelope, header.crc);
      put_be(envelope, crc_of(as_bytes(envelope).subspan(kEnvelopeBytes), as_bytes(apart->records)));
      put_text(envelope, apart->facts);
      made.messages = std::move(apart->messages);
      made.messages.front().value.insert(0, envelope);
      return made;
    }
    made.opaque = true;
  }
  put_envelope(envelope, kWholeBatch);
  put_be(envelope, session);
  envelope.append(as_text(front.bytes())).append(as_text(rest.bytes()));
  // Without a key, so that SQL passes over it.
  made.messages.push_back({.key = {}, .value = std::move(envelope)});
  return made;
}

// ------------------------------------------------------------------------------------------ reading

namespace {

std::optional<BatchMessage> whole_batch(const LogEntry& entry, const SharedBuffer& chunk) {
  BigEndianReader reader(entry.data.subspan(kEnvelopeBytes));
  const auto session = reader.integer<std::uint32_t>();
  const ByteView bytes = reader.take(reader.remaining());
  const auto header = protocol::parse_batch_header(bytes);
  const bool fits = header && header->size_bytes() == bytes.size() && header->base_offset >= 0 &&
                    header->last_offset_delta >= 0 &&
                    header->base_offset < std::numeric_limits<Offset>::max() - header->last_offset_delta;
  if (!fits || !protocol::batch_crc_is_valid(bytes, *header)) return std::nullopt;
  const auto at = static_cast<std::size_t>(bytes.data() - chunk.data());
  return BatchMessage{.batch = {.header = *header, .bytes = chunk.slice(at, bytes.size())},
                      .mark = {.rank = {.epoch = header->partition_leader_epoch, .session = session},
                               .message = entry.offset,
                               .ts_ns = entry.ts_ns,
                               .crc = header->crc}};
}

}  // namespace

RecordMessageReader::Taken RecordMessageReader::take(const LogEntry& entry, const SharedBuffer& chunk) {
  const bool in_envelope = begins_as_envelope(entry.data);
  const auto kind = in_envelope ? kind_of(entry.data) : std::nullopt;
  if (!in_envelope || kind == kEscaped) {
    if (entries_.empty()) return {};  // somebody else's, or of a batch whose first record is not here
    LogEntry plain = entry;
    if (kind == kEscaped) plain.data = entry.data.subspan(kEnvelopeBytes);
    entries_.push_back(plain);
    if (entries_.size() < static_cast<std::size_t>(shape_.records_count)) return {};
    return {.batch = complete()};
  }
  entries_.clear();
  if (!kind) return {.begins = true};
  if (kind == kWholeBatch) return {.batch = whole_batch(entry, chunk), .begins = true};
  const ByteView batch = entry.data.subspan(kEnvelopeBytes);
  BigEndianReader reader(batch);
  session_ = reader.integer<std::uint32_t>();
  shape_ = take_shape(reader);
  crc_ = reader.integer<std::uint32_t>();
  batch_ = batch.first(batch.size() - reader.remaining());
  records_crc_ = reader.integer<std::uint32_t>();
  facts_ = as_bytes(reader.text());
  if (!reader.ok() || !is_possible(shape_)) return {.begins = true};
  LogEntry first = entry;
  first.data = reader.take(reader.remaining());
  entries_.push_back(first);
  if (shape_.records_count > 1) return {.begins = true};
  return {.batch = complete(), .begins = true};
}

std::optional<BatchMessage> RecordMessageReader::complete() {
  const std::vector<LogEntry> entries = std::exchange(entries_, {});
  std::string records;
  ByteView facts = facts_;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const LogEntry& entry = entries[i];
    const auto own = take_facts(facts);
    if (!own) return std::nullopt;
    protocol::PlainRecord record{.timestamp_delta = own->timestamp_delta,
                                 .offset_delta = static_cast<std::int32_t>(i),
                                 .headers = own->headers};
    if ((own->flags & kKeyNull) == 0) record.key = (own->flags & kKeyEmpty) != 0 ? ByteView() : entry.key;
    if ((own->flags & kValueNull) == 0) record.value = entry.data;
    protocol::put_record(records, record);
  }
  if (!facts.empty() || crc_of(batch_, as_bytes(records)) != records_crc_) return std::nullopt;
  auto batch = protocol::pack_batch(shape_, as_bytes(records));
  if (!batch) return std::nullopt;
  return BatchMessage{.batch = std::move(*batch),
                      .mark = {.rank = {.epoch = shape_.partition_leader_epoch, .session = session_},
                               .message = entries.back().offset,
                               .ts_ns = entries.front().ts_ns,
                               .crc = crc_}};
}

}  // namespace tidegate::storage::seaweedmq
