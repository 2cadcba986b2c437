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
  kGoesOn = 3,      // no record
};
enum Flag : std::uint8_t {
  kKeyNull = 1,    // the message's key stands in for none,
  kKeyEmpty = 2,   // or for one of no bytes
  kValueNull = 4,  // rather than empty
  kHeaders = 8,    // follow the timestamp
  kStored = 16,    // the message's value stands for the record's
};
constexpr std::uint8_t kAllFlags = 31;
// In front of an envelope, where what follows it is a RecordValue: readers of those take it for a field that
// they do not know.
constexpr std::array<std::uint8_t, 2> kFieldTag{0xA2, 0x06};  // 100, with a length

constexpr std::size_t kEnvelopeBytes = kMagic.size() + 2;

void put_envelope(std::string& out, Kind kind) {
  out.append(as_text(kMagic));
  out.push_back(static_cast<char>(kVersion));
  out.push_back(static_cast<char>(kind));
}

// Without what makes a field of the envelope.
ByteView without_field(ByteView value) {
  ByteView rest = value;
  if (rest.size() < kFieldTag.size() || !std::ranges::equal(rest.first(kFieldTag.size()), kFieldTag))
    return value;
  rest = rest.subspan(kFieldTag.size());
  std::size_t length_bytes = 0;
  while (length_bytes < rest.size() && length_bytes < 5 && rest[length_bytes] >= 0x80) ++length_bytes;
  if (length_bytes >= rest.size()) return value;
  rest = rest.subspan(length_bytes + 1);
  const bool is_envelope =
      rest.size() >= kMagic.size() && std::ranges::equal(rest.first(kMagic.size()), kMagic);
  return is_envelope ? rest : value;
}

bool begins_as_envelope(ByteView value) {
  value = without_field(value);
  return value.size() >= kMagic.size() && std::ranges::equal(value.first(kMagic.size()), kMagic);
}

// Of a value that begins as one; of a version that is not known it is nothing.
std::optional<Kind> kind_of(ByteView value) {
  if (value.size() < kEnvelopeBytes || value[kMagic.size()] != kVersion) return std::nullopt;
  const std::uint8_t kind = value[kMagic.size() + 1];
  if (kind > kGoesOn) return std::nullopt;
  return static_cast<Kind>(kind);
}

// Of a message as it is published; `front` is what the first one's envelope has in front of the CRC.
std::uint32_t crc_of(ByteView key, ByteView value, ByteView front = {}) {
  const std::string key_bytes = be_bytes(static_cast<std::uint32_t>(key.size()));
  std::uint32_t crc = protocol::crc32c(front);
  crc = protocol::crc32c(as_bytes(key_bytes), crc);
  crc = protocol::crc32c(key, crc);
  return protocol::crc32c(value, crc);
}

// What a record has beside key and value.
void put_facts(std::string& out, const protocol::RecordView& record, bool is_stored) {
  std::uint8_t flags = is_stored ? kStored : 0;
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

// Offsets follow from the first one.
bool can_be_apart(const BatchHeader& header) {
  return is_possible(header) && header.last_offset_delta == header.records_count - 1;
}

// The messages of a batch whose records can be told from each other; the first is without its envelope yet.
struct Apart {
  std::vector<RecordMessage> messages;
  std::string facts;
  bool first_is_stored = false;
};

std::optional<Apart> take_apart(const BatchHeader& header, const SharedBuffer& section,
                                const RecordMessageLimits& limits, const protocol::StoredValues* stored) {
  if (stored != nullptr && stored->values.size() != static_cast<std::size_t>(header.records_count))
    return std::nullopt;
  if (!can_be_apart(header) || static_cast<std::size_t>(header.records_count) > limits.max_messages)
    return std::nullopt;
  const std::size_t limit = limits.max_bytes;
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
    const std::optional<std::string>* const other =
        stored != nullptr ? &stored->values[static_cast<std::size_t>(index)] : nullptr;
    const bool is_stored = other != nullptr && *other && record.value;
    if (is_stored) {
      message.value = **other;
    } else if (record.value) {
      if (index > 0 && begins_as_envelope(*record.value)) put_envelope(message.value, kEscaped);
      message.value.append(as_text(*record.value));
    }
    put_facts(apart.facts, record, is_stored);
    if (index == 0) apart.first_is_stored = is_stored;
    if (index > 0) put_be(apart.facts, crc_of(as_bytes(message.key), as_bytes(message.value)));
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
                               std::uint32_t session, RecordMessageLimits limits,
                               const protocol::StoredValues* stored) {
  RecordMessages made;
  const SharedBuffer section =
      rest.empty() ? front.slice(protocol::kBatchHeaderBytes, front.size() - protocol::kBatchHeaderBytes)
                   : rest;
  const bool has_records = !header.is_control() && header.records_count > 0;
  std::string envelope;
  if (has_records) {
    if (auto apart = take_apart(header, section, limits, stored)) {
      put_envelope(envelope, kFirst);
      put_be(envelope, session);
      put_shape(envelope, header);
      put_be(envelope, header.crc);
      put_text(envelope, apart->facts);
      made.messages = std::move(apart->messages);
      RecordMessage& first = made.messages.front();
      put_be(envelope,
             crc_of(as_bytes(first.key), as_bytes(first.value), as_bytes(envelope).subspan(kEnvelopeBytes)));
      if (apart->first_is_stored) {
        std::string field(as_text(kFieldTag));
        std::size_t length = envelope.size();
        for (; length > 0x7f; length >>= 7) field.push_back(static_cast<char>(length | 0x80));
        field.push_back(static_cast<char>(length));
        envelope.insert(0, field);
      }
      first.value.insert(0, envelope);
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

std::uint32_t message_crc(ByteView key, ByteView value) { return crc_of(key, value); }

RecordMessage goes_on_message(const MessageRank& rank, const GoesOn& place) {
  std::string value;
  put_envelope(value, kGoesOn);
  put_be(value, rank.session);
  put_be(value, rank.epoch);
  put_be(value, place.own_end);
  put_be(value, place.base);
  put_be(value, protocol::crc32c(as_bytes(value).subspan(kEnvelopeBytes)));
  return {.key = {}, .value = std::move(value)};
}

// ------------------------------------------------------------------------------------------ reading

namespace {

std::optional<BatchMessage> goes_on(const LogEntry& entry) {
  BigEndianReader reader(entry.data.subspan(kEnvelopeBytes));
  MessageMark mark{.message = entry.offset, .ts_ns = entry.ts_ns};
  mark.rank.session = reader.integer<std::uint32_t>();
  mark.rank.epoch = reader.integer<LeaderEpoch>();
  const auto own_end = reader.integer<Offset>();
  BatchHeader header;
  header.partition_leader_epoch = mark.rank.epoch;
  header.base_offset = reader.integer<Offset>();
  header.last_offset_delta = -1;
  header.records_count = 0;
  const std::size_t covered = entry.data.size() - kEnvelopeBytes - reader.remaining();
  const auto crc = reader.integer<std::uint32_t>();
  const bool fits = reader.ok() && reader.remaining() == 0 && own_end >= 0 && header.base_offset >= own_end &&
                    crc == protocol::crc32c(entry.data.subspan(kEnvelopeBytes, covered));
  if (!fits) return std::nullopt;
  mark.own_end = own_end;
  return BatchMessage{.batch = {.header = header, .bytes = {}}, .mark = mark};
}

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

// Off the front of `from`; nullopt when it makes no sense.
std::optional<RecordMessageReader::RecordFacts> RecordMessageReader::take_facts(ByteView& from, bool first) {
  static constexpr std::uint8_t kNoHeaders[] = {0};
  if (from.empty()) return std::nullopt;
  RecordFacts facts{.flags = from.front(), .headers = kNoHeaders};
  from = from.subspan(1);
  const auto delta = protocol::take_varlong(from);
  if (!delta || facts.flags > kAllFlags) return std::nullopt;
  facts.timestamp_delta = *delta;
  if ((facts.flags & kHeaders) != 0) {
    const auto size = protocol::take_varlong(from);
    if (!size || *size < 0 || static_cast<std::uint64_t>(*size) > from.size()) return std::nullopt;
    facts.headers = from.first(static_cast<std::size_t>(*size));
    from = from.subspan(facts.headers.size());
    if (!protocol::are_record_headers(facts.headers)) return std::nullopt;
  }
  if (first) return facts;
  BigEndianReader reader(from);
  facts.crc = reader.integer<std::uint32_t>();
  if (!reader.ok()) return std::nullopt;
  from = from.subspan(sizeof(facts.crc));
  return facts;
}

std::optional<RecordMessageReader::Begun> RecordMessageReader::parse_first(LogEntry& first) {
  const ByteView envelope = first.data.subspan(kEnvelopeBytes);
  BigEndianReader reader(envelope);
  Begun begun;
  begun.mark.rank.session = reader.integer<std::uint32_t>();
  begun.shape = take_shape(reader);
  begun.mark.rank.epoch = begun.shape.partition_leader_epoch;
  begun.mark.crc = reader.integer<std::uint32_t>();
  begun.mark.ts_ns = first.ts_ns;
  begun.facts = as_bytes(reader.text());
  const ByteView front = envelope.first(envelope.size() - reader.remaining());
  const auto crc = reader.integer<std::uint32_t>();
  if (!reader.ok() || !can_be_apart(begun.shape)) return std::nullopt;
  first.data = reader.take(reader.remaining());
  if (crc != crc_of(first.key, first.data, front)) return std::nullopt;
  ByteView all = begun.facts;
  for (std::int32_t i = 0; i < begun.shape.records_count; ++i) {
    if (!take_facts(all, i == 0)) return std::nullopt;
  }
  if (!all.empty()) return std::nullopt;
  begun.next = *take_facts(begun.facts, true);
  return begun;
}

bool RecordMessageReader::may_begin(const MessageRank& rank) const {
  return !begun_ || rank >= begun_->mark.rank;
}

void RecordMessageReader::put_strays(std::vector<std::uint32_t>& to, const Begun& from) {
  ByteView facts = from.facts;
  RecordFacts next = from.next;
  for (std::int32_t i = from.count; i < from.shape.records_count; ++i) {
    if (i > 0) to.push_back(next.crc);
    if (i + 1 < from.shape.records_count) next = take_facts(facts, false).value_or(RecordFacts());
  }
}

RecordMessageReader::Taken RecordMessageReader::take(const LogEntry& message, const SharedBuffer& chunk) {
  LogEntry entry = message;
  const ByteView sent = message.data;
  entry.data = without_field(sent);
  const bool in_envelope = begins_as_envelope(entry.data);
  const auto kind = in_envelope ? kind_of(entry.data) : std::nullopt;
  if (in_envelope && !kind) return {};
  Taken taken;
  const auto begin = [&](const MessageRank& rank) {
    taken.ours = true;
    taken.begins = may_begin(rank);
    if (!taken.begins || !begun_) return;
    if (purpose_ == Purpose::sift) put_strays(taken.strays, *begun_);
    begun_.reset();
  };
  if (kind == kWholeBatch || kind == kGoesOn) {
    auto whole = kind == kGoesOn ? goes_on(entry) : whole_batch(entry, chunk);
    if (!whole) return {};
    begin(whole->mark.rank);
    if (taken.begins && purpose_ == Purpose::batches) taken.batch = std::move(whole);
    return taken;
  }
  LogEntry record = entry;
  if (kind == kFirst) {
    auto first = parse_first(record);
    if (!first) return {};
    begin(first->mark.rank);
    if (!taken.begins && purpose_ == Purpose::sift) put_strays(taken.strays, *first);
    if (!taken.begins) return taken;
    begun_ = std::move(first);
    Taken completed = add(record);
    completed.begins = completed.ours = true;
    completed.strays = std::move(taken.strays);
    return completed;
    return taken;
  }
  // Somebody else's, or of a batch whose first record is not here.
  if (!begun_ || crc_of(entry.key, sent) != begun_->next.crc) return {};
  if (kind == kEscaped) record.data = entry.data.subspan(kEnvelopeBytes);
  taken = add(record);
  taken.ours = true;
  return taken;
}

RecordMessageReader::Taken RecordMessageReader::add(const LogEntry& plain) {
  const RecordFacts& own = begun_->next;
  std::string value;
  if (purpose_ == Purpose::batches) {
    protocol::PlainRecord record{
        .timestamp_delta = own.timestamp_delta, .offset_delta = begun_->count, .headers = own.headers};
    if ((own.flags & kKeyNull) == 0) record.key = (own.flags & kKeyEmpty) != 0 ? ByteView() : plain.key;
    if ((own.flags & kValueNull) == 0) record.value = plain.data;
    if ((own.flags & kStored) != 0) {
      auto made = value_of_ ? value_of_(plain.data)
                            : Result<std::string>(fail(ErrorCode::corrupt_message, "nobody knows its value"));
      // Its records are counted all the same: the batch ends where it ends.
      if (!made && !begun_->damage) begun_->damage = std::move(made.error());
      if (made) value = std::move(*made);
      record.value = as_bytes(value);
    }
    protocol::put_record(begun_->records, record);
  }
  if (++begun_->count < begun_->shape.records_count) {
    begun_->next = take_facts(begun_->facts, false).value_or(RecordFacts());
    return {};
  }
  const Begun done = std::move(*std::exchange(begun_, std::nullopt));
  if (done.damage) return {.batch = {}, .damage = done.damage};
  if (purpose_ == Purpose::sift) return {};
  auto batch = protocol::pack_batch(done.shape, as_bytes(done.records));
  if (!batch) return {};
  BatchMessage found{.batch = std::move(*batch), .mark = done.mark};
  found.mark.message = plain.offset;
  return {.batch = std::move(found)};
}

}  // namespace tidegate::storage::seaweedmq
