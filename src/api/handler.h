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
//     return make_row<protocol::DescribeClusterRequest, handle>(
//         {.name = "DescribeCluster", .lane = RequestLane::parallel});
//   }
//
// Then a declaration in rows.h and a line in api_table.cc. Key, versions, the first flexible version and
// the memory factor come from the message. What does not fit the glue (ApiVersions above its range)
// takes an ApiRow from make_row() and replaces invoke.
#pragma once

#include <string>
#include <utility>

#include "throttle.h"
#include "tidegate/api/api_table.h"
#include "tidegate/protocol/codec.h"

namespace tidegate::api {

struct RowOptions {
  std::string_view name;
  RequestLane lane = RequestLane::parallel;
  bool waits = false;  // see ApiRow
};

// Ends the connection: the bytes were not the request they said they were.
inline Reply malformed(const Error& error) {
  return {.send = false, .close = true, .close_reason = "malformed request: " + error.message};
}

// Sets throttle_time_ms and encodes. `first_error` is for metrics.
template <class Response>
Reply make_reply(RequestContext& context, Response response, ErrorCode first_error = ErrorCode::none) {
  Reply reply;
  reply.throttle_ms = throttle_time_ms(context);
  if constexpr (requires { response.throttle_time_ms; }) response.throttle_time_ms = reply.throttle_ms;
  if constexpr (requires { response.error_code; }) {
    if (first_error == ErrorCode::none) first_error = response.error_code;
  }
  reply.error_code = static_cast<std::int16_t>(first_error);
  reply.chunks = protocol::encode_response(response, context.version, context.correlation_id);
  return reply;
}

// A handler that gives a Reply (made with make_reply) instead of the response says more than a
// response can: the first error for metrics, a memory charge, no answer at all.
template <class Request, auto Handle>
Task<Reply> invoke(RequestContextPtr context, SharedBuffer body) {
  auto request = protocol::decode_request<Request>(std::move(body), context->version);
  if (!request) co_return malformed(request.error());
  using Handled = decltype(Handle(context, std::move(*request)));
  if constexpr (std::is_same_v<Handled, Task<Reply>>) {
    co_return co_await Handle(std::move(context), std::move(*request));
  } else {
    auto response = co_await Handle(context, std::move(*request));
    co_return make_reply(*context, std::move(response));
  }
}

template <class Request, auto Handle>
ApiRow make_row(RowOptions options) {
  constexpr auto versions = Request::versions;
  ApiRow row;
  row.key = Request::kApiKey;
  row.name = options.name;
  row.min_version = versions.min;
  row.max_version = versions.max;
  row.flexible_from =
      versions.flexible.version == protocol::kEveryVersion ? std::int16_t{-1} : versions.flexible.version;
  row.lane = options.lane;
  row.waits = options.waits;
  row.memory_factor = Request::kMemoryFactor;
  row.invoke = &invoke<Request, Handle>;
  row.begin = &begin_counting;
  row.end = &end_counting;
  row.advertised_min = versions.min;
  return row;
}

}  // namespace tidegate::api
