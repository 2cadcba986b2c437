// The rules of KIP-848 groups among themselves; the rest of the module knows consumer_group.h only.
// heartbeat.cc: members of the new protocol. classic_member.cc: members of the old one. membership.cc: who
// goes. target.cc: group epoch and target assignment. reconcile.cc: each member's way to it. migration.cc:
// from and to a classic group. events.cc: load, timers, topics. view.cc: what can be seen from outside.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "consumer/partitions.h"
#include "machine.h"
#include "tidegate/base/result.h"

namespace tidegate::groups::consumer {

inline constexpr std::int32_t kJoinEpoch = 0;
inline constexpr std::int32_t kLeaveEpoch = -1;
inline constexpr std::int32_t kLeaveForAWhileEpoch = -2;

// ------------------------------------------------------------------------------------ membership.cc

// group.consumer.max.size: a member that is there already, or takes over an instance id, always fits.
bool is_full(const Machine& group, std::string_view member_id, const std::optional<std::string>& instance_id);
// The member that an instance id names, if `member_id` is its holder: 25 when there is none, 82 otherwise.
Result<ConsumerMember*> find_static(Machine& group, const std::string& instance_id,
                                    std::string_view member_id);
// Puts what changed of a member (all of it, for a new one) and resolves a regular expression that is new.
// True when the group has to be assigned anew because of it.
bool put_member(Step& step, const ConsumerMemberData& data);
// The static member of the same instance id under its next member id, with all that it had; epoch 0.
void replace_member(Step& step, const std::string& old_id, const std::string& new_id);
// They left, or were lost: out they go, and the group epoch rises. Becomes a classic group when only classic
// members are left of a mixed one.
void remove_members(Step& step, std::span<const std::string> member_ids, std::string_view why);
void arm_session(Step& step, ConsumerMember& member);

// ---------------------------------------------------------------------------------------- target.cc

// Which assignor the members want most; the configured default when none says.
std::string preferred_assignor(const Machine& group);
// Raises the group epoch, and takes note of the topics as they are now.
void raise_epoch(Step& step);
// A new target assignment, when the group epoch is ahead of it.
void update_target(Step& step);
// Topics changed: whether the subscribed ones look different from what the group epoch was made for.
bool topics_differ(const Machine& group);

// ------------------------------------------------------------------------------------- reconcile.cc

// One step of a member towards its target. `owned` is what it says it owns; none: it did not say.
void reconcile(Step& step, const std::string& member_id, const std::optional<PartitionSet>& owned);
// The member lacks target partitions and none of them is to be had yet.
bool waits_for_partitions(const Machine& group, const ConsumerMember& member);

// ---------------------------------------------------------------------------------------- events.cc

// Resolves a regular expression if no other member brought it in before. It compiles.
void resolve_regex(Step& step, const std::string& regex);

// ------------------------------------------------------------------------------------- migration.cc

// Makes sure that the group is of type consumer: new, in place of an empty classic one, or converted from a
// live one with its members. group_id_not_found when that may not or cannot be; nothing has happened then.
Result<void> may_become_consumer(const Machine& group, std::string_view joining_member,
                                 const std::optional<std::string>& instance_id);
void become_consumer(Step& step);
// Whether the group without `leaving` consists of classic members only and may go back.
bool may_become_classic(const Machine& group, std::span<const std::string> leaving);
enum class AfterConversion { rebalance, leave_stable };
void become_classic(Step& step, std::span<const std::string> leaving, AfterConversion then);

}  // namespace tidegate::groups::consumer
