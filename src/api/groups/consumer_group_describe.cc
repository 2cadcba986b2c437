// ConsumerGroupDescribe (key 69): state and members of KIP-848 groups.
#include "tidegate/protocol/messages/consumer_group_describe.h"

#include <fmt/format.h>

#include "../admin/answers.h"
#include "../handler.h"
#include "../rows.h"
#include "group_requests.h"
#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::api {
namespace {

using Request = protocol::ConsumerGroupDescribeRequest;
using Response = protocol::ConsumerGroupDescribeResponse;

constexpr std::int8_t kClassicMember = 0;
constexpr std::int8_t kConsumerMember = 1;

// Topics that went meanwhile are left out: there is no name to tell.
Response::Assignment to_assignment(const broker::TopicCatalogue& catalogue,
                                   std::vector<groups::TopicPartitions>& partitions) {
  Response::Assignment assignment;
  for (auto& topic : partitions) {
    const auto known = catalogue.find(topic.topic);
    if (!known) continue;
    assignment.topic_partitions.push_back({topic.topic, known->topic.name, std::move(topic.partitions)});
  }
  return assignment;
}

void fill(const broker::TopicCatalogue& catalogue, Response::DescribedGroup& told,
          groups::ConsumerDescription described) {
  told.group_state = groups::state_name(described.state);
  told.group_epoch = described.group_epoch;
  told.assignment_epoch = described.assignment_epoch;
  told.assignor_name = std::move(described.assignor);
  told.members.reserve(described.members.size());
  for (auto& member : described.members) {
    auto& out = told.members.emplace_back();
    out.member_id = std::move(member.member_id);
    out.instance_id = std::move(member.instance_id);
    out.rack_id = std::move(member.rack_id);
    out.member_epoch = member.member_epoch;
    out.client_id = std::move(member.client_id);
    out.client_host = std::move(member.client_host);
    out.subscribed_topic_names = std::move(member.subscribed_topics);
    if (!member.subscribed_regex.empty()) out.subscribed_topic_regex = std::move(member.subscribed_regex);
    out.assignment = to_assignment(catalogue, member.assignment);
    out.target_assignment = to_assignment(catalogue, member.target_assignment);
    out.member_type = member.classic ? kClassicMember : kConsumerMember;
  }
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  Response response;
  const bool enabled = context->broker->groups().limits().consumer_enabled;
  for (std::string& group : request.group_ids) {
    auto& told = response.groups.emplace_back();
    told.group_id = group;
    told.error_code = enabled ? check_group_id(group) : ErrorCode::unsupported_version;
    if (told.error_code != ErrorCode::none) continue;
    auto described = co_await context->broker->groups().describe_consumer(group);
    if (described) {
      fill(context->broker->topics(), told, std::move(*described));
      if (request.include_authorized_operations) told.authorized_operations = kAllGroupOperations;
      continue;
    }
    told.error_code = described.error().code;
    if (told.error_code == ErrorCode::group_id_not_found) {
      told.error_message = fmt::format("There is no consumer group '{}'.", group);
    } else if (!described.error().message.empty()) {
      told.error_message = std::move(described.error().message);
    }
  }
  const ErrorCode first = first_error(response.groups);
  co_return make_reply(*context, std::move(response), first);
}

}  // namespace

ApiRow consumer_group_describe_row() { return make_row<Request, handle>({.name = "ConsumerGroupDescribe"}); }

}  // namespace tidegate::api
