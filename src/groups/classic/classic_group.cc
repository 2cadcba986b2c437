// Durable state of a classic group: the only place that changes it.
#include "classic/classic_group.h"

#include <algorithm>

namespace tidegate::groups {

Result<void> ClassicGroup::apply(const PutClassicHead& record) {
  head_ = record.head;
  return {};
}

Result<void> ClassicGroup::apply(const PutClassicMember& record) {
  const auto& data = record.member;
  if (data.member_id.empty()) return fail(ErrorCode::corrupt_message, "classic member without an id");
  const auto place = members_.try_emplace(data.member_id, counts_).first;
  auto& member = place->second;
  member.id = place->first;
  count_protocols(member.data, -1);
  if (member.data.instance_id && member.data.instance_id != data.instance_id) {
    instances_.erase(*member.data.instance_id);
  }
  member.data = data;
  count_protocols(member.data, +1);
  if (data.instance_id) instances_.insert_or_assign(*data.instance_id, data.member_id);
  return {};
}

Result<void> ClassicGroup::apply(const PutClassicAssignment& record) {
  auto* member = find(record.member_id);
  if (member == nullptr)
    return fail(ErrorCode::corrupt_message, "assignment of unknown member " + record.member_id);
  member->assignment = record.assignment;
  return {};
}

Result<void> ClassicGroup::apply(const EraseClassicMember& record) {
  const auto member = members_.find(record.member_id);
  if (member == members_.end())
    return fail(ErrorCode::corrupt_message, "erases unknown member " + record.member_id);
  count_protocols(member->second.data, -1);
  if (const auto& instance = member->second.data.instance_id) {
    const auto holder = instances_.find(*instance);
    if (holder != instances_.end() && holder->second == record.member_id) instances_.erase(holder);
  }
  members_.erase(member);
  return {};
}

ClassicMember* ClassicGroup::find(std::string_view member_id) {
  const auto member = members_.find(member_id);
  return member == members_.end() ? nullptr : &member->second;
}

const ClassicMember* ClassicGroup::find(std::string_view member_id) const {
  const auto member = members_.find(member_id);
  return member == members_.end() ? nullptr : &member->second;
}

const std::string* ClassicGroup::holder_of(std::string_view instance_id) const {
  const auto holder = instances_.find(instance_id);
  return holder == instances_.end() ? nullptr : &holder->second;
}

std::size_t ClassicGroup::support_for(std::string_view protocol) const {
  const auto found = support_.find(protocol);
  return found == support_.end() ? 0 : found->second;
}

// A protocol that a member names twice counts once.
void ClassicGroup::count_protocols(const ClassicMemberData& member, int by) {
  for (auto protocol = member.protocols.begin(); protocol != member.protocols.end(); ++protocol) {
    const auto same = [&](const JoinProtocol& other) { return other.name == protocol->name; };
    if (std::any_of(member.protocols.begin(), protocol, same)) continue;
    auto& count = support_[protocol->name];
    count += static_cast<std::size_t>(by);
    if (count == 0) support_.erase(protocol->name);
  }
}

}  // namespace tidegate::groups
