// The glue between the table and a handler: decode the body, call the handler, set throttle_time_ms,
// encode. Included by each API's own .cc and nowhere else.
//
// A handler is a coroutine on the connection's shard that cannot fail: what goes wrong is an error code
// in its response.
//
//   // src/api/admin/describe_cluster.cc
//   namespace {
//   Task<protocol::DescribeClusterResponse> handle(RequestContextPtr context,
//                                                  protocol::DescribeClusterRequest request) {
//     protocol::DescribeClusterResponse response;
//     response.cluster_id = context->broker->parts().cluster.cluster_id();
//     co_return response;
//   }
//   }  // namespace
//   ApiRow describe_cluster_row() {
//     return make_row<protocol::DescribeClusterRequest, protocol::DescribeClusterResponse, handle>(
//         {.name = "DescribeCluster", .lane = RequestLane::parallel});
//   }
//
// Then a declaration in rows.h and a line in api_table.cc. Key, versions and the first flexible version
// come from the message. A handler that does not want the plain glue (Produce with acks=0, ApiVersions
// above its range) takes an ApiRow from make_row() and replaces invoke.
#pragma once

#include "tidegate/api/api_table.h"

namespace tidegate::api {

struct RowOptions {
  std::string_view name;
  RequestLane lane = RequestLane::parallel;
  double memory_factor = 8;
};

}  // namespace tidegate::api
