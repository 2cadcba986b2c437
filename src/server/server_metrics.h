// What the server counts. One per server; the counters of one API and version, or one error, are
// registered when they first appear, so each shard keeps its own table of them (ApiMetrics).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <tuple>
#include <vector>

#include "tidegate/api/api_table.h"
#include "tidegate/base/metrics.h"

namespace tidegate::server {

enum class CloseReason {
  client_closed,
  network_error,
  bad_frame_size,
  unknown_api,
  not_allowed,
  malformed,
  handler_failed,
  handler_closed,
  idle,
  slow_frame,
  write_stall,
  drained,
  stopped,
};
inline constexpr std::size_t kCloseReasons = 13;
std::string_view name_of(CloseReason reason);

enum class RefuseReason { total_limit, address_limit, draining, no_resources };
inline constexpr std::size_t kRefuseReasons = 4;
std::string_view name_of(RefuseReason reason);

struct ServerMetrics {
  explicit ServerMetrics(MetricRegistry& metrics);

  MetricRegistry& registry;
  Gauge& connections;
  Counter& accepted;
  std::array<Counter*, kRefuseReasons> refused;
  std::array<Counter*, kCloseReasons> closed;
  Counter& received_bytes;
  Counter& sent_bytes;
  Gauge& in_flight;
  Gauge& queued_response_bytes;
  Gauge& response_memory_bytes;
  Gauge& request_memory_bytes;
  Gauge& waiting_for_memory;
};

// Shard-local.
class ApiMetrics {
 public:
  ApiMetrics(ServerMetrics& metrics, std::span<const api::ApiRow> rows);

  // `row` is one of the rows given to the constructor.
  void count_request(const api::ApiRow& row, std::int16_t version);
  void count_reply(const api::ApiRow& row, std::int16_t version, std::int16_t error_code,
                   std::uint64_t nanoseconds);

 private:
  struct PerVersion {
    Counter* requests = nullptr;
    Histogram* latency = nullptr;
  };
  struct PerRow {
    std::vector<PerVersion> by_version;  // one more than the row's versions: the rest
  };
  std::size_t place_of(const api::ApiRow& row, std::int16_t version) const;
  static MetricLabels labels_of(const api::ApiRow& row, std::int16_t version);
  std::size_t index_of(const api::ApiRow& row) const { return static_cast<std::size_t>(&row - rows_.data()); }

  ServerMetrics& metrics_;
  std::span<const api::ApiRow> rows_;
  std::vector<PerRow> per_row_;
  std::map<std::tuple<const api::ApiRow*, std::size_t, std::int16_t>, Counter*>
      errors_;  // by row, place, code
};

}  // namespace tidegate::server
