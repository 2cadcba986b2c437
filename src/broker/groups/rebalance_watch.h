// How long a group's rebalance takes: from the event that began it to the last answer that its members
// waited for. A rebalance that begins while one is under way belongs to it: members had no peace between.
// For metrics and the log; decides nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "tidegate/base/clock.h"

namespace tidegate::broker {

class RebalanceWatch {
 public:
  void begin(MonoTime now) {
    if (!began_) began_ = now;
  }
  // No member is left to wait.
  void drop() { *this = {}; }
  // Classic: `member` has its assignment of `generation`. The time it took, once all `members` have theirs.
  std::optional<Duration> synced(const std::string& member, std::int32_t generation, std::size_t members,
                                 MonoTime now) {
    if (!began_) return std::nullopt;
    if (generation != generation_) synced_.clear();
    generation_ = generation;
    synced_.insert(member);
    return synced_.size() < members ? std::nullopt : end(now);
  }
  // KIP-848: every member has what it is to have.
  std::optional<Duration> end(MonoTime now) {
    if (!began_) return std::nullopt;
    const Duration took = now - *began_;
    drop();
    return took;
  }

 private:
  std::optional<MonoTime> began_;
  std::int32_t generation_ = -1;
  std::unordered_set<std::string> synced_;
};

}  // namespace tidegate::broker
