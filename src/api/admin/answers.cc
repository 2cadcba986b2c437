#include "answers.h"

#include <algorithm>

#include <fmt/format.h>

#include "tidegate/broker/broker.h"

namespace tidegate::api {

std::vector<BrokerAddress> broker_addresses(const RequestContext& context) {
  const storage::Cluster& cluster = context.broker->parts().cluster;
  const ClientSession& session = *context.session;
  std::vector<BrokerAddress> addresses;
  std::vector<storage::Member> members = cluster.members();
  // It answers, whatever others think of it: clients forget brokers that no answer names.
  const auto is_self = [&](const storage::Member& member) { return member.node == cluster.self(); };
  if (std::ranges::none_of(members, is_self)) members.push_back({.node = cluster.self()});
  for (const storage::Member& member : members) {
    BrokerAddress address{.node = member.node, .host = {}, .port = 0, .rack = std::nullopt};
    if (!member.rack.empty()) address.rack = member.rack;
    const auto same = std::ranges::find(member.endpoints, session.listener, &storage::Endpoint::listener);
    if (member.node == cluster.self()) {
      address.host = session.advertised_host;
      address.port = session.advertised_port;
    } else if (same != member.endpoints.end()) {
      address.host = same->host;
      address.port = same->port;
    } else {
      continue;  // it cannot be reached from this listener
    }
    addresses.push_back(std::move(address));
  }
  return addresses;
}

bool is_internal_topic(std::string_view name) {
  return name == "__consumer_offsets" || name == "__transaction_state" || name == "__share_group_state";
}

Leader leader_of(const RequestContext& context, const PartitionId& partition) {
  const broker::BrokerParts& parts = context.broker->parts();
  return {parts.cluster.owner_of(partition).node, parts.engine.leader_epoch(partition)};
}

std::int8_t config_source_number(broker::TopicSetting::Source source) {
  switch (source) {
    case broker::TopicSetting::Source::topic:
      return 1;
    case broker::TopicSetting::Source::server:
      return 4;
    case broker::TopicSetting::Source::default_value:
      return 5;
  }
  return 0;
}

Result<void> check_replicas(const RequestContext& context, const std::vector<std::int32_t>& replicas) {
  const auto bad = [](std::string message) {
    return fail(ErrorCode::invalid_replica_assignment, std::move(message));
  };
  if (replicas.empty()) return bad("The manual assignment has an empty replica list.");
  const auto members = context.broker->parts().cluster.members();
  for (auto at = replicas.begin(); at != replicas.end(); ++at) {
    if (std::ranges::find(members, *at, &storage::Member::node) == members.end()) {
      return bad(fmt::format("The manual assignment names broker {}, which does not exist.", *at));
    }
    if (std::find(replicas.begin(), at, *at) != at) {
      return bad(fmt::format("The manual assignment names broker {} twice for one partition.", *at));
    }
  }
  return {};
}

}  // namespace tidegate::api
