#include "protocol/message_type_of.h"
#include "tidegate/protocol/messages/describe_groups.h"
#include "tidegate/protocol/messages/fetch.h"
#include "tidegate/protocol/messages/find_coordinator.h"
#include "tidegate/protocol/messages/heartbeat.h"
#include "tidegate/protocol/messages/join_group.h"
#include "tidegate/protocol/messages/leave_group.h"
#include "tidegate/protocol/messages/list_groups.h"
#include "tidegate/protocol/messages/list_offsets.h"
#include "tidegate/protocol/messages/metadata.h"
#include "tidegate/protocol/messages/offset_commit.h"
#include "tidegate/protocol/messages/offset_fetch.h"
#include "tidegate/protocol/messages/produce.h"
#include "tidegate/protocol/messages/sync_group.h"

namespace tidegate::protocol::testkit {

void add_messages_below_18(std::vector<MessageType>& types) {
  add_api<ProduceRequest, ProduceResponse>(types);
  add_api<FetchRequest, FetchResponse>(types);
  add_api<ListOffsetsRequest, ListOffsetsResponse>(types);
  add_api<MetadataRequest, MetadataResponse>(types);
  add_api<OffsetCommitRequest, OffsetCommitResponse>(types);
  add_api<OffsetFetchRequest, OffsetFetchResponse>(types);
  add_api<FindCoordinatorRequest, FindCoordinatorResponse>(types);
  add_api<JoinGroupRequest, JoinGroupResponse>(types);
  add_api<HeartbeatRequest, HeartbeatResponse>(types);
  add_api<LeaveGroupRequest, LeaveGroupResponse>(types);
  add_api<SyncGroupRequest, SyncGroupResponse>(types);
  add_api<DescribeGroupsRequest, DescribeGroupsResponse>(types);
  add_api<ListGroupsRequest, ListGroupsResponse>(types);
}

}  // namespace tidegate::protocol::testkit
