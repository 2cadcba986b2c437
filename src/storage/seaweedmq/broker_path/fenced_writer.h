// Changes of one partition's directory and state under its fence, one at a time, each tried until its fate is
// known to be good or the time is up. What was sent before will not be applied later, once a further change
// has been made. Lives in a log, on its shard.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cluster/ownership.h"
#include "log/log_shard.h"
#include "tidegate/runtime/event.h"

namespace tidegate::storage::seaweedmq {

class FencedWriter {
 public:
  FencedWriter(LogShard& home, std::shared_ptr<Ownership> ownership)
      : home_(home), ownership_(std::move(ownership)) {}

  Task<Result<void>> put(std::string directory, Entry entry) {
    return change(FencedChange::Kind::put, std::move(directory), std::move(entry));
  }
  Task<Result<void>> erase(std::string directory, std::string name);
  // Ends what is being tried, soon, with an error.
  void give_up() { given_up_ = true; }

 private:
  Task<Result<void>> change(FencedChange::Kind kind, std::string directory, Entry entry);
  Task<Result<void>> try_change(FencedChange::Kind kind, std::string directory, Entry entry);
  LogShard& home_;
  const std::shared_ptr<Ownership> ownership_;
  std::optional<std::string> doubt_;  // ETag of a change whose fate is open
  bool busy_ = false;
  bool given_up_ = false;
  Event idle_;
};

}  // namespace tidegate::storage::seaweedmq
