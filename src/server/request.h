// One request from its last byte read to its answer's last byte written. It is the context that the
// handler sees and the slot in its connection's queue of answers. On the connection's shard.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "tidegate/api/api_table.h"
#include "tidegate/base/metrics.h"
#include "tidegate/runtime/memory_budget.h"

namespace tidegate::server {

class Connection;

// Memory that a request was admitted for, counted in the gauge for exactly as long as it is taken from
// the budget: however the request or its connection ends.
class AdmittedMemory {
 public:
  AdmittedMemory() = default;
  AdmittedMemory(MemoryLease lease, Gauge& gauge) : lease_(std::move(lease)), gauge_(&gauge) {
    gauge_->add(static_cast<std::int64_t>(lease_.size()));
  }
  AdmittedMemory(AdmittedMemory&& other) noexcept
      : lease_(std::move(other.lease_)), gauge_(std::exchange(other.gauge_, nullptr)) {}
  AdmittedMemory& operator=(AdmittedMemory&& other) noexcept {
    if (this != &other) {
      release();
      lease_ = std::move(other.lease_);
      gauge_ = std::exchange(other.gauge_, nullptr);
    }
    return *this;
  }
  ~AdmittedMemory() { release(); }

  std::size_t size() const { return lease_.size(); }
  void shrink_to(std::size_t bytes) {
    const std::size_t before = lease_.size();
    lease_.shrink_to(bytes);
    if (gauge_) gauge_->add(-static_cast<std::int64_t>(before - lease_.size()));
  }
  void release() {
    if (Gauge* gauge = std::exchange(gauge_, nullptr)) gauge->add(-static_cast<std::int64_t>(lease_.size()));
    lease_.release();
  }

 private:
  MemoryLease lease_;
  Gauge* gauge_ = nullptr;
};

struct Request : api::RequestContext {
  std::shared_ptr<Connection> connection;
  SharedBuffer body;  // until the handler has it
  std::size_t body_bytes = 0;
  AdmittedMemory memory;

  bool serving = true;  // false: storage was not there yet when it came
  bool ready = false;   // the handler has ended; `reply` and what follows are set
  bool failed = false;  // ... by an exception
  MonoTime handled{};   // when that was
  bool queued = false;  // the answer counts among its connection's queued bytes
  api::Reply reply;
  std::array<std::uint8_t, 4> prefix{};  // length of the answer, as it is sent
  std::size_t wire_bytes = 0;            // prefix and chunks; 0 when nothing is sent
  std::size_t charged = 0;               // of them, to the shard's memory for answers

  void set_reply(api::Reply value);
  std::shared_ptr<void> hold_memory() override { return std::make_shared<AdmittedMemory>(std::move(memory)); }
};
using RequestPtr = std::shared_ptr<Request>;

}  // namespace tidegate::server
