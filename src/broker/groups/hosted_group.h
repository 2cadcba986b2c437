// A group on its owner shard with what the shell keeps beside it: requests that were not answered, records
// that were not written, replies that wait for a write. Shard-local.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "groups/rebalance_watch.h"
#include "tidegate/groups/group.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/suspend.h"
#include "tidegate/runtime/timers.h"
#include "tidegate/storage/engine.h"

namespace tidegate::broker {

using GroupAnswer = std::expected<groups::ReplyBody, ErrorCode>;

// One request that waits for its answer.
class PendingAnswer {
 public:
  // At most once. The request goes on in a turn of its own: the group may be in the middle of an event.
  void complete(GroupAnswer answer) {
    answer_.emplace(std::move(answer));
    if (!resume_) return;
    Shard::current()->post([resume = std::exchange(resume_, nullptr)]() mutable { resume(); });
  }
  bool is_complete() const { return answer_.has_value(); }
  void park(Resume resume) { resume_ = std::move(resume); }
  GroupAnswer take() { return std::move(*answer_); }

 private:
  std::optional<GroupAnswer> answer_;
  Resume resume_;
};
using PendingAnswerPtr = std::shared_ptr<PendingAnswer>;

struct HostedGroup {
  enum class Phase {
    loading,  // being read, or about to be read again
    ready,
    damaged,  // what is stored makes no sense: all but DeleteGroups fails, and nothing is written over it
    away,     // another node owns it, or did: read again when it is asked for here
    gone,     // no longer in the shard's table
  };
  // A reply that rests on records which are not durable yet.
  struct HeldReply {
    std::uint64_t after_persist = 0;
    groups::ReplyId id = 0;
    groups::ReplyBody body;
  };

  explicit HostedGroup(std::string group_id) : id(std::move(group_id)) {}

  const std::string id;
  Phase phase = Phase::loading;
  // Of the ownership under which it was read or made: what is known of it is true as long as that lasts, and
  // is written in its name alone.
  std::int32_t epoch = 0;
  std::string damage;                                       // why it cannot be read, while damaged
  groups::GroupType stored_type = groups::GroupType::none;  // and what could be read of it
  std::optional<MonoTime> refused_at;                       // a member, because of that
  std::optional<groups::Group> group;                       // while ready
  std::unordered_map<groups::ReplyId, PendingAnswerPtr> waiting;

  // One write is under way at a time; what comes meanwhile goes with the next.
  std::vector<storage::MetaOp> unwritten;
  std::uint64_t unwritten_until = 0;
  std::uint64_t durable = 0;  // persists up to here are
  bool writing = false;
  std::vector<HeldReply> held;

  TimerId timer = kNoTimer;
  unsigned failures = 0;      // loads and writes in a row
  bool load_failing = false;  // counted as one that storage does not give out

  // As the gauges count it now.
  groups::GroupState counted_state = groups::GroupState::dead;
  groups::GroupCounts counted;
  RebalanceWatch rebalance;
};
using HostedGroupPtr = std::shared_ptr<HostedGroup>;

// Of a client's own words, what goes into a line of the log.
inline std::string_view cut(std::string_view text) {
  constexpr std::size_t kLongest = 255;
  return text.substr(0, kLongest);
}

}  // namespace tidegate::broker
