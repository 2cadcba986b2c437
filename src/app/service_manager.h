// What systemd wants to be told (sd_notify(3)): a datagram to the socket that it named in the environment.
// A few lines of our own instead of libsystemd. Used on the main thread and on shard 0.
#pragma once

#include <string>
#include <string_view>

#include "tidegate/base/clock.h"

namespace tidegate::app {

class ServiceManager {
 public:
  // From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. `get` is std::getenv in production.
  explicit ServiceManager(const char* (*get)(const char* name));

  // "READY=1". Nothing without a socket; an error is nobody's concern: systemd has a time limit of its own.
  void tell(std::string_view state) const;
  // Time within which it wants to hear WATCHDOG=1 again; zero when it does not ask.
  Duration watchdog() const { return watchdog_; }

 private:
  std::string socket_;
  Duration watchdog_{};
};

}  // namespace tidegate::app
