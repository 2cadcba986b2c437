// The base URLs of one registry and a circuit breaker for each: after failures in a row within a window
// the URL is left alone, but for a probe now and then. Home shard only; pure but for the clock's reading.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "tidegate/base/clock.h"

namespace tidegate::schema {

class Endpoints {
 public:
  static constexpr std::size_t kFailuresToOpen = 5;
  static constexpr Duration kFailureWindow = std::chrono::seconds(10);
  static constexpr Duration kProbeEvery = std::chrono::seconds(2);

  explicit Endpoints(std::vector<std::string> urls);

  std::size_t size() const { return all_.size(); }
  const std::string& url(std::size_t index) const { return all_[index].url; }
  // True when it may be asked now. Of an open breaker that takes the probe of this interval.
  bool may_ask(std::size_t index, MonoTime now);
  void succeeded(std::size_t index);
  void failed(std::size_t index, MonoTime now, std::string problem);
  bool is_open(std::size_t index) const { return all_[index].open; }
  const std::string& last_problem(std::size_t index) const { return all_[index].last_problem; }
  std::size_t open_count() const;

 private:
  struct Endpoint {
    std::string url;
    std::deque<MonoTime> failures;
    bool open = false;
    MonoTime next_probe;
    std::string last_problem;
  };
  std::vector<Endpoint> all_;
};

}  // namespace tidegate::schema
