// Fetch (key 1). Translates between the message and broker/fetch_path.
#include <utility>

#include "close_watch.h"
#include "handler.h"
#include "leader_hints.h"
#include "rows.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/fetch_path.h"
#include "tidegate/protocol/messages/fetch.h"

namespace tidegate::api {
namespace {

using protocol::FetchRequest;
using protocol::FetchResponse;

constexpr std::int16_t kZstdFrom = 10;
constexpr std::int16_t kTopicIdsFrom = 13;
constexpr std::int16_t kReplicaStateFrom = 15;
constexpr std::int8_t kReadCommitted = 1;

broker::FetchQuery to_query(const RequestContext& context, FetchRequest& request) {
  const std::int16_t version = context.version;
  broker::FetchQuery query;
  if (context.session) query.connection = context.session->connection_id;
  query.max_wait_ms = request.max_wait_ms;
  query.min_bytes = request.min_bytes;
  query.max_bytes = fetch_limit(context, request.max_bytes);
  query.session_id = request.session_id;
  query.session_epoch = request.session_epoch;
  query.by_id = version >= kTopicIdsFrom;
  query.zstd_allowed = version >= kZstdFrom;
  query.follower =
      (version >= kReplicaStateFrom ? request.replica_state.replica_id : request.replica_id) >= 0;
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) {
      query.wants.push_back({.key = {topic.topic, topic.topic_id, partition.partition},
                             .current_leader_epoch = partition.current_leader_epoch,
                             .fetch_offset = partition.fetch_offset,
                             .last_fetched_epoch = partition.last_fetched_epoch,
                             .max_bytes = partition.partition_max_bytes});
    }
  }
  for (const auto& topic : request.forgotten_topics_data) {
    for (const std::int32_t partition : topic.partitions) {
      query.forgotten.push_back({topic.topic, topic.topic_id, partition});
    }
  }
  return query;
}

FetchResponse::PartitionData to_data(broker::FetchedPartition& partition, bool read_committed) {
  FetchResponse::PartitionData data;
  data.partition_index = partition.key.partition;
  data.error_code = partition.error;
  data.high_watermark = partition.high_watermark;
  data.last_stable_offset = partition.high_watermark;  // no transaction is ever open
  data.log_start_offset = partition.log_start;
  if (partition.diverging) data.diverging_epoch = {partition.diverging->epoch, partition.diverging->end};
  if (!read_committed && partition.error == ErrorCode::none) data.aborted_transactions.reset();
  auto& records = data.records.emplace();
  for (SharedBuffer& chunk : partition.records) records.add(std::move(chunk));
  return data;
}

FetchResponse to_response(const RequestContext& context, broker::FetchReply& reply, bool read_committed,
                          ErrorCode& first_error) {
  FetchResponse response;
  response.error_code = reply.error;
  response.session_id = reply.session_id;
  first_error = reply.error;
  LeaderHints<FetchResponse> hints(context, kFetchHintsFrom, kFetchEndpointsFrom);
  for (broker::FetchedPartition& partition : reply.partitions) {
    auto& topics = response.responses;
    if (topics.empty() || topics.back().topic != partition.key.name ||
        topics.back().topic_id != partition.key.id) {
      topics.push_back({.topic = partition.key.name, .topic_id = partition.key.id});
    }
    if (first_error == ErrorCode::none) first_error = partition.error;
    auto data = to_data(partition, read_committed);
    if (hints.add(partition.leader, response))
      data.current_leader = {partition.leader.node, partition.leader.epoch};
    topics.back().partitions.push_back(std::move(data));
  }
  return response;
}

std::size_t size_of(const Reply& reply) {
  std::size_t bytes = 0;
  for (const SharedBuffer& chunk : reply.chunks) bytes += chunk.size();
  return bytes;
}

Task<Reply> handle(RequestContextPtr context, FetchRequest request) {
  const bool read_committed = request.isolation_level == kReadCommitted;
  auto cancel = std::make_shared<broker::FetchCancel>();
  const CloseWatch<broker::FetchCancel> watch(context->session, cancel);
  std::size_t records = 0;
  broker::FetchAllowance allowance = [&context, &records](std::size_t bytes) {
    records = bytes;
    return may_fetch(*context, bytes);
  };
  auto reply = co_await context->broker->fetch().fetch(to_query(*context, request), std::move(cancel),
                                                       std::move(allowance));
  ErrorCode error = ErrorCode::none;
  FetchResponse response = to_response(*context, reply, read_committed, error);
  Reply out = make_reply(*context, std::move(response), error);
  out.charge = std::move(reply.charge);
  if (const std::size_t size = size_of(out); !reply.refused && size > records) {
    count_fetched(*context, size - records);
  }
  co_return out;
}

}  // namespace

ApiRow fetch_row() {
  return make_row<FetchRequest, handle>({.name = "Fetch", .lane = RequestLane::waiting, .waits = true});
}

}  // namespace tidegate::api
