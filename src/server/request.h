// One request from its last byte read to its answer's last byte written. It is the context that the
// handler sees and the slot in its connection's queue of answers. On the connection's shard.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "tidegate/api/api_table.h"
#include "tidegate/runtime/memory_budget.h"

namespace tidegate::server {

class Connection;

struct Request : api::RequestContext {
  std::shared_ptr<Connection> connection;
  SharedBuffer body;  // until the handler has it
  std::size_t body_bytes = 0;
  MemoryLease lease;

  bool ready = false;   // the handler has ended; `reply` and what follows are set
  bool failed = false;  // ... by an exception
  bool queued = false;  // the answer counts among its connection's queued bytes
  api::Reply reply;
  std::array<std::uint8_t, 4> prefix{};  // length of the answer, as it is sent
  std::size_t wire_bytes = 0;            // prefix and chunks; 0 when nothing is sent

  void set_reply(api::Reply value);
};
using RequestPtr = std::shared_ptr<Request>;

}  // namespace tidegate::server
