// What the files of the classic rules share: looking at the group, moving it from phase to phase, taking
// members out. Everything here emits its own records.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "machine.h"
#include "rules.h"

namespace tidegate::groups::classic {

inline constexpr std::string_view kConsumerProtocolType = "consumer";
inline constexpr std::string_view kCooperativeSticky = "cooperative-sticky";

// ---- looking (vote.cc)

// Whether somebody with these protocols fits in: a common one must remain.
bool supports(const Machine& group, std::string_view protocol_type,
              const std::vector<JoinProtocol>& protocols);
// The protocol with most first choices among those that everybody speaks. There must be members.
std::string select_protocol(const Machine& group);
// The longest that any member asked for; never nothing, a timer at once would come back for ever.
Duration rebalance_timeout(const Machine& group);
const Bytes& metadata_of(const ClassicMember& member, std::string_view protocol);

// Instance id and member id belong together and are known: none, 25 or 82 (KIP-345).
ErrorCode check_member(const Machine& group, std::string_view member_id,
                       const std::optional<std::string>& instance_id);
bool is_leader(const Machine& group, std::string_view member_id);

// ---- moving (rebalance.cc)

void arm_session(Step& step, ClassicMember& member);
// With a changed membership: starts a rebalance, or looks whether the one under way is complete.
void rebalance_or_complete(Step& step, std::string_view why, std::string client_reason = {});
void maybe_complete_join(Step& step);
// Answers a parked sync with an error.
void fail_sync(Step& step, ClassicMember& member, ErrorCode error);
// What a member is told of the generation that is there: members for the leader alone.
JoinReply generation_reply(const Machine& group, std::string_view member_id);
// Erases one member; parked requests of it get `error`. The caller looks after the rebalance.
void remove_member(Step& step, const std::string& member_id, ErrorCode error, std::string_view why);

}  // namespace tidegate::groups::classic
