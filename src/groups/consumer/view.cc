// What can be seen of a KIP-848 group from outside, and who may commit and fetch offsets.
#include <algorithm>

#include "consumer/consumer_rules.h"

namespace tidegate::groups::consumer {
namespace {

ErrorCode check_epoch_of(const ConsumerMember& member, std::int32_t epoch) {
  if (epoch == member.current.member_epoch) return ErrorCode::none;
  return member.is_classic() ? ErrorCode::illegal_generation : ErrorCode::stale_member_epoch;
}

}  // namespace

ErrorCode check_commit(Step& step, const CommitOffsets& request) {
  const auto& consumer = step.group.consumer;
  // From a tool, or a consumer without group management: as long as nobody is there.
  if (request.generation_or_epoch < 0 && consumer.members().empty()) return ErrorCode::none;
  const auto* member = consumer.find(request.member_id);
  if (member == nullptr) return ErrorCode::unknown_member_id;
  if (!member->is_classic() && !request.knows_epochs) return ErrorCode::unsupported_version;
  return check_epoch_of(*member, request.generation_or_epoch);
}

ErrorCode check_fetch(Step& step, const FetchOffsets& request) {
  if (!request.member_id && request.member_epoch < 0) return ErrorCode::none;
  const auto* member = step.group.consumer.find(request.member_id.value_or(""));
  if (member == nullptr) return ErrorCode::unknown_member_id;
  return check_epoch_of(*member, request.member_epoch);
}

bool is_subscribed(const Machine& group, std::string_view topic) {
  if (group.consumer.subscribed_names().contains(topic)) return true;
  return std::ranges::any_of(group.consumer.regexes(), [&](const auto& entry) {
    return std::ranges::binary_search(entry.second.topics, topic);
  });
}

GroupState state_of(const Machine& group) {
  const auto& consumer = group.consumer;
  const auto& head = consumer.head();
  if (consumer.members().empty()) return GroupState::empty;
  if (head.group_epoch > head.target_epoch) return GroupState::assigning;
  return consumer.settled() == consumer.members().size() ? GroupState::stable : GroupState::reconciling;
}

ConsumerDescription describe(const Machine& group) {
  const auto& consumer = group.consumer;
  ConsumerDescription description{.state = state_of(group),
                                  .group_epoch = consumer.head().group_epoch,
                                  .assignment_epoch = consumer.head().target_epoch,
                                  .assignor = preferred_assignor(group),
                                  .members = {}};
  for (const auto& [id, member] : consumer.members()) {
    const auto& data = member.data;
    description.members.push_back({.member_id = id,
                                   .instance_id = data.instance_id,
                                   .rack_id = data.rack_id,
                                   .member_epoch = member.current.member_epoch,
                                   .client_id = data.client_id,
                                   .client_host = data.client_host,
                                   .subscribed_topics = data.subscribed_topics,
                                   .subscribed_regex = data.subscribed_regex.value_or(""),
                                   .assignment = member.current.assigned,
                                   .target_assignment = member.target,
                                   .classic = member.is_classic()});
  }
  return description;
}

}  // namespace tidegate::groups::consumer
