// Group sync. Up to a threshold of logs go to the disk side by side, each with its own fdatasync and
// done when that is; what gathers meanwhile beyond the threshold goes together: all writes, then one
// syncfs, whose failure fails every job of the round. Any thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "log_job.h"

namespace tidegate::storage::embedded {

class Syncer {
 public:
  // Called on a blocking thread, once, in any case.
  using Done = std::move_only_function<void(std::unique_ptr<LogJob>, JobOutcome)>;

  explicit Syncer(EngineContext& context) : context_(context) {}

  void submit(std::unique_ptr<LogJob> job, Done done);
  // Jobs submitted and not done.
  std::size_t pending() const;

 private:
  struct Item {
    std::unique_ptr<LogJob> job;
    Done done;
  };
  // Starts what may start now; the lock is held.
  void dispatch();
  void run_single(Item item);
  void run_round(std::vector<Item> items);

  EngineContext& context_;
  mutable std::mutex mutex_;
  std::deque<Item> waiting_;
  std::size_t singles_ = 0;
  std::size_t in_round_ = 0;
};

}  // namespace tidegate::storage::embedded
