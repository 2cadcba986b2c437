// What the logs of the broker path tell about their streams, for /readyz and metrics: which partitions of
// this gateway have no stream to a broker, and since when. One object an engine; any shard.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>

#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"

namespace tidegate::storage::seaweedmq {

class StreamWatch {
 public:
  StreamWatch(MetricRegistry& registry, const Clock& clock);

  // `log` is whoever tells, by its address; `why` is in words for an operator.
  void down(const void* log, const std::string& directory, const std::string& why);
  void up(const void* log);
  // It needs no stream any more.
  void gone(const void* log);
  // Empty when every partition has a stream, or has been without one for less than `patience`.
  std::string trouble(Duration patience) const;

  Counter& freezes() { return freezes_; }
  Counter& messages() { return messages_; }
  Counter& repeats() { return repeats_; }
  Counter& counters_moved() { return counters_moved_; }
  Gauge& unflushed_bytes() { return unflushed_bytes_; }

 private:
  struct Down {
    MonoTime since{};
    std::string directory;
    std::string why;
  };
  // Under the mutex.
  void show();

  const Clock& clock_;
  Gauge& open_;
  Gauge& missing_;
  Counter& freezes_;
  Counter& messages_;
  Counter& repeats_;
  Counter& counters_moved_;
  Gauge& unflushed_bytes_;
  mutable std::mutex mutex_;
  std::map<const void*, Down> down_;
  std::set<const void*> up_;
};

}  // namespace tidegate::storage::seaweedmq
