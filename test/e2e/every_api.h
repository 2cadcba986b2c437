// Every API that there is, with a request that is answered by any broker: for tests that go through all.
#pragma once

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
#include "tidegate/protocol/messages/describe_groups.h"
#include "tidegate/protocol/messages/describe_log_dirs.h"
#include "tidegate/protocol/messages/describe_producers.h"
#include "tidegate/protocol/messages/describe_quorum.h"
#include "tidegate/protocol/messages/describe_topic_partitions.h"
#include "tidegate/protocol/messages/elect_leaders.h"
#include "tidegate/protocol/messages/fetch.h"
#include "tidegate/protocol/messages/find_coordinator.h"
#include "tidegate/protocol/messages/heartbeat.h"
#include "tidegate/protocol/messages/incremental_alter_configs.h"
#include "tidegate/protocol/messages/init_producer_id.h"
#include "tidegate/protocol/messages/join_group.h"
#include "tidegate/protocol/messages/leave_group.h"
#include "tidegate/protocol/messages/list_config_resources.h"
#include "tidegate/protocol/messages/list_groups.h"
#include "tidegate/protocol/messages/list_offsets.h"
#include "tidegate/protocol/messages/list_partition_reassignments.h"
#include "tidegate/protocol/messages/metadata.h"
#include "tidegate/protocol/messages/offset_commit.h"
#include "tidegate/protocol/messages/offset_delete.h"
#include "tidegate/protocol/messages/offset_fetch.h"
#include "tidegate/protocol/messages/offset_for_leader_epoch.h"
#include "tidegate/protocol/messages/produce.h"
#include "tidegate/protocol/messages/sync_group.h"

namespace tidegate::test {

// Calls visit.operator()<Request, Response>(request) for each.
template <class Visit>
void for_each_api(Visit visit) {
  using namespace protocol;  // NOLINT: all of them
  ProduceRequest produce;
  produce.acks = 1;
  visit.template operator()<ProduceRequest, ProduceResponse>(produce);
  visit.template operator()<FetchRequest, FetchResponse>(FetchRequest{});
  visit.template operator()<ListOffsetsRequest, ListOffsetsResponse>(ListOffsetsRequest{});
  visit.template operator()<MetadataRequest, MetadataResponse>(MetadataRequest{});
  visit.template operator()<OffsetCommitRequest, OffsetCommitResponse>(OffsetCommitRequest{});
  visit.template operator()<OffsetFetchRequest, OffsetFetchResponse>(OffsetFetchRequest{});
  visit.template operator()<FindCoordinatorRequest, FindCoordinatorResponse>(FindCoordinatorRequest{});
  visit.template operator()<JoinGroupRequest, JoinGroupResponse>(JoinGroupRequest{});
  visit.template operator()<HeartbeatRequest, HeartbeatResponse>(HeartbeatRequest{});
  visit.template operator()<LeaveGroupRequest, LeaveGroupResponse>(LeaveGroupRequest{});
  visit.template operator()<SyncGroupRequest, SyncGroupResponse>(SyncGroupRequest{});
  visit.template operator()<DescribeGroupsRequest, DescribeGroupsResponse>(DescribeGroupsRequest{});
  visit.template operator()<ListGroupsRequest, ListGroupsResponse>(ListGroupsRequest{});
  visit.template operator()<ApiVersionsRequest, ApiVersionsResponse>(ApiVersionsRequest{});
  visit.template operator()<CreateTopicsRequest, CreateTopicsResponse>(CreateTopicsRequest{});
  visit.template operator()<DeleteTopicsRequest, DeleteTopicsResponse>(DeleteTopicsRequest{});
  visit.template operator()<DeleteRecordsRequest, DeleteRecordsResponse>(DeleteRecordsRequest{});
  visit.template operator()<InitProducerIdRequest, InitProducerIdResponse>(InitProducerIdRequest{});
  visit.template operator()<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>(
      OffsetForLeaderEpochRequest{});
  visit.template operator()<DescribeConfigsRequest, DescribeConfigsResponse>(DescribeConfigsRequest{});
  visit.template operator()<AlterConfigsRequest, AlterConfigsResponse>(AlterConfigsRequest{});
  visit.template operator()<CreatePartitionsRequest, CreatePartitionsResponse>(CreatePartitionsRequest{});
  visit.template operator()<DeleteGroupsRequest, DeleteGroupsResponse>(DeleteGroupsRequest{});
  visit.template operator()<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>(
      IncrementalAlterConfigsRequest{});
  visit.template operator()<OffsetDeleteRequest, OffsetDeleteResponse>(OffsetDeleteRequest{});
  visit.template operator()<DescribeClusterRequest, DescribeClusterResponse>(DescribeClusterRequest{});
  visit.template operator()<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse>(
      ConsumerGroupHeartbeatRequest{});
  visit.template operator()<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse>(
      ConsumerGroupDescribeRequest{});
  visit.template operator()<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse>(
      DescribeTopicPartitionsRequest{});
  visit.template operator()<DescribeLogDirsRequest, DescribeLogDirsResponse>(DescribeLogDirsRequest{});
  visit.template operator()<ElectLeadersRequest, ElectLeadersResponse>(ElectLeadersRequest{});
  visit.template operator()<ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse>(
      ListPartitionReassignmentsRequest{});
  visit.template operator()<DescribeQuorumRequest, DescribeQuorumResponse>(DescribeQuorumRequest{});
  visit.template operator()<DescribeProducersRequest, DescribeProducersResponse>(DescribeProducersRequest{});
  visit.template operator()<ListConfigResourcesRequest, ListConfigResourcesResponse>(
      ListConfigResourcesRequest{});
  visit.template operator()<DescribeClientQuotasRequest, DescribeClientQuotasResponse>(
      DescribeClientQuotasRequest{});
  visit.template operator()<AlterClientQuotasRequest, AlterClientQuotasResponse>(AlterClientQuotasRequest{});
}

}  // namespace tidegate::test
