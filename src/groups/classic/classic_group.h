// The state of a classic group: what is durable (head, members, assignments; changed by records only) and
// what a restart forgets (parked requests, timers, pending ids). The rules that act on it are in join.cc,
// rebalance.cc, sync.cc, heartbeat.cc and leave.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "classic/counted.h"
#include "classic/pending_ids.h"
#include "tidegate/base/result.h"
#include "tidegate/groups/record.h"
#include "timers.h"

namespace tidegate::groups {

// How many members are in the middle of what.
struct MemberCounts {
  std::size_t joins = 0;  // parked
  std::size_t syncs = 0;  // parked
  std::size_t synced = 0;

  bool operator==(const MemberCounts&) const = default;
};

struct ClassicMember {
  explicit ClassicMember(MemberCounts& counts)
      : join(counts.joins), sync(counts.syncs), synced(counts.synced) {}

  // Durable.
  ClassicMemberData data;
  Bytes assignment;

  // Volatile.
  std::string_view id;  // the key of the map: timers keep it
  Parked join;          // until the joining phase ends
  Parked sync;          // until the leader's assignment
  Flag synced;          // has asked for its assignment in this generation
  // Joins for the first time and knows its id perhaps not yet: it cannot send heartbeats, so that its
  // session is the time it may wait for the group.
  bool is_new = false;
  Timer session;

  bool is_static() const { return data.instance_id.has_value(); }
};

// A group that was empty waits for more members before its first generation.
struct InitialDelay {
  bool active = false;
  bool member_added = false;  // since the delay was last set
  Duration remaining{0};      // by how much it may still be extended
};

class ClassicGroup {
 public:
  using Members = std::map<std::string, ClassicMember, std::less<>>;

  ClassicGroup() = default;
  ClassicGroup(const ClassicGroup&) = delete;
  ClassicGroup& operator=(const ClassicGroup&) = delete;

  // Durable state.
  Result<void> apply(const PutClassicHead& record);
  Result<void> apply(const PutClassicMember& record);
  Result<void> apply(const PutClassicAssignment& record);
  Result<void> apply(const EraseClassicMember& record);
  void clear_head() { head_ = {}; }

  const ClassicHead& head() const { return head_; }
  ClassicPhase phase() const { return head_.phase; }
  // For who looks at all of them: counted, see visits().
  Members& members() {
    visits_ += members_.size();
    return members_;
  }
  const Members& members() const {
    visits_ += members_.size();
    return members_;
  }
  std::size_t size() const { return members_.size(); }
  const MemberCounts& counts() const { return counts_; }
  ClassicMember* find(std::string_view member_id);
  const ClassicMember* find(std::string_view member_id) const;
  // The member id that holds a group instance id; nullptr when nobody does.
  const std::string* holder_of(std::string_view instance_id) const;
  // How many members speak a protocol.
  std::size_t support_for(std::string_view protocol) const;
  // How often a member was looked at in a walk over all: what a group of many members costs.
  std::uint64_t visits() const { return visits_; }

  // Volatile state.
  PendingIds pending_ids;
  InitialDelay initial;
  std::string first_joiner;  // of the generation to come; leads it if the last leader does not come back
  Timer join_timer;
  Timer sync_timer;

 private:
  void count_protocols(const ClassicMemberData& member, int by);

  mutable std::uint64_t visits_ = 0;
  ClassicHead head_;
  MemberCounts counts_;  // before the members, who count themselves
  Members members_;
  std::map<std::string, std::string, std::less<>> instances_;  // instance id -> member id
  std::map<std::string, std::size_t, std::less<>> support_;    // protocol -> members
};

}  // namespace tidegate::groups
