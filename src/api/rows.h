// Every implemented Kafka API hands out its row here; api_table.cc lists them. A row is made with
// make_row() of handler.h in the API's own file, so that its codec is instantiated there alone.
#pragma once

#include "tidegate/api/api_table.h"

namespace tidegate::api {

// Data plane.
ApiRow api_versions_row();
ApiRow delete_records_row();
ApiRow fetch_row();
ApiRow init_producer_id_row();
ApiRow list_offsets_row();
ApiRow offset_for_leader_epoch_row();
ApiRow produce_row();

// Topics and configs.
ApiRow alter_configs_row();
ApiRow create_partitions_row();
ApiRow create_topics_row();
ApiRow delete_topics_row();
ApiRow describe_cluster_row();
ApiRow describe_configs_row();
ApiRow describe_topic_partitions_row();
ApiRow incremental_alter_configs_row();
ApiRow metadata_row();

// Groups and their offsets.
ApiRow consumer_group_describe_row();
ApiRow consumer_group_heartbeat_row();
ApiRow delete_groups_row();
ApiRow describe_groups_row();
ApiRow find_coordinator_row();
ApiRow heartbeat_row();
ApiRow join_group_row();
ApiRow leave_group_row();
ApiRow list_groups_row();
ApiRow offset_commit_row();
ApiRow offset_delete_row();
ApiRow offset_fetch_row();
ApiRow sync_group_row();

}  // namespace tidegate::api
