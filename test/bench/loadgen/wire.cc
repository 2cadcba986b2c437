// Requests and answers of wire.h.
#include "wire.h"

#include <array>
#include <chrono>
#include <random>

namespace loadgen {
namespace {

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
    table[i] = crc;
  }
  return table;
}

uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = crc_table();
  uint32_t crc = ~0U;
  for (const char c : bytes) crc = kTable[(crc ^ static_cast<uint8_t>(c)) & 0xff] ^ crc >> 8;
  return ~crc;
}

int64_t wall_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

constexpr int16_t kRequestTimedOut = 7;

void check_code(int16_t code, std::string_view what) {
  if (code != 0) throw Error(std::string(what) + ": error code " + std::to_string(code));
}

void expect_count(int32_t got, int32_t want, std::string_view what) {
  if (got != want) throw Error(std::string(what) + ": " + std::to_string(got) + " entries");
}

}  // namespace

void Writer::varint(int64_t v) {
  auto u = static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63);
  for (; u >= 0x80; u >>= 7) bytes_.push_back(static_cast<char>(u | 0x80));
  bytes_.push_back(static_cast<char>(u));
}

std::string_view Reader::take(size_t size) {
  if (size > bytes_.size()) throw Error("the answer is too short");
  const auto part = bytes_.substr(0, size);
  bytes_.remove_prefix(size);
  return part;
}

std::string_view Reader::string() {
  const int16_t size = i16();
  return size < 0 ? std::string_view() : take(static_cast<size_t>(size));
}

std::string frame(Api api, int16_t version, std::string_view body) {
  constexpr std::string_view kClient = "loadgen";
  Writer w;
  w.i32(static_cast<int32_t>(2 + 2 + 4 + 2 + kClient.size() + body.size()));
  w.i16(api);
  w.i16(version);
  w.i32(0);
  w.string(kClient);
  w.raw(body);
  return std::move(w.bytes());
}

void set_correlation(std::string& frame, int32_t id) {
  for (int i = 0; i < 4; ++i) {
    frame[kCorrelationAt + static_cast<size_t>(i)] = static_cast<char>(id >> (24 - 8 * i));
  }
}

std::string record_batch(int records, size_t value_bytes) {
  std::mt19937_64 random{value_bytes};
  Writer covered;  // what the checksum covers, from the attributes on
  const int64_t now = wall_ms();
  covered.i16(0);
  covered.i32(records - 1);
  covered.i64(now);
  covered.i64(now);
  covered.i64(-1);
  covered.i16(-1);
  covered.i32(-1);
  covered.i32(records);
  for (int n = 0; n < records; ++n) {
    Writer record;
    record.i8(0);
    record.varint(0);
    record.varint(n);
    record.varint(-1);  // null key
    record.varint(static_cast<int64_t>(value_bytes));
    // A value that begins with a zero byte looks like one with a schema id to servers that mind.
    if (value_bytes > 0) record.i8(static_cast<int8_t>(random() | 1));
    for (size_t i = 1; i < value_bytes; ++i) record.i8(static_cast<int8_t>(random()));
    record.varint(0);
    covered.varint(static_cast<int64_t>(record.bytes().size()));
    covered.raw(record.bytes());
  }
  Writer batch;
  batch.i64(0);
  batch.i32(static_cast<int32_t>(4 + 1 + 4 + covered.bytes().size()));
  batch.i32(-1);
  batch.i8(2);
  batch.i32(static_cast<int32_t>(crc32c(covered.bytes())));
  batch.raw(covered.bytes());
  return std::move(batch.bytes());
}

std::string produce_request(std::string_view topic, const std::vector<int32_t>& partitions,
                            std::string_view batch, int16_t acks) {
  Writer w;
  w.null_string();  // transactional id
  w.i16(acks);
  w.i32(30'000);
  w.i32(1);
  w.string(topic);
  w.i32(static_cast<int32_t>(partitions.size()));
  for (const int32_t partition : partitions) {
    w.i32(partition);
    w.i32(static_cast<int32_t>(batch.size()));
    w.raw(batch);
  }
  return frame(kProduce, 7, w.bytes());
}

std::string fetch_request(const FetchAsk& ask) {
  Writer w;
  w.i32(-1);
  w.i32(ask.max_wait_ms);
  w.i32(1);
  w.i32(ask.max_bytes);
  w.i8(0);
  w.i32(0);  // no session
  w.i32(-1);
  w.i32(1);
  w.string(ask.topic);
  w.i32(1);
  w.i32(ask.partition);
  if (ask.version >= 9) w.i32(-1);
  w.i64(ask.offset);
  w.i64(-1);
  w.i32(ask.partition_max_bytes);
  w.i32(0);  // nothing forgotten
  if (ask.version >= 11) w.string("");
  return frame(kFetch, ask.version, w.bytes());
}

std::string metadata_request(const std::vector<std::string>& topics) {
  Writer w;
  w.i32(static_cast<int32_t>(topics.size()));
  for (const auto& topic : topics) w.string(topic);
  return frame(kMetadata, 1, w.bytes());
}

std::string all_topics_request() {
  Writer w;
  w.i32(-1);
  return frame(kMetadata, 1, w.bytes());
}

std::string create_topics_request(const std::vector<std::string>& names, int32_t partitions) {
  Writer w;
  w.i32(static_cast<int32_t>(names.size()));
  for (const auto& name : names) {
    w.string(name);
    w.i32(partitions);
    w.i16(1);
    w.i32(0);
    w.i32(0);
  }
  w.i32(60'000);
  w.i8(0);
  return frame(kCreateTopics, 4, w.bytes());
}

std::string api_versions_request() { return frame(kApiVersions, 0, ""); }

std::string end_offset_request(std::string_view topic, int32_t partition) {
  Writer w;
  w.i32(-1);
  w.i32(1);
  w.string(topic);
  w.i32(1);
  w.i32(partition);
  w.i64(-1);
  return frame(kListOffsets, 1, w.bytes());
}

bool check_produce(Reader body, size_t partitions) {
  bool taken = true;
  expect_count(body.i32(), 1, "produce topics");
  body.string();
  expect_count(body.i32(), static_cast<int32_t>(partitions), "produce partitions");
  for (size_t n = 0; n < partitions; ++n) {
    body.i32();
    const int16_t code = body.i16();
    // Only for a lone partition: the others of the request would be stored twice.
    if (code == kRequestTimedOut && partitions == 1) {
      taken = false;
    } else {
      check_code(code, "produce");
    }
    body.i64();
    body.i64();
    body.i64();
  }
  return taken;
}

Fetched parse_fetch(Reader body, int16_t version) {
  body.i32();
  check_code(body.i16(), "fetch");
  body.i32();
  expect_count(body.i32(), 1, "fetch topics");
  body.string();
  expect_count(body.i32(), 1, "fetch partitions");
  body.i32();
  check_code(body.i16(), "fetch of the partition");
  Fetched got;
  got.high_watermark = body.i64();
  body.i64();
  body.i64();
  const int32_t aborted = body.i32();
  for (int32_t n = 0; n < aborted; ++n) body.take(16);
  if (version >= 11) body.i32();  // the replica to read from
  const int32_t size = body.i32();
  Reader records(body.take(size < 0 ? 0 : static_cast<size_t>(size)));
  got.bytes = records.left();
  // Whole batches only; the tail may be cut off.
  while (records.left() >= 61) {
    Reader head(records.take(61));
    const int64_t base = head.i64();
    const auto length = static_cast<size_t>(head.i32());
    head.take(4 + 1 + 4 + 2);
    const int64_t last_delta = head.i32();
    if (length < 49 || records.left() < length - 49) break;
    records.take(length - 49);
    got.next_offset = base + last_delta + 1;
    got.records += last_delta + 1;
  }
  return got;
}

int64_t parse_end_offset(Reader body) {
  expect_count(body.i32(), 1, "offset topics");
  body.string();
  expect_count(body.i32(), 1, "offset partitions");
  body.i32();
  check_code(body.i16(), "list offsets");
  body.i64();
  return body.i64();
}

size_t count_topics(Reader body) {
  const int32_t brokers = body.i32();
  for (int32_t n = 0; n < brokers; ++n) {
    body.i32();
    body.string();
    body.i32();
    body.string();
  }
  body.i32();
  const int32_t topics = body.i32();
  size_t healthy = 0;
  for (int32_t t = 0; t < topics; ++t) {
    const int16_t code = body.i16();
    body.string();
    body.boolean();
    const int32_t partitions = body.i32();
    bool led = code == 0 && partitions > 0;
    for (int32_t p = 0; p < partitions; ++p) {
      body.i16();
      body.i32();
      led = body.i32() >= 0 && led;
      for (int list = 0; list < 2; ++list) {
        const int32_t nodes = body.i32();
        body.take(static_cast<size_t>(nodes) * 4);
      }
    }
    healthy += led ? 1 : 0;
  }
  return healthy;
}

void check_created(Reader body) {
  body.i32();
  const int32_t topics = body.i32();
  for (int32_t n = 0; n < topics; ++n) {
    body.string();
    check_code(body.i16(), "create topic");
    body.string();
  }
}

}  // namespace loadgen
