#include "gateway_record.h"

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tidegate::storage::seaweedmq {

namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;

template <class Int>
Int integer(const Json& json, Int least) {
  if (!json.is_number_integer()) throw std::runtime_error(json.dump() + " is not an integer");
  const auto value = json.get<std::int64_t>();
  if (value < least || !std::in_range<Int>(value)) throw std::runtime_error(json.dump() + " is out of range");
  return static_cast<Int>(value);
}

GatewayRecord read(const Json& json) {
  if (integer<std::int32_t>(json.at("version"), 0) != kVersion)
    throw std::runtime_error("of a later version");
  GatewayRecord record;
  record.member.node = integer<NodeId>(json.at("node"), 0);
  record.member.rack = json.at("rack").get<std::string>();
  record.process = json.at("process").get<std::string>();
  record.serving = json.at("serving").get<bool>();
  for (const Json& one : json.at("listeners")) {
    record.member.endpoints.push_back({.listener = one.at("name").get<std::string>(),
                                       .host = one.at("host").get<std::string>(),
                                       .port = integer<std::uint16_t>(one.at("port"), 0)});
  }
  return record;
}

}  // namespace

std::string encode_gateway(const GatewayRecord& record) {
  Json listeners = Json::array();
  for (const Endpoint& endpoint : record.member.endpoints) {
    listeners.push_back({{"name", endpoint.listener}, {"host", endpoint.host}, {"port", endpoint.port}});
  }
  const Json json{{"version", kVersion},        {"node", record.member.node},
                  {"rack", record.member.rack}, {"process", record.process},
                  {"serving", record.serving},  {"listeners", std::move(listeners)}};
  // A host name or rack that is no UTF-8 must not keep the gateway from being there.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<GatewayRecord> parse_gateway(std::string_view text) {
  std::string problem;
  try {
    return read(Json::parse(text));
  } catch (const std::exception& failure) {
    problem = failure.what();
  }
  return fail(ErrorCode::corrupt_message, fmt::format("a gateway's session: {}", problem));
}

}  // namespace tidegate::storage::seaweedmq
