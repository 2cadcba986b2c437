// The answers that wait on one shard, in bytes, and whether they are too many: from more than the limit
// until an eighth of it is free again, so that small answers do not stop and wake all connections in
// turns. What exists is counted even beyond the limit. Shard-local.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include "tidegate/base/metrics.h"

namespace tidegate::server {

class ResponseMemory {
 public:
  // `changed` is told when full() has changed.
  ResponseMemory(std::size_t limit, Gauge& gauge, std::function<void(bool full)> changed)
      : limit_(limit), gauge_(gauge), changed_(std::move(changed)) {}

  bool full() const { return full_; }

  void add(std::size_t bytes) {
    used_ += bytes;
    if (used_ > limit_) set_full(true);
    gauge_.add(static_cast<std::int64_t>(bytes));
  }
  void remove(std::size_t bytes) {
    gauge_.add(-static_cast<std::int64_t>(bytes));
    used_ -= bytes;
    if (used_ <= limit_ - limit_ / 8) set_full(false);
  }

 private:
  void set_full(bool full) {
    if (std::exchange(full_, full) != full) changed_(full);
  }

  const std::size_t limit_;
  Gauge& gauge_;
  const std::function<void(bool)> changed_;
  std::size_t used_ = 0;
  bool full_ = false;
};

}  // namespace tidegate::server
