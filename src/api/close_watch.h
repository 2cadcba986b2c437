// Tells a request that waits when its client is gone or the server drains; forgets about it when the
// request has ended.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "tidegate/api/api_table.h"

namespace tidegate::api {

// Cancel has a cancel() that may be called at any time on the connection's shard.
template <class Cancel>
class CloseWatch {
 public:
  CloseWatch(std::shared_ptr<ClientSession> session, std::shared_ptr<Cancel> cancel)
      : session_(std::move(session)) {
    if (!session_) return;
    if (session_->closed) cancel->cancel();
    watch_ = session_->watch_close([cancel = std::move(cancel)] { cancel->cancel(); });
  }
  ~CloseWatch() {
    if (session_) session_->unwatch_close(watch_);
  }
  CloseWatch(const CloseWatch&) = delete;

 private:
  std::shared_ptr<ClientSession> session_;
  std::uint64_t watch_ = 0;
};

}  // namespace tidegate::api
