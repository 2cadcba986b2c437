// DescribeQuorum (key 55): every live node may change the cluster's metadata, so all are voters, and who is
// asked leads. Kafka keeps that metadata in a log of its own; there is none here, so its offsets are -1, not
// known.
#include "tidegate/protocol/messages/describe_quorum.h"

#include "../handler.h"
#include "../rows_operations.h"
#include "answers.h"
#include "tidegate/broker/broker.h"

namespace tidegate::api {
namespace {

using Request = protocol::DescribeQuorumRequest;
using Response = protocol::DescribeQuorumResponse;
using Partition = Response::TopicData::PartitionData;

constexpr std::string_view kMetadataTopic = "__cluster_metadata";
constexpr std::int64_t kUnknownOffset = -1;

bool is_about_metadata(const Request& request) {
  return request.topics.size() == 1 && request.topics[0].topic_name == kMetadataTopic &&
         request.topics[0].partitions.size() == 1 && request.topics[0].partitions[0].partition_index == 0;
}

void describe(const RequestContext& context, Partition& partition) {
  const broker::BrokerParts& parts = context.broker->parts();
  partition.leader_id = parts.cluster.self();
  partition.leader_epoch = 0;  // it has always been the same one
  partition.high_watermark = kUnknownOffset;
  for (const storage::Member& member : parts.cluster.members()) {
    auto& voter = partition.current_voters.emplace_back();
    voter.replica_id = member.node;
    voter.log_end_offset = kUnknownOffset;
    voter.last_caught_up_timestamp = parts.clock.wall_ms();
  }
}

void add_nodes(const RequestContext& context, Response& response) {
  for (BrokerAddress& address : broker_addresses(context)) {
    auto& node = response.nodes.emplace_back();
    node.node_id = address.node;
    node.listeners.push_back({context.session->listener, std::move(address.host), address.port});
  }
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  Response response;
  response.error_message = std::nullopt;
  const bool known = is_about_metadata(request);
  ErrorCode error = ErrorCode::none;
  for (auto& topic : request.topics) {
    auto& told = response.topics.emplace_back();
    told.topic_name = std::move(topic.topic_name);
    for (const auto& asked : topic.partitions) {
      auto& partition = told.partitions.emplace_back();
      partition.partition_index = asked.partition_index;
      partition.error_message = std::nullopt;
      if (known) {
        describe(*context, partition);
      } else {
        error = ErrorCode::unknown_topic_or_partition;
        set_error(partition, error, "Only partition 0 of __cluster_metadata has a quorum.");
      }
    }
  }
  if (known && context->version >= 2) add_nodes(*context, response);  // KIP-853
  co_return make_reply(*context, std::move(response), error);
}

}  // namespace

ApiRow describe_quorum_row() { return make_row<Request, handle>({.name = "DescribeQuorum"}); }

}  // namespace tidegate::api
