// GET /api/v1/overview: the state, and the last hour as columns.
#include <charconv>

#include "api_routes.h"
#include "schemas_page.h"
#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::admin {

HttpResponse answer_json(const Json& json, int status) {
  return HttpResponse::json(status, json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

HttpResponse answer_error(int status, std::string message) {
  return answer_json(Json{{"error", std::move(message)}}, status);
}

HttpResponse answer_error(ErrorCode code, const std::string& message) {
  const std::string name(error_name(code));
  const bool absent = code == ErrorCode::unknown_topic_or_partition || code == ErrorCode::group_id_not_found;
  return answer_error(absent ? 404 : 409, message.empty() ? name : name + ": " + message);
}

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

Route with_broker(const ApiParts& parts, std::string method, std::string path, Access access,
                  BrokerHandler handle) {
  return {std::move(method), std::move(path), access,
          [&parts, handle = std::move(handle)](HttpRequest request) -> Task<HttpResponse> {
            broker::Broker* broker = parts.sources.broker ? parts.sources.broker() : nullptr;
            HttpResponse response = answer_error(503, "storage is not there yet, or the daemon stops");
            if (broker != nullptr) response = co_await handle(*broker, std::move(request));
            co_return response;
          }};
}

namespace {

Json history(const Samples& samples) {
  Json out = Json::object();
  const auto column = [&](const char* name, auto member) {
    Json values = Json::array();
    for (const auto& sample : samples.all()) values.push_back(sample.*member);
    out[name] = std::move(values);
  };
  column("time_ms", &Sample::wall_ms);
  column("received_bytes_per_second", &Sample::received_bytes);
  column("sent_bytes_per_second", &Sample::sent_bytes);
  column("requests_per_second", &Sample::requests);
  column("errors_per_second", &Sample::errors);
  column("produce_p50_ms", &Sample::produce_p50_ms);
  column("produce_p99_ms", &Sample::produce_p99_ms);
  column("connections", &Sample::connections);
  return out;
}

HttpResponse overview(const ApiParts& parts) {
  const auto health = parts.sources.readiness();
  Json json{{"version", parts.sources.version},
            {"ready", health.ready},
            {"reason", health.reason},
            {"changes_allowed", parts.options.allow_changes},
            {"sample_seconds", std::chrono::duration_cast<std::chrono::seconds>(kSampleEvery).count()}};
  if (broker::Broker* broker = parts.sources.broker ? parts.sources.broker() : nullptr) {
    json["engine"] = broker->parts().engine.name();
    json["cluster_id"] = broker->parts().engine.cluster_id();
    json["topics"] = broker->topics().list().size();
    json["partitions"] = broker->topics().partition_count();
  }
  json["history"] = history(parts.samples);
  return answer_json(json);
}

Task<HttpResponse> clients(const ApiParts& parts) {
  Json rows = Json::array();
  std::vector<AdminSources::Client> all;
  if (parts.sources.clients) all = co_await parts.sources.clients();
  for (const auto& client : all) {
    rows.push_back({{"address", client.address},
                    {"listener", client.listener},
                    {"software_name", client.software_name},
                    {"software_version", client.software_version}});
  }
  co_return answer_json(Json{{"clients", std::move(rows)}});
}

}  // namespace

std::vector<Route> overview_routes(const ApiParts& parts) {
  return {{"GET", "/api/v1/overview", Access::page,
           [&parts](HttpRequest) -> Task<HttpResponse> {
             HttpResponse response = overview(parts);
             co_return response;
           }},
          {"GET", "/api/v1/clients", Access::page, [&parts](HttpRequest) { return clients(parts); }},
          {"GET", "/api/v1/schemas", Access::page, [&parts](HttpRequest) -> Task<HttpResponse> {
             HttpResponse response = HttpResponse::json(200, schemas_page(parts.sources.schemas()));
             co_return response;
           }}};
}

}  // namespace tidegate::admin
