// Durable state of a KIP-848 group: the only place that changes it.
#include "consumer/consumer_group.h"

namespace tidegate::groups {
namespace {

std::unexpected<Error> unknown(std::string_view what, const std::string& member_id) {
  return fail(ErrorCode::corrupt_message, std::string(what) + " of unknown member " + member_id);
}

}  // namespace

Result<void> ConsumerGroup::apply(const PutConsumerHead& record) {
  head_ = record.head;
  return {};
}

Result<void> ConsumerGroup::apply(const PutConsumerMember& record) {
  if (record.member.member_id.empty())
    return fail(ErrorCode::corrupt_message, "consumer member without an id");
  members_[record.member.member_id].data = record.member;
  return {};
}

Result<void> ConsumerGroup::apply(const PutTargetAssignment& record) {
  const auto member = members_.find(record.member_id);
  if (member == members_.end()) return unknown("target assignment", record.member_id);
  member->second.target = record.partitions;
  return {};
}

Result<void> ConsumerGroup::apply(const PutCurrentAssignment& record) {
  const auto member = members_.find(record.member_id);
  if (member == members_.end()) return unknown("current assignment", record.member_id);
  member->second.current = record.assignment;
  return {};
}

Result<void> ConsumerGroup::apply(const EraseConsumerMember& record) {
  if (members_.erase(record.member_id) == 0) return unknown("erasure", record.member_id);
  return {};
}

Result<void> ConsumerGroup::apply(const PutRegex& record) {
  regexes_.insert_or_assign(record.regex, record.resolved);
  return {};
}

Result<void> ConsumerGroup::apply(const EraseRegex& record) {
  regexes_.erase(record.regex);
  return {};
}

}  // namespace tidegate::groups
