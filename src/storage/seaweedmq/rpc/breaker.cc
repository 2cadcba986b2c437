#include "rpc/breaker.h"

#include <algorithm>

namespace tidegate::storage::seaweedmq {

Breaker::~Breaker() {
  if (open_) open_gauge_.add(-1);
}

bool Breaker::allow() {
  std::lock_guard lock(mutex_);
  if (!open_) return true;
  const MonoTime now = clock_.now();
  if (now < try_at_) return false;
  try_at_ = now + kLongestPause;  // this one is the trial; the next only if it stays silent
  return true;
}

void Breaker::succeeded() {
  std::lock_guard lock(mutex_);
  failures_ = 0;
  if (open_) {
    open_ = false;
    open_gauge_.add(-1);
  }
}

bool Breaker::failed() {
  std::lock_guard lock(mutex_);
  if (++failures_ < kFailuresToOpen) return false;
  if (!open_) {
    open_ = true;
    open_gauge_.add(1);
    pause_ = kFirstPause;
  } else {
    pause_ = std::min(pause_ * 2, kLongestPause);
  }
  // Between half of the pause and all of it.
  const auto half = static_cast<std::uint64_t>(pause_.count() / 2);
  try_at_ = clock_.now() + Duration(static_cast<std::int64_t>(half + rng_.below(half + 1)));
  return true;
}

bool Breaker::is_open() const {
  std::lock_guard lock(mutex_);
  return open_;
}

}  // namespace tidegate::storage::seaweedmq
