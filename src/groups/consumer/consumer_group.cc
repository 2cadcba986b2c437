// Durable state of a KIP-848 group: the only place that changes it.
#include "consumer/consumer_group.h"

#include <algorithm>

namespace tidegate::groups {
namespace {

std::unexpected<Error> unknown(std::string_view what, const std::string& member_id) {
  return fail(ErrorCode::corrupt_message, std::string(what) + " of unknown member " + member_id);
}

template <class Key, class Map>
void count_one(Map& counts, const Key& key, bool add) {
  if (add) {
    ++counts[key];
  } else if (const auto found = counts.find(key); found != counts.end() && --found->second == 0) {
    counts.erase(found);
  }
}

}  // namespace

Result<void> ConsumerGroup::apply(const PutConsumerHead& record) {
  const bool aims_anew = head_.target_epoch != record.head.target_epoch;
  head_ = record.head;
  if (aims_anew) count_settled();
  return {};
}

Result<void> ConsumerGroup::apply(const PutConsumerMember& record) {
  const auto& data = record.member;
  if (data.member_id.empty()) return fail(ErrorCode::corrupt_message, "consumer member without an id");
  const auto [member, is_new] = members_.try_emplace(data.member_id);
  if (!is_new) count(member->second.data, false);
  if (is_new && is_settled(member->second.current)) ++settled_;
  member->second.data = data;
  count(data, true);
  return {};
}

Result<void> ConsumerGroup::apply(const PutTargetAssignment& record) {
  auto* member = find(record.member_id);
  if (member == nullptr) return unknown("target assignment", record.member_id);
  member->target = record.partitions;
  return {};
}

Result<void> ConsumerGroup::apply(const PutCurrentAssignment& record) {
  auto* member = find(record.member_id);
  if (member == nullptr) return unknown("current assignment", record.member_id);
  hold(member->current, false);
  if (is_settled(member->current)) --settled_;
  member->current = record.assignment;
  hold(member->current, true);
  if (is_settled(member->current)) ++settled_;
  return {};
}

Result<void> ConsumerGroup::apply(const EraseConsumerMember& record) {
  const auto member = members_.find(record.member_id);
  if (member == members_.end()) return unknown("erasure", record.member_id);
  count(member->second.data, false);
  hold(member->second.current, false);
  if (is_settled(member->second.current)) --settled_;
  members_.erase(member);
  return {};
}

Result<void> ConsumerGroup::apply(const PutRegex& record) {
  regexes_.insert_or_assign(record.regex, record.resolved);
  return {};
}

Result<void> ConsumerGroup::apply(const EraseRegex& record) {
  regexes_.erase(record.regex);
  patterns.erase(record.regex);
  return {};
}

ConsumerMember* ConsumerGroup::find(std::string_view member_id) {
  const auto member = members_.find(member_id);
  return member == members_.end() ? nullptr : &member->second;
}

const ConsumerMember* ConsumerGroup::find(std::string_view member_id) const {
  const auto member = members_.find(member_id);
  return member == members_.end() ? nullptr : &member->second;
}

const std::string* ConsumerGroup::holder_of(std::string_view instance_id) const {
  const auto holder = instances_.find(instance_id);
  return holder == instances_.end() ? nullptr : &holder->second;
}

std::size_t ConsumerGroup::classic_support_for(std::string_view protocol) const {
  const auto found = classic_support_.find(protocol);
  return found == classic_support_.end() ? 0 : found->second;
}

void ConsumerGroup::count(const ConsumerMemberData& member, bool add) {
  if (member.instance_id) {
    const auto holder = instances_.find(*member.instance_id);
    if (add) {
      instances_.insert_or_assign(*member.instance_id, member.member_id);
    } else if (holder != instances_.end() && holder->second == member.member_id) {
      instances_.erase(holder);
    }
  }
  for (const auto& topic : member.subscribed_topics) count_one(subscribed_names_, topic, add);
  if (member.subscribed_regex) count_one(subscribed_regexes_, *member.subscribed_regex, add);
  if (member.assignor) count_one(wanted_assignors_, *member.assignor, add);
  if (!member.classic) return;
  classic_members_ += add ? 1 : std::size_t(-1);
  const auto& protocols = member.classic->protocols;
  for (auto protocol = protocols.begin(); protocol != protocols.end(); ++protocol) {
    // A protocol that a member names twice counts once.
    const auto same = [&](const JoinProtocol& other) { return other.name == protocol->name; };
    if (std::none_of(protocols.begin(), protocol, same)) count_one(classic_support_, protocol->name, add);
  }
}

bool ConsumerGroup::is_settled(const CurrentAssignment& assignment) const {
  return assignment.state == ReconcileState::stable && assignment.member_epoch == head_.target_epoch;
}

void ConsumerGroup::count_settled() {
  settled_ = static_cast<std::size_t>(std::ranges::count_if(
      members_, [this](const auto& entry) { return is_settled(entry.second.current); }));
}

void ConsumerGroup::hold(const CurrentAssignment& assignment, bool add) {
  for (const auto* list : {&assignment.assigned, &assignment.revoking}) {
    for (const auto& topic : *list) {
      for (const auto partition : topic.partitions) {
        count_one(holders_, PartitionId{topic.topic, partition}, add);
      }
    }
  }
}

}  // namespace tidegate::groups
