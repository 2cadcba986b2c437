// Member ids that MEMBER_ID_REQUIRED has given out and nobody has joined with yet (KIP-394). Volatile; a
// rebalance waits for them. Bounded: one more forgets the oldest, whose client is told its id is unknown
// and starts over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "timers.h"

namespace tidegate::groups {

class PendingIds {
 public:
  // Forgets the oldest first when `limit` are there.
  void add(std::string id, std::size_t limit, TimerQueue& timers, MonoTime expires_at);
  bool erase(std::string_view id);
  bool contains(std::string_view id) const { return ids_.contains(id); }
  bool empty() const { return ids_.empty(); }
  std::size_t size() const { return ids_.size(); }

 private:
  struct Pending {
    std::uint64_t order = 0;
    Timer expiry;
  };
  std::map<std::string, Pending, std::less<>> ids_;
  std::map<std::uint64_t, std::string_view> by_age_;  // views of the keys above
  std::uint64_t next_order_ = 0;
};

}  // namespace tidegate::groups
