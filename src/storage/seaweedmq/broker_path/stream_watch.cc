#include "stream_watch.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

namespace tidegate::storage::seaweedmq {

StreamWatch::StreamWatch(MetricRegistry& registry, const Clock& clock)
    : clock_(clock),
      open_(registry.gauge("tidegate_seaweedmq_publish_streams",
                           "Partitions of the broker path that have a stream to a broker.")),
      missing_(registry.gauge("tidegate_seaweedmq_publish_streams_missing",
                              "Partitions of the broker path that have none.")),
      freezes_(registry.counter("tidegate_seaweedmq_broker_freezes_total",
                                "Times that a broker left a stream or a message unanswered.")),
      messages_(registry.counter("tidegate_seaweedmq_messages_sent_total", "Messages sent to brokers.")),
      repeats_(registry.counter("tidegate_seaweedmq_messages_repeated_total",
                                "Messages sent again because the stream before had ended.")),
      counters_moved_(registry.counter("tidegate_seaweedmq_broker_counters_moved_total",
                                       "Times that a broker went on from another number than its last.")),
      unflushed_bytes_(registry.gauge("tidegate_seaweedmq_unflushed_bytes",
                                      "Bytes of batches that are not in a log file of a broker yet.")) {}

void StreamWatch::show() {
  open_.set(static_cast<std::int64_t>(up_.size()));
  missing_.set(static_cast<std::int64_t>(down_.size()));
}

void StreamWatch::down(const void* log, const std::string& directory, const std::string& why) {
  const std::lock_guard lock(mutex_);
  up_.erase(log);
  const auto at =
      down_.try_emplace(log, Down{.since = clock_.now(), .directory = directory, .why = {}}).first;
  at->second.why = why;
  show();
}

void StreamWatch::up(const void* log) {
  const std::lock_guard lock(mutex_);
  down_.erase(log);
  up_.insert(log);
  show();
}

void StreamWatch::gone(const void* log) {
  const std::lock_guard lock(mutex_);
  down_.erase(log);
  up_.erase(log);
  show();
}

std::string StreamWatch::trouble(Duration patience) const {
  const std::lock_guard lock(mutex_);
  const auto oldest =
      std::ranges::min_element(down_, std::less(), [](const auto& entry) { return entry.second.since; });
  if (oldest == down_.end()) return {};
  const Duration age = clock_.now() - oldest->second.since;
  if (age < patience) return {};
  return fmt::format(
      "{} partitions have no stream to a broker of SeaweedMQ, {} for {} s: {} (one that is frozen has to be "
      "restarted)",
      down_.size(), oldest->second.directory, std::chrono::duration_cast<std::chrono::seconds>(age).count(),
      oldest->second.why);
}

}  // namespace tidegate::storage::seaweedmq
