// Leader hints (KIP-951): with NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH a response says who leads
// the partition and where that node listens, so that a client need not ask Metadata first.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tidegate/api/api_table.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/produce_path.h"
#include "tidegate/storage/engine.h"

namespace tidegate::api {

inline constexpr std::int16_t kProduceHintsFrom = 10;
inline constexpr std::int16_t kFetchHintsFrom = 12;      // the leader
inline constexpr std::int16_t kFetchEndpointsFrom = 16;  // and its address

// Collects the endpoints of one response.
template <class Response>
class LeaderHints {
 public:
  LeaderHints(const RequestContext& context, std::int16_t hints_from, std::int16_t endpoints_from = 0)
      : context_(context),
        tells_(context.version >= hints_from),
        endpoints_(context.version >= std::max(hints_from, endpoints_from)) {}

  // True when the partition is to name the leader; its endpoint is then in the response too.
  bool add(const broker::LeaderHint& leader, Response& response) {
    if (!tells_ || leader.node < 0) return false;
    if (endpoints_ && std::ranges::none_of(response.node_endpoints,
                                           [&](const auto& known) { return known.node_id == leader.node; })) {
      add_endpoint(leader.node, response);
    }
    return true;
  }

 private:
  void add_endpoint(NodeId node, Response& response) {
    const storage::Cluster& cluster = context_.broker->parts().cluster;
    for (const storage::Member& member : cluster.members()) {
      if (member.node != node) continue;
      // Of ourselves the client gets what its own listener advertises.
      if (node == cluster.self() && context_.session && !context_.session->advertised_host.empty()) {
        response.node_endpoints.push_back({.node_id = node,
                                           .host = context_.session->advertised_host,
                                           .port = context_.session->advertised_port});
        if (!member.rack.empty()) response.node_endpoints.back().rack = member.rack;
        return;
      }
      for (const storage::Endpoint& endpoint : member.endpoints) {
        if (context_.session && endpoint.listener != context_.session->listener) continue;
        response.node_endpoints.push_back({.node_id = node, .host = endpoint.host, .port = endpoint.port});
        if (!member.rack.empty()) response.node_endpoints.back().rack = member.rack;
        return;
      }
    }
  }

  const RequestContext& context_;
  bool tells_;
  bool endpoints_;
};

}  // namespace tidegate::api
