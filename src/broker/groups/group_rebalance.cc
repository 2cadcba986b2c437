// What is told of rebalances: how many, how long, why.

#include "groups/group_shard.h"
#include "tidegate/base/module_log.h"

namespace tidegate::broker {
namespace {

using groups::GroupState;

// The first state of a rebalance may be over before the event that began it has ended.
bool begins_rebalance(GroupState from, GroupState to) {
  const auto is_under_way = [](GroupState state) {
    return state == GroupState::preparing_rebalance || state == GroupState::completing_rebalance ||
           state == GroupState::assigning || state == GroupState::reconciling;
  };
  if (to == GroupState::preparing_rebalance || to == GroupState::assigning) return true;
  return is_under_way(to) && !is_under_way(from);
}

}  // namespace

void GroupShard::watch_rebalance(HostedGroup& hosted, GroupState before, GroupState after) {
  if (begins_rebalance(before, after)) {
    metrics_.rebalances.add();
    hosted.rebalance.begin(parts_.clock.now());
  }
  if (after == GroupState::empty || after == GroupState::dead) hosted.rebalance.drop();
  // A classic group is stable before its members have heard of it; theirs ends in note_synced().
  if (after != GroupState::stable || hosted.group->type() != groups::GroupType::consumer) return;
  if (const auto took = hosted.rebalance.end(parts_.clock.now())) {
    note_rebalanced(hosted, *took, hosted.group->counts().members);
  }
}

void GroupShard::note_synced(const std::string& id, const std::string& member, std::int32_t generation) {
  const auto known = groups_.find(id);
  if (known == groups_.end() || known->second->phase != HostedGroup::Phase::ready) return;
  HostedGroup& hosted = *known->second;
  const std::size_t members = hosted.group->counts().members;
  if (const auto took = hosted.rebalance.synced(member, generation, members, parts_.clock.now())) {
    note_rebalanced(hosted, *took, members);
  }
}

void GroupShard::note_rebalanced(const HostedGroup& hosted, Duration took, std::size_t members) {
  metrics_.rebalance_time.record(static_cast<std::uint64_t>(took.count()));
  std::uint64_t suppressed = 0;
  if (!rebalance_lines_.allow(suppressed)) return;
  module_log().info("event=group_rebalanced group={:?} members={} milliseconds={} suppressed={}",
                    cut(hosted.id), members,
                    std::chrono::duration_cast<std::chrono::milliseconds>(took).count(), suppressed);
}

// Names and reasons are the clients' own words: escaped, cut, and not written faster than anyone reads.
void GroupShard::write_notes(const HostedGroup& hosted, const std::vector<groups::Note>& notes) {
  for (const groups::Note& note : notes) {
    std::uint64_t suppressed = 0;
    if (!note_lines_.allow(suppressed)) continue;
    module_log().info(
        "event=group_{} group={:?} generation={} members={} why=\"{}\" member={:?} client_reason={:?} "
        "suppressed={}",
        note.event, cut(hosted.id), note.generation, note.members, note.why, cut(note.member),
        cut(note.client_reason), suppressed);
  }
}

}  // namespace tidegate::broker
