// HTTP to volume servers: one libcurl multi handle a shard, driven by the shard's io_context. Connections
// are kept alive and bounded by server; what exceeds the bound waits inside libcurl, within its deadline.
// Everything here lives on one shard.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rpc/options.h"
#include "tidegate/base/result.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/task.h"

namespace tidegate::storage::seaweedmq {

struct HttpRequest {
  enum class Verb { get, put, erase };
  Verb verb = Verb::get;
  std::string url;
  std::string bearer;              // empty: no Authorization
  std::vector<SharedBuffer> body;  // put
  std::uint64_t range_offset = 0;  // get: the bytes wanted
  std::uint64_t range_size = 0;    // get: at most so many are kept
  Duration timeout = std::chrono::seconds(10);
};

struct HttpResponse {
  long status = 0;
  // Of a get with status 200 or 206: the bytes of the range. Else the first of what the server said.
  SharedBuffer body;
};

class HttpClient {
 public:
  // On the shard, as everything else. Needs curl_global_init().
  HttpClient(Shard& shard, const ClientOptions& options);
  ~HttpClient();  // what is in flight fails first; close() does the same earlier

  // network_exception with curl's reason when there is no answer.
  Task<Result<HttpResponse>> send(HttpRequest request);
  // Fails what is in flight; send() refuses afterwards.
  void close();
  std::size_t in_flight() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// For the process, once: libcurl wants its start to be on a single thread.
void init_http();

}  // namespace tidegate::storage::seaweedmq
