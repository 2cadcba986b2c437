// Log compaction of the whole broker: log.cleaner.threads workers on shard 0 look for the dirtiest log of
// all compacted topics, have it cleaned on its owner shard, and rest for log.cleaner.backoff.ms when none
// is dirty enough. A partition that could not be cleaned is left alone for some minutes. What a partition's
// cleaning is: partition_cleaner.h; when it is due: dirty_log.h. For operators: docs/compaction.md.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_set>
#include <utility>
#include <vector>

#include "compaction/dirty_log.h"
#include "compaction/io_throttle.h"
#include "partition_table.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/rate_limit.h"
#include "tidegate/broker/broker.h"
#include "tidegate/runtime/event.h"

namespace tidegate::broker {

class Compaction {
 public:
  Compaction(const BrokerParts& parts, TopicCatalogue& topics, PartitionTables& tables);

  // Both on shard 0. stop() gives up what is under way and waits for it; false when it hangs on the disk
  // beyond `deadline`.
  void start();
  Task<bool> stop(MonoTime deadline);

 private:
  struct Candidate {
    PartitionId id;
    double ratio = 0;
  };
  // What one shard has to offer.
  struct Survey {
    std::optional<Candidate> dirtiest;
    double highest_ratio = 0;
    std::size_t dirty_bytes = 0;
    std::vector<std::pair<PartitionId, Error>> failures;
  };
  // For the scraping thread, which may outlive the broker.
  struct Shown {
    std::atomic<double> highest_ratio{0};
    std::atomic<std::size_t> dirty_bytes{0};
    std::atomic<std::int64_t> last_run_ms{0};
  };
  struct Metrics {
    Metrics(MetricRegistry& registry, const std::shared_ptr<const Shown>& shown);
    Counter& read_bytes;
    Counter& written_bytes;
    Counter& dropped_records;
    Counter& cleanings;
    Counter& failures;
    Gauge& running;
    Gauge& paused;
    Histogram& pass_time;
  };

  Task<void> work();
  // Marks it as busy.
  Task<std::optional<Candidate>> pick();
  // On the owner shard.
  Task<Survey> survey(std::set<PartitionId> skip);
  // Opens it if need be. nullptr: there is nothing to look at.
  Task<Result<PartitionPtr>> find_log(PartitionId id,
                                      std::optional<std::unordered_set<PartitionId>>& with_data,
                                      std::size_t& opened);
  Task<Result<void>> clean(PartitionId id);
  Task<Result<bool>> clean_once(PartitionPtr partition);
  Task<Result<std::optional<DirtyLog>>> assess(PartitionPtr partition);
  SieveRules rules_for(const Partition& partition) const;
  void failed(const PartitionId& id, const Error& error);
  void forget_old_failures();
  std::int64_t now_ms() const;

  const BrokerParts& parts_;
  TopicCatalogue& topics_;
  PartitionTables& tables_;
  const Duration backoff_;
  const unsigned workers_;
  IoThrottle throttle_;
  const HashSecret secret_;
  // Shard 0.
  std::set<PartitionId> busy_;
  std::map<PartitionId, MonoTime> not_before_;  // after a failure
  LogRateLimit failure_lines_;
  unsigned running_ = 0;
  Event wake_;
  Event ended_;
  // Ages must not jump with the wall clock.
  std::int64_t start_wall_ms_ = 0;
  MonoTime start_time_;
  const std::shared_ptr<Shown> shown_ = std::make_shared<Shown>();
  Metrics metrics_;
};

}  // namespace tidegate::broker
