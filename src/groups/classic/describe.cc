// What can be seen of a classic group from outside.
#include <cstring>
#include <string>
#include <utility>

#include "classic/phases.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/protocol/reader.h"

namespace tidegate::groups::classic {
namespace {

// The beginning of every version of ConsumerProtocolSubscription: version, topics. False when it is not one.
bool read_topics(const Bytes& metadata, std::set<std::string>& topics) {
  protocol::Reader reader(SharedBuffer::copy_of(metadata));
  if (reader.int16() < 0) return false;
  const auto count = reader.array_count(false);
  for (std::int32_t i = 0; i < count && reader.ok(); ++i) {
    const auto length = reader.string_length(false);
    if (length < 0) return false;
    topics.emplace(as_text(reader.view(static_cast<std::size_t>(length))));
  }
  return reader.ok();
}

}  // namespace

std::optional<std::set<std::string>> subscribed_topics(const Machine& group) {
  const auto& head = group.classic.head();
  if (head.protocol_type != kConsumerProtocolType) return std::nullopt;
  std::set<std::string> topics;
  if (group.classic.size() == 0) return topics;
  if (!head.protocol) return std::nullopt;
  for (const auto& [id, member] : group.classic.members()) {
    if (!read_topics(metadata_of(member, *head.protocol), topics)) return std::nullopt;
  }
  return topics;
}

GroupState state_of(const Machine& group) {
  switch (group.classic.phase()) {
    case ClassicPhase::empty:
      return GroupState::empty;
    case ClassicPhase::preparing:
      return GroupState::preparing_rebalance;
    case ClassicPhase::completing:
      return GroupState::completing_rebalance;
    case ClassicPhase::stable:
      return GroupState::stable;
  }
  return GroupState::dead;
}

ClassicDescription describe(const Machine& group) {
  const auto& head = group.classic.head();
  const bool is_stable = head.phase == ClassicPhase::stable;
  ClassicDescription description{.state = state_of(group), .protocol_type = head.protocol_type.value_or("")};
  if (is_stable) description.protocol = head.protocol.value_or("");
  for (const auto& [id, member] : group.classic.members()) {
    auto& row = description.members.emplace_back();
    row.member_id = id;
    row.instance_id = member.data.instance_id;
    row.client_id = member.data.client_id;
    row.client_host = member.data.client_host;
    if (!is_stable) continue;
    row.metadata = metadata_of(member, description.protocol);
    row.assignment = member.assignment;
  }
  return description;
}

}  // namespace tidegate::groups::classic
