#include "server_metrics.h"

#include <string>
#include <utility>

#include "tidegate/base/error_code.h"

namespace tidegate::server {

std::string_view name_of(CloseReason reason) {
  switch (reason) {
    case CloseReason::client_closed:
      return "client_closed";
    case CloseReason::network_error:
      return "network_error";
    case CloseReason::bad_frame_size:
      return "bad_frame_size";
    case CloseReason::unknown_api:
      return "unknown_api";
    case CloseReason::not_allowed:
      return "not_allowed";
    case CloseReason::malformed:
      return "malformed";
    case CloseReason::handler_failed:
      return "handler_failed";
    case CloseReason::handler_closed:
      return "handler_closed";
    case CloseReason::idle:
      return "idle";
    case CloseReason::slow_frame:
      return "slow_frame";
    case CloseReason::write_stall:
      return "write_stall";
    case CloseReason::drained:
      return "drained";
    case CloseReason::stopped:
      return "stopped";
  }
  return "unknown";
}

std::string_view name_of(RefuseReason reason) {
  switch (reason) {
    case RefuseReason::total_limit:
      return "total_limit";
    case RefuseReason::address_limit:
      return "address_limit";
    case RefuseReason::draining:
      return "draining";
    case RefuseReason::no_resources:
      return "no_resources";
  }
  return "unknown";
}

ServerMetrics::ServerMetrics(MetricRegistry& metrics)
    : registry(metrics),
      connections(metrics.gauge("tidegate_server_connections", "Open Kafka connections.")),
      accepted(metrics.counter("tidegate_server_connections_accepted_total", "Kafka connections accepted.")),
      received_bytes(
          metrics.counter("tidegate_server_received_bytes_total", "Bytes read from Kafka clients.")),
      sent_bytes(metrics.counter("tidegate_server_sent_bytes_total", "Bytes written to Kafka clients.")),
      in_flight(metrics.gauge("tidegate_server_requests_in_flight",
                              "Requests received whose answer has not been written.")),
      queued_response_bytes(
          metrics.gauge("tidegate_server_queued_response_bytes",
                        "Bytes of answers that wait for an earlier answer or a slow reader.")),
      response_memory_bytes(metrics.gauge("tidegate_server_response_memory_bytes",
                                          "Bytes of queued answers that count towards the shards' limit.")),
      request_memory_bytes(
          metrics.gauge("tidegate_server_request_memory_bytes", "Memory that requests were admitted for.")),
      waiting_for_memory(metrics.gauge("tidegate_server_connections_waiting_for_memory",
                                       "Connections that are not read until memory is free.")) {
  for (std::size_t i = 0; i < kRefuseReasons; ++i) {
    refused[i] = &metrics.counter("tidegate_server_connections_refused_total",
                                  "Kafka connections closed as soon as they were accepted.",
                                  {{"reason", std::string(name_of(static_cast<RefuseReason>(i)))}});
  }
  for (std::size_t i = 0; i < kCloseReasons; ++i) {
    closed[i] =
        &metrics.counter("tidegate_server_connections_closed_total", "Kafka connections that ended, by why.",
                         {{"reason", std::string(name_of(static_cast<CloseReason>(i)))}});
  }
}

ApiMetrics::ApiMetrics(ServerMetrics& metrics, std::span<const api::ApiRow> rows)
    : metrics_(metrics), rows_(rows), per_row_(rows.size()) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    per_row_[i].by_version.resize(static_cast<std::size_t>(rows[i].max_version - rows[i].min_version) + 2);
  }
}

std::size_t ApiMetrics::place_of(const api::ApiRow& row, std::int16_t version) const {
  return row.accepts(version) ? static_cast<std::size_t>(version - row.min_version)
                              : per_row_[index_of(row)].by_version.size() - 1;
}

MetricLabels ApiMetrics::labels_of(const api::ApiRow& row, std::int16_t version) {
  return {{"api", std::string(row.name)},
          {"version", row.accepts(version) ? std::to_string(version) : "unsupported"}};
}

void ApiMetrics::count_request(const api::ApiRow& row, std::int16_t version) {
  auto& requests = per_row_[index_of(row)].by_version[place_of(row, version)].requests;
  if (!requests) {
    requests = &metrics_.registry.counter("tidegate_server_requests_total", "Kafka requests received.",
                                          labels_of(row, version));
  }
  requests->add();
}

void ApiMetrics::count_reply(const api::ApiRow& row, std::int16_t version, std::int16_t error_code,
                             std::uint64_t nanoseconds) {
  const std::size_t place = place_of(row, version);
  auto& latency = per_row_[index_of(row)].by_version[place].latency;
  if (!latency) {
    latency = &metrics_.registry.histogram(
        "tidegate_server_request_seconds",
        "Time from a request's last byte received to its answer's last byte written.",
        labels_of(row, version));
  }
  latency->record(nanoseconds);
  if (error_code == 0) return;
  auto& counter = errors_[{&row, place, error_code}];
  if (!counter) {
    MetricLabels labels = labels_of(row, version);
    labels.emplace_back("error", std::string(error_name(static_cast<ErrorCode>(error_code))));
    counter = &metrics_.registry.counter("tidegate_server_errors_total",
                                         "Kafka requests answered with an error; the first one counts.",
                                         std::move(labels));
  }
  counter->add();
}

}  // namespace tidegate::server
