// What the client of a SeaweedFS cluster is told: where the masters are, how to prove who we are, how long
// to wait. Made from the configuration table by app/, from nothing by tests.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "rpc/address.h"
#include "tidegate/base/clock.h"

namespace tidegate::storage::seaweedmq {

// Paths of PEM files, as in [grpc] of security.toml. All empty: plain text.
struct TlsFiles {
  std::string ca;
  std::string certificate;
  std::string key;
  bool any() const { return !ca.empty() || !certificate.empty() || !key.empty(); }
};

struct ClientOptions {
  std::vector<ServerAddress> masters;
  std::string filer_group;
  AddressRewrite rewrite;
  TlsFiles tls;
  bool volume_https = false;  // volume data over https, with the same files

  std::string jwt_write_key;  // jwt.signing.key of security.toml; empty: none, or not known to us
  std::string jwt_read_key;   // jwt.signing.read.key
  std::string replication;    // "001" and the like; empty: as the filer's rules say
  bool fsync = true;          // volume servers sync before they answer

  Duration call_timeout = std::chrono::seconds(5);       // one call of a filer or master, repeats included
  Duration transfer_timeout = std::chrono::seconds(10);  // one upload or download
  Duration connect_timeout = std::chrono::seconds(2);
  // How often the member list is asked for, beside the stream that tells of changes.
  Duration poll_interval = std::chrono::seconds(2);
  // How often it is asked whether a volume server takes chunks; 0: never.
  Duration volume_probe_interval = Duration(0);
  std::size_t ids_per_assign = 100;
  std::size_t max_message_bytes = 64U << 20;
  long max_connections_per_volume_server = 16;
  // Whether the brokers of SeaweedMQ are looked for; nobody needs them on the direct path.
  bool find_brokers = false;
  std::string client_name = "tidegate";  // as the master lists it
};

}  // namespace tidegate::storage::seaweedmq
