// What client quotas mean for one request (KIP-124, KIP-219): the answer leaves at once and says how long the
// client has to be quiet, and so long its connection is not read. Without quotas each of these is one look at
// a pointer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tidegate/api/api_table.h"

namespace tidegate::api {

// Produce: counts the whole request.
void count_produced(RequestContext& context);
// Fetch: whether the client may have `bytes` of records now. They are counted if so.
bool may_fetch(RequestContext& context, std::size_t bytes);
// Fetch: counts what else the answer has.
void count_fetched(RequestContext& context, std::size_t bytes);
// Fetch: the client's max_bytes, or less when more than that could never be given within its quota.
std::int32_t fetch_limit(const RequestContext& context, std::int32_t max_bytes);

// How long the client shall stay quiet. The one place that decides it, for every API.
std::int32_t throttle_time_ms(RequestContext& context);

// The time that shards work for a request, for the quota request_percentage. Of every row:
// makes context.work where somebody has such a quota,
void begin_counting(RequestContext& context);
// and counts what came after throttle_time_ms().
void end_counting(RequestContext& context);

}  // namespace tidegate::api
