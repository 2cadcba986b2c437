// The owner shard's half of fetch: look how much there is, read it, or register a waiter. Looking and
// registering happen without a suspension between them, so no append is missed. One on each shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "fetch_plan.h"
#include "fetch_wait.h"
#include "leader_epochs.h"
#include "partition_table.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/broker/produce_path.h"

namespace tidegate::broker {

struct FetchItem {
  PartitionId partition;
  LeaderEpoch current_leader_epoch = kNoEpoch;
  Offset fetch_offset = 0;
  LeaderEpoch last_fetched_epoch = kNoEpoch;
  std::size_t max_bytes = 0;  // the client's limit for the partition
  FetchAllotment allotment;   // used when the visit says so
};

struct FetchedItem {
  ErrorCode error = ErrorCode::none;
  LeaderHint leader;                  // with not_leader_or_follower and fenced_leader_epoch
  std::optional<EpochEnd> diverging;  // the client's log has another history: nothing is read
  Offset high_watermark = -1;
  Offset log_start = -1;
  std::size_t readable = 0;
  std::vector<SharedBuffer> chunks;
  std::size_t size_bytes = 0;
};

struct FetchVisit {
  enum class Then {
    nothing,        // only look
    read_allotted,  // read what each item's allotment says
    read_all,       // allot max_bytes among the items and read
  };
  std::vector<FetchItem> items;
  Then then = Then::nothing;
  std::size_t max_bytes = 0;
  bool first_whole = true;  // read_all: the first batch, however large
  // Fewer bytes than this and nothing wrong: register a waiter instead of reading. 0: never.
  std::size_t need = 0;
  // Where the waiter reports to. Runs on `home`.
  Shard* home = nullptr;
  std::weak_ptr<FetchCollector> collector;
  std::size_t place = 0;
  // The waiter speaks up when it alone has seen so much; 1 when other shards take part.
  std::size_t report_from = 1;
};

struct FetchVisited {
  std::vector<FetchedItem> items;
  std::size_t bytes = 0;     // countable towards min_bytes
  bool trouble = false;      // an error or a diverging epoch: answer now
  std::uint64_t waiter = 0;  // to be cancelled; 0: none was registered
};

class FetchOwner {
 public:
  // `gauge` counts the waiters of all shards.
  FetchOwner(PartitionTable& table, const BrokerParts& parts, std::size_t max_waiters, Gauge& gauge)
      : table_(table), cluster_(parts.cluster), engine_(parts.engine), max_waiters_(max_waiters), gauge_(gauge) {}

  Task<FetchVisited> visit(FetchVisit visit);
  void cancel(std::uint64_t waiter);
  std::size_t waiters() const { return waiters_.size(); }

 private:
  struct Registered {
    std::unique_ptr<FetchWaiter> waiter;
    std::vector<PartitionPtr> partitions;
  };
  // Logs that a visit has to open first, side by side.
  static constexpr std::size_t kOpenAtOnce = 16;
  struct ToOpen {
    std::vector<PartitionPtr> partitions;
    std::vector<std::size_t> places;
    std::vector<Result<void>> outcomes;
    std::size_t next = 0;
  };
  Task<void> open_all(std::vector<Result<PartitionPtr>>& found);
  static Task<void> open_some(PartitionTable& table, std::shared_ptr<ToOpen> work);
  FetchedItem look(const Result<PartitionPtr>& found, const FetchItem& item) const;
  std::uint64_t watch(const FetchVisit& visit, const std::vector<Result<PartitionPtr>>& found,
                      const std::vector<FetchedItem>& seen);

  PartitionTable& table_;
  const storage::Cluster& cluster_;
  const storage::Engine& engine_;
  std::size_t max_waiters_;
  Gauge& gauge_;
  std::uint64_t last_waiter_ = 0;
  std::map<std::uint64_t, Registered> waiters_;
};

}  // namespace tidegate::broker
