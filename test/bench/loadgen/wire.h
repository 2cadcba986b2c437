// Just enough of the Kafka protocol to make load: requests in non-flexible versions, written into
// buffers that are sent again and again, and answers of which only what is needed gets read.
// Meant to be cheap: the generator must never be what limits a measurement.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace loadgen {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum Api : int16_t {
  kProduce = 0,
  kFetch = 1,
  kListOffsets = 2,
  kMetadata = 3,
  kOffsetCommit = 8,
  kFindCoordinator = 10,
  kJoinGroup = 11,
  kHeartbeat = 12,
  kSyncGroup = 14,
  kApiVersions = 18,
  kCreateTopics = 19
};

class Writer {
 public:
  void i8(int8_t v) { bytes_.push_back(static_cast<char>(v)); }
  void i16(int16_t v) { big_endian(static_cast<uint16_t>(v)); }
  void i32(int32_t v) { big_endian(static_cast<uint32_t>(v)); }
  void i64(int64_t v) { big_endian(static_cast<uint64_t>(v)); }
  void string(std::string_view v) {
    i16(static_cast<int16_t>(v.size()));
    raw(v);
  }
  void null_string() { i16(-1); }
  void varint(int64_t v);  // zig-zag
  void raw(std::string_view v) { bytes_.append(v); }
  std::string& bytes() { return bytes_; }

 private:
  template <class T>
  void big_endian(T v) {
    for (int shift = (static_cast<int>(sizeof(T)) - 1) * 8; shift >= 0; shift -= 8) {
      bytes_.push_back(static_cast<char>(v >> shift));
    }
  }
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  int16_t i16() { return static_cast<int16_t>(big_endian<uint16_t>()); }
  int32_t i32() { return static_cast<int32_t>(big_endian<uint32_t>()); }
  int64_t i64() { return static_cast<int64_t>(big_endian<uint64_t>()); }
  bool boolean() { return take(1)[0] != 0; }
  std::string_view string();  // null reads as empty
  std::string_view take(size_t size);
  size_t left() const { return bytes_.size(); }

 private:
  template <class T>
  T big_endian() {
    T v = 0;
    for (const char c : take(sizeof(T))) v = static_cast<T>(v << 8 | static_cast<uint8_t>(c));
    return v;
  }
  std::string_view bytes_;
};

// Frame with header v1; the correlation id stays at kCorrelationAt and may be patched.
inline constexpr size_t kCorrelationAt = 8;
std::string frame(Api api, int16_t version, std::string_view body);
void set_correlation(std::string& frame, int32_t id);

// A v2 batch of `records` records with random values of `value_bytes`, not compressed. The server
// sets the offset, which the checksum does not cover: one batch can be produced any number of times.
std::string record_batch(int records, size_t value_bytes);

std::string produce_request(std::string_view topic, const std::vector<int32_t>& partitions,
                            std::string_view batch, int16_t acks);
struct FetchAsk {
  std::string_view topic;
  int32_t partition = 0;
  int64_t offset = 0;
  int32_t max_wait_ms = 500;
  int32_t max_bytes = 50 << 20;  // the Java consumer's defaults
  int32_t partition_max_bytes = 1 << 20;
  int16_t version = 11;  // from 7 on
};
std::string fetch_request(const FetchAsk& ask);
std::string metadata_request(const std::vector<std::string>& topics);  // v1; empty list: none
std::string all_topics_request();
std::string create_topics_request(const std::vector<std::string>& names, int32_t partitions);
std::string api_versions_request();
std::string end_offset_request(std::string_view topic, int32_t partition);

// Answers, without length and correlation id. Each throws Error on a Kafka error code.
// False: not now, send it again (REQUEST_TIMED_OUT).
bool check_produce(Reader body, size_t partitions);
struct Fetched {
  int64_t next_offset = -1;  // -1: nothing came
  size_t bytes = 0;
  int64_t records = 0;
  int64_t high_watermark = -1;
};
Fetched parse_fetch(Reader body, int16_t version = 11);
int64_t parse_end_offset(Reader body);
size_t count_topics(Reader metadata_body);
void check_created(Reader body);

}  // namespace loadgen
