// Protocols: who speaks what, and which one wins. Also the small questions that every request asks.
#include <algorithm>
#include <map>

#include "classic/phases.h"
#include "tidegate/base/assert.h"

namespace tidegate::groups::classic {

bool supports(const Machine& group, std::string_view protocol_type,
              const std::vector<JoinProtocol>& protocols) {
  const auto size = group.classic.size();
  if (size == 0) return !protocol_type.empty() && !protocols.empty();
  if (group.classic.head().protocol_type != protocol_type) return false;
  return std::ranges::any_of(protocols, [&](const JoinProtocol& protocol) {
    return group.classic.support_for(protocol.name) == size;
  });
}

std::string select_protocol(const Machine& group) {
  const auto& members = group.classic.members();
  std::map<std::string_view, std::size_t> votes;
  for (const auto& [id, member] : members) {
    const auto choice = std::ranges::find_if(member.data.protocols, [&](const JoinProtocol& protocol) {
      return group.classic.support_for(protocol.name) == members.size();
    });
    if (choice != member.data.protocols.end()) ++votes[choice->name];
  }
  // Every join was checked by supports(), so there is a common one. Equal votes: the first by name.
  TIDEGATE_ASSERT(!votes.empty());
  return std::string(
      std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; })->first);
}

Duration rebalance_timeout(const Machine& group) {
  std::int32_t longest_ms = 1;
  for (const auto& [id, member] : group.classic.members()) {
    longest_ms = std::max(longest_ms, member.data.rebalance_timeout_ms);
  }
  return std::chrono::milliseconds(longest_ms);
}

const Bytes& metadata_of(const ClassicMember& member, std::string_view protocol) {
  static const Bytes none;
  const auto found = std::ranges::find(member.data.protocols, protocol, &JoinProtocol::name);
  return found == member.data.protocols.end() ? none : found->metadata;
}

ErrorCode check_member(const Machine& group, std::string_view member_id,
                       const std::optional<std::string>& instance_id) {
  if (instance_id) {
    const auto* holder = group.classic.holder_of(*instance_id);
    if (holder == nullptr) return ErrorCode::unknown_member_id;
    if (*holder != member_id) return ErrorCode::fenced_instance_id;
  }
  return group.classic.find(member_id) == nullptr ? ErrorCode::unknown_member_id : ErrorCode::none;
}

bool is_leader(const Machine& group, std::string_view member_id) {
  const auto& leader = group.classic.head().leader;
  return leader && *leader == member_id;
}

}  // namespace tidegate::groups::classic
