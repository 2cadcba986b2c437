// DescribeCluster (key 60): the brokers, without topics.
#include "tidegate/protocol/messages/describe_cluster.h"

#include <fmt/format.h>

#include "../handler.h"
#include "../rows.h"
#include "answers.h"
#include "tidegate/broker/broker.h"

namespace tidegate::api {
namespace {

using Request = protocol::DescribeClusterRequest;
using Response = protocol::DescribeClusterResponse;

// KIP-919: what kind of server the client wants to talk to.
constexpr std::int8_t kBrokers = 1;
constexpr std::int8_t kControllers = 2;

Task<Response> handle(RequestContextPtr context, Request request) {
  Response response;
  if (request.endpoint_type == kControllers) {
    set_error(response, ErrorCode::mismatched_endpoint_type,
              "This is a broker's endpoint, not a controller's.");
    co_return response;
  }
  if (request.endpoint_type != kBrokers) {
    set_error(response, ErrorCode::unsupported_endpoint_type,
              fmt::format("There is no endpoint type {}.", request.endpoint_type));
    co_return response;
  }
  const storage::Cluster& cluster = context->broker->parts().cluster;
  response.cluster_id = cluster.cluster_id();
  response.controller_id = cluster.self();
  for (BrokerAddress& address : broker_addresses(*context)) {
    auto& broker = response.brokers.emplace_back();
    broker.broker_id = address.node;
    broker.host = std::move(address.host);
    broker.port = address.port;
    broker.rack = std::move(address.rack);
  }
  if (request.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = kAllClusterOperations;
  }
  co_return response;
}

}  // namespace

ApiRow describe_cluster_row() { return make_row<Request, handle>({.name = "DescribeCluster"}); }

}  // namespace tidegate::api
