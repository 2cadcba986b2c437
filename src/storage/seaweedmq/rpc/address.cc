#include "rpc/address.h"

#include <charconv>
#include <optional>
#include <utility>

namespace tidegate::storage::seaweedmq {
namespace {

struct HostPort {
  std::string host;
  std::string port;  // empty: none
};

std::string join(const std::string& host, std::string_view port) {
  const bool bare_ipv6 = host.find(':') != std::string::npos;
  return (bare_ipv6 ? "[" + host + "]" : host) + ":" + std::string(port);
}

// HOST, HOST:PORT, [V6] or [V6]:PORT. A bare IPv6 address cannot be told from a host with a port.
std::optional<HostPort> split(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const auto rest = text.substr(end + 1);
    if (!rest.empty() && !rest.starts_with(':')) return std::nullopt;
    return HostPort{std::string(text.substr(1, end - 1)), std::string(rest.empty() ? rest : rest.substr(1))};
  }
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return HostPort{std::string(text), {}};
  if (text.find(':', colon + 1) != std::string_view::npos) return std::nullopt;
  return HostPort{std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

std::optional<std::uint16_t> port_number(std::string_view text) {
  unsigned value = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (bad != std::errc{} || end != text.data() + text.size() || value == 0 || value > 65'535)
    return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

}  // namespace

std::string ServerAddress::http() const { return join(host, std::to_string(port)); }
std::string ServerAddress::grpc() const { return join(host, std::to_string(grpc_port)); }

std::string ServerAddress::text() const { return http() + "." + std::to_string(grpc_port); }

Result<ServerAddress> parse_server_address(std::string_view text) {
  const auto bad = [text](const char* why) {
    return fail(ErrorCode::invalid_config, "'" + std::string(text) + "' " + why);
  };
  const auto parts = split(text);
  if (!parts || parts->host.empty() || parts->port.empty()) return bad("is not HOST:PORT");
  const std::string_view ports = parts->port;
  const auto dot = ports.find('.');
  const auto port = port_number(ports.substr(0, dot));
  if (!port) return bad("has no port between 1 and 65535");
  if (dot == std::string_view::npos) {
    if (*port > 55'535) return bad("needs its gRPC port: HOST:PORT.GRPCPORT");
    return ServerAddress{parts->host, *port, static_cast<std::uint16_t>(*port + 10'000)};
  }
  const auto grpc_port = port_number(ports.substr(dot + 1));
  if (!grpc_port) return bad("has no gRPC port between 1 and 65535");
  return ServerAddress{parts->host, *port, *grpc_port};
}

Result<AddressRewrite> AddressRewrite::parse(const std::vector<std::string>& rules) {
  AddressRewrite out;
  for (const std::string& rule : rules) {
    const auto equals = rule.find('=');
    const auto from =
        equals == std::string::npos ? std::nullopt : split(std::string_view(rule).substr(0, equals));
    const auto to =
        equals == std::string::npos ? std::nullopt : split(std::string_view(rule).substr(equals + 1));
    const bool ports_good = from && to && (from->port.empty() || port_number(from->port)) &&
                            (to->port.empty() || port_number(to->port));
    if (!ports_good || from->host.empty() || to->host.empty()) {
      return fail(ErrorCode::invalid_config, "'" + rule + "' is not FROM=TO, each HOST or HOST:PORT");
    }
    out.rules_.push_back({from->host, from->port, to->host, to->port});
  }
  return out;
}

std::string AddressRewrite::apply(const std::string& endpoint) const {
  if (rules_.empty()) return endpoint;
  const auto at = split(endpoint);
  if (!at) return endpoint;
  for (const Rule& rule : rules_) {
    if (rule.from_host != "*" && rule.from_host != at->host) continue;
    if (!rule.from_port.empty() && rule.from_port != at->port) continue;
    return join(rule.to_host, rule.to_port.empty() ? at->port : rule.to_port);
  }
  return endpoint;
}

}  // namespace tidegate::storage::seaweedmq
