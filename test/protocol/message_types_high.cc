#include "protocol/message_type_of.h"
#include "tidegate/protocol/messages/alter_client_quotas.h"
#include "tidegate/protocol/messages/alter_configs.h"
#include "tidegate/protocol/messages/api_versions.h"
#include "tidegate/protocol/messages/consumer_group_describe.h"
#include "tidegate/protocol/messages/consumer_group_heartbeat.h"
#include "tidegate/protocol/messages/create_partitions.h"
#include "tidegate/protocol/messages/create_topics.h"
#include "tidegate/protocol/messages/delete_groups.h"
#include "tidegate/protocol/messages/delete_records.h"
#include "tidegate/protocol/messages/delete_topics.h"
#include "tidegate/protocol/messages/describe_client_quotas.h"
#include "tidegate/protocol/messages/describe_cluster.h"
#include "tidegate/protocol/messages/describe_configs.h"
#include "tidegate/protocol/messages/describe_log_dirs.h"
#include "tidegate/protocol/messages/describe_producers.h"
#include "tidegate/protocol/messages/describe_quorum.h"
#include "tidegate/protocol/messages/describe_topic_partitions.h"
#include "tidegate/protocol/messages/elect_leaders.h"
#include "tidegate/protocol/messages/incremental_alter_configs.h"
#include "tidegate/protocol/messages/init_producer_id.h"
#include "tidegate/protocol/messages/list_config_resources.h"
#include "tidegate/protocol/messages/list_partition_reassignments.h"
#include "tidegate/protocol/messages/offset_delete.h"
#include "tidegate/protocol/messages/offset_for_leader_epoch.h"

namespace tidegate::protocol::testkit {

void add_messages_from_18(std::vector<MessageType>& types) {
  add_api<ApiVersionsRequest, ApiVersionsResponse>(types);
  add_api<CreateTopicsRequest, CreateTopicsResponse>(types);
  add_api<DeleteTopicsRequest, DeleteTopicsResponse>(types);
  add_api<DeleteRecordsRequest, DeleteRecordsResponse>(types);
  add_api<InitProducerIdRequest, InitProducerIdResponse>(types);
  add_api<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>(types);
  add_api<DescribeConfigsRequest, DescribeConfigsResponse>(types);
  add_api<AlterConfigsRequest, AlterConfigsResponse>(types);
  add_api<DescribeLogDirsRequest, DescribeLogDirsResponse>(types);
  add_api<CreatePartitionsRequest, CreatePartitionsResponse>(types);
  add_api<DeleteGroupsRequest, DeleteGroupsResponse>(types);
  add_api<ElectLeadersRequest, ElectLeadersResponse>(types);
  add_api<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>(types);
  add_api<ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse>(types);
  add_api<OffsetDeleteRequest, OffsetDeleteResponse>(types);
  add_api<DescribeClientQuotasRequest, DescribeClientQuotasResponse>(types);
  add_api<AlterClientQuotasRequest, AlterClientQuotasResponse>(types);
  add_api<DescribeQuorumRequest, DescribeQuorumResponse>(types);
  add_api<DescribeClusterRequest, DescribeClusterResponse>(types);
  add_api<DescribeProducersRequest, DescribeProducersResponse>(types);
  add_api<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse>(types);
  add_api<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse>(types);
  add_api<ListConfigResourcesRequest, ListConfigResourcesResponse>(types);
  add_api<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse>(types);
}

}  // namespace tidegate::protocol::testkit
