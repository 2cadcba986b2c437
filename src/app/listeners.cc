#include "listeners.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace tidegate::app {
namespace {

struct Named {
  std::optional<std::string> name;
  HostPort address;
};

Result<Named> parse_named(std::string_view text, std::string_view what) {
  Named out;
  auto rest = text;
  if (const auto at = text.find("://"); at != std::string_view::npos) {
    std::string name(text.substr(0, at));
    const auto legal = [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
    };
    if (name.empty() || !std::all_of(name.begin(), name.end(), legal)) {
      return fail(ErrorCode::invalid_config,
                  std::string(what) + " '" + std::string(text) +
                      "': a listener name is made of letters, digits, '_', '-' and '.'");
    }
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    out.name = std::move(name);
    rest = text.substr(at + 3);
  }
  auto address = parse_host_port(rest, what);
  if (!address) return fail(std::move(address.error()));
  out.address = std::move(*address);
  return out;
}

}  // namespace

Result<HostPort> parse_host_port(std::string_view text, std::string_view what) {
  const auto bad = [&](std::string_view why) {
    return fail(ErrorCode::invalid_config,
                std::string(what) + " '" + std::string(text) + "': " + std::string(why));
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad("expected HOST:PORT");
  HostPort out;
  auto host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad("write an IPv6 address in brackets, as in [::1]:9092");
  }
  out.host = std::string(host);
  const auto port = text.substr(colon + 1);
  unsigned value = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), value);
  if (error != std::errc{} || end != port.data() + port.size() || value > 65535) {
    return bad("the port is a number from 0 to 65535");
  }
  out.port = static_cast<std::uint16_t>(value);
  return out;
}

bool is_wildcard(std::string_view host) { return host.empty() || host == "0.0.0.0" || host == "::"; }

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::string to_text(const HostPort& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

Result<std::vector<Listener>> make_listeners(const std::vector<std::string>& listen,
                                             const std::vector<std::string>& advertise) {
  std::vector<Listener> out;
  const auto by_name = [&](const std::string& name) {
    return std::find_if(out.begin(), out.end(), [&](const Listener& l) { return l.name == name; });
  };
  for (const auto& text : listen) {
    auto named = parse_named(text, "--listen");
    if (!named) return fail(std::move(named.error()));
    Listener listener;
    if (named->name) listener.name = *named->name;
    listener.bind = named->address;
    if (by_name(listener.name) != out.end()) {
      return fail(ErrorCode::invalid_config, "--listen '" + text + "': there is a listener named " +
                                                 listener.name +
                                                 " already; name this one, as in INTERNAL://HOST:PORT");
    }
    out.push_back(std::move(listener));
  }
  if (out.empty()) return fail(ErrorCode::invalid_config, "no listener: give --listen HOST:PORT");

  std::vector<std::string> advertised_names;
  for (const auto& text : advertise) {
    auto named = parse_named(text, "--advertise");
    if (!named) return fail(std::move(named.error()));
    const auto name = named->name.value_or(out.front().name);
    const auto listener = by_name(name);
    if (listener == out.end()) {
      return fail(ErrorCode::invalid_config,
                  "--advertise '" + text + "': there is no listener named " + name);
    }
    if (std::find(advertised_names.begin(), advertised_names.end(), name) != advertised_names.end()) {
      return fail(ErrorCode::invalid_config,
                  "--advertise '" + text + "': listener " + name + " has an address already");
    }
    if (is_wildcard(named->address.host)) {
      return fail(ErrorCode::invalid_config,
                  "--advertise '" + text + "': clients cannot connect to a wildcard address");
    }
    listener->advertised = named->address;
    advertised_names.push_back(name);
  }
  for (auto& listener : out) {
    if (!listener.advertised.host.empty()) continue;
    if (is_wildcard(listener.bind.host)) {
      return fail(ErrorCode::invalid_config, "--listen " + listener.name + "://" + to_text(listener.bind) +
                                                 " listens on every address: say with --advertise " +
                                                 listener.name +
                                                 "://HOST:PORT which one clients are to connect to");
    }
    listener.advertised.host = listener.bind.host;
  }
  return out;
}

}  // namespace tidegate::app
