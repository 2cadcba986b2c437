// The way to the registry's REST interface: one GET, one answer, nothing thrown. The real one is libcurl
// on the BlockingPool's HTTP lane; tests script their own. Called by Registry on its home shard.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "tidegate/base/clock.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/runtime/task.h"

namespace tidegate::schema {

struct HttpRequest {
  std::string url;
  Duration timeout = std::chrono::seconds(3);  // for all of it
  Duration connect_timeout = std::chrono::seconds(1);
  std::size_t max_body_bytes = 4U << 20;
};

struct HttpReply {
  enum class Failure { none, no_connection, timed_out, too_large, tls, stopped, other };
  int status = 0;  // 0 when there was no whole answer
  std::string body;
  std::optional<Duration> retry_after;  // of the header, where it gives seconds
  Failure failure = Failure::none;
  std::string problem;  // for people, with a failure
};

class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  virtual Task<HttpReply> get(HttpRequest request) = 0;
  // Ends requests under way, soon, and refuses new ones. Thread-safe.
  virtual void stop() = 0;
};

struct CurlOptions {
  std::string user_info;  // "user:password" for basic authentication
  std::string bearer_token;
  std::string ca_file;  // PEM; empty is the system's
  std::string certificate_file;
  std::string key_file;
  std::string key_password;
};

// Keeps connections open between requests; verifies TLS always; follows no redirect and no proxy of the
// environment; http and https only. `blocking` outlives it.
std::unique_ptr<HttpTransport> make_curl_transport(CurlOptions options, BlockingPool& blocking);

}  // namespace tidegate::schema
