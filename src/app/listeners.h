// Where Kafka clients connect: --listen and --advertise (listeners and advertised.listeners), parsed and
// matched by name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/result.h"

namespace tidegate::app {

struct HostPort {
  std::string host;  // without brackets; empty is a wildcard
  std::uint16_t port = 0;
};

struct Listener {
  std::string name = "PLAINTEXT";
  HostPort bind;
  HostPort advertised;  // port 0: the port that was really bound
};

// "HOST:PORT", "[::1]:PORT" or ":PORT". invalid_config naming `what` and the text.
Result<HostPort> parse_host_port(std::string_view text, std::string_view what);
bool is_wildcard(std::string_view host);
bool is_loopback(std::string_view host);
// "host:port", with brackets around an IPv6 address.
std::string to_text(const HostPort& address);

// Both lists hold "[NAME://]HOST:PORT". A wildcard listener needs an advertised address of its name:
// clients are told to connect there, and 0.0.0.0 is no address for them.
Result<std::vector<Listener>> make_listeners(const std::vector<std::string>& listen,
                                             const std::vector<std::string>& advertise);

}  // namespace tidegate::app
