// A classic group that has just been read from storage, and one that changes its protocol with the
// other kind.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "classic/phases.h"

namespace tidegate::groups::classic {
namespace {

bool speaks_cooperative(const ClassicMember& member) {
  return std::ranges::find(member.data.protocols, kCooperativeSticky, &JoinProtocol::name) !=
         member.data.protocols.end();
}

// group.cooperative.sticky.enable was switched off since. While another protocol is chosen, everybody
// speaks that one and the forbidden one is just forgotten; else its speakers must join anew.
void drop_cooperative(Step& step) {
  auto& group = step.group.classic;
  if (group.head().protocol_type != kConsumerProtocolType) return;
  std::vector<ClassicMemberData> speakers;
  for (const auto& [id, member] : group.members()) {
    if (speaks_cooperative(member)) speakers.push_back(member.data);
  }
  if (speakers.empty()) return;
  // Before the vote of a rebalance the last protocol may be one that who joined meanwhile does not speak.
  const auto& chosen = group.head().protocol;
  const bool keep = chosen && *chosen != kCooperativeSticky && group.support_for(*chosen) == group.size();
  for (auto& data : speakers) {
    if (keep) {
      std::erase_if(data.protocols,
                    [](const JoinProtocol& protocol) { return protocol.name == kCooperativeSticky; });
      step.emit(PutClassicMember{std::move(data)});
    } else {
      remove_member(step, data.member_id, ErrorCode::unknown_member_id,
                    "cooperative-sticky was switched off");
    }
  }
  if (!keep) rebalance_or_complete(step, "cooperative-sticky was switched off");
}

bool has_common_protocol(const ClassicGroup& group) {
  return std::ranges::any_of(
      group.members().begin()->second.data.protocols,
      [&](const JoinProtocol& protocol) { return group.support_for(protocol.name) == group.size(); });
}

void remove_everybody(Step& step, ErrorCode error, std::string_view why) {
  std::vector<std::string> ids;
  for (const auto& [id, member] : step.group.classic.members()) ids.push_back(id);
  for (const auto& id : ids) remove_member(step, id, error, why);
}

}  // namespace

Result<void> check_stored(const Machine& machine) {
  const auto& group = machine.classic;
  const auto wrong = [](std::string_view what) {
    return fail(ErrorCode::corrupt_message, std::string(what));
  };
  const bool is_led = group.phase() == ClassicPhase::completing || group.phase() == ClassicPhase::stable;
  if (group.members().empty()) {
    if (is_led) return wrong("group records: a generation without members");
    return {};
  }
  if (group.phase() == ClassicPhase::empty) return wrong("group records: members of an empty group");
  if (is_led && !has_common_protocol(group))
    return wrong("group records: members without a protocol in common");
  for (const auto& [id, member] : group.members()) {
    const auto& instance = member.data.instance_id;
    if (instance && *group.holder_of(*instance) != id)
      return wrong("group records: two members of one instance");
  }
  return {};
}

void adopt(Step& step) {
  for (auto& [id, member] : step.group.classic.members()) arm_session(step, member);
}

void on_loaded(Step& step) {
  auto& group = step.group.classic;
  if (!group.members().empty() && !has_common_protocol(group)) {
    // A former release could write this when cooperative-sticky was switched off in the middle of a
    // rebalance. Nobody has an assignment in it, and all come back.
    remove_everybody(step, ErrorCode::unknown_member_id, "no protocol in common");
    return rebalance_or_complete(step, "no protocol in common");
  }
  adopt(step);
  switch (group.phase()) {
    case ClassicPhase::empty:
      return;
    case ClassicPhase::preparing:
      group.join_timer.arm(step.group.timers, TimerKind::classic_join, {},
                           step.after(rebalance_timeout(step.group)));
      break;
    case ClassicPhase::completing:
      group.sync_timer.arm(step.group.timers, TimerKind::classic_sync, {},
                           step.after(rebalance_timeout(step.group)));
      break;
    case ClassicPhase::stable:
      // Who had not asked for its assignment yet is not known any more; its session is what is left.
      for (auto& [id, member] : group.members()) member.synced = true;
      break;
  }
  if (!step.group.limits.cooperative_sticky_enabled) drop_cooperative(step);
  if (group.size() > step.group.limits.max_group_size) {
    prepare_rebalance(step, "the group is larger than group.max.size");
  }
}

void disband(Step& step, ErrorCode error) {
  auto& group = step.group.classic;
  group.join_timer.cancel();
  group.sync_timer.cancel();
  group.initial = {};
  group.first_joiner.clear();
  remove_everybody(step, error, "the group changes its protocol");
  erase_head(step);
}

}  // namespace tidegate::groups::classic
