// Addresses as SeaweedFS writes them: HOST:PORT, or HOST:PORT.GRPCPORT; without the last part a master's
// or filer's gRPC port is its HTTP port + 10000. And the rewriting of addresses that are only reachable
// under another name from here (containers, port forwards). Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/result.h"

namespace tidegate::storage::seaweedmq {

struct ServerAddress {
  std::string host;  // an IPv6 address without its brackets
  std::uint16_t port = 0;
  std::uint16_t grpc_port = 0;

  std::string http() const;  // HOST:PORT
  std::string grpc() const;  // HOST:GRPCPORT
  std::string text() const;  // HOST:PORT.GRPCPORT
  bool operator==(const ServerAddress&) const = default;
};

// invalid_config with what is wrong.
Result<ServerAddress> parse_server_address(std::string_view text);

// Rules FROM=TO, the first that fits wins. FROM is HOST:PORT, HOST, or * for every host; a TO without a
// port keeps the port. Applied to what is dialled: gRPC endpoints and volume servers alike.
class AddressRewrite {
 public:
  AddressRewrite() = default;
  static Result<AddressRewrite> parse(const std::vector<std::string>& rules);
  // HOST:PORT in, HOST:PORT out; what is no such thing is left as it is.
  std::string apply(const std::string& endpoint) const;

 private:
  struct Rule {
    std::string from_host;  // "*": any
    std::string from_port;  // empty: any
    std::string to_host;
    std::string to_port;  // empty: as it was
  };
  std::vector<Rule> rules_;
};

}  // namespace tidegate::storage::seaweedmq
