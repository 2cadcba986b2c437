// The table itself: one line per API, by key. ApiVersions, dispatch, admission, metrics and the docs'
// table all read it, so an API is either here, whole, or unknown to every client.
#include "tidegate/api/api_table.h"

#include <algorithm>
#include <vector>

#include "rows.h"
#include "rows_operations.h"

namespace tidegate::api {
namespace {

std::vector<ApiRow> make_table() {
  std::vector<ApiRow> rows{
      // Data plane.
      produce_row(),
      fetch_row(),
      list_offsets_row(),
      api_versions_row(),
      delete_records_row(),
      init_producer_id_row(),
      offset_for_leader_epoch_row(),

      // Topics and configs.
      metadata_row(),
      create_topics_row(),
      delete_topics_row(),
      create_partitions_row(),
      describe_configs_row(),
      alter_configs_row(),
      incremental_alter_configs_row(),
      describe_cluster_row(),
      describe_topic_partitions_row(),

      // Operations.
      describe_log_dirs_row(),
      describe_client_quotas_row(),
      alter_client_quotas_row(),
      elect_leaders_row(),
      list_partition_reassignments_row(),
      describe_quorum_row(),
      describe_producers_row(),
      list_config_resources_row(),

      // Groups and their offsets.
      find_coordinator_row(),
      join_group_row(),
      sync_group_row(),
      heartbeat_row(),
      leave_group_row(),
      describe_groups_row(),
      list_groups_row(),
      delete_groups_row(),
      offset_commit_row(),
      offset_fetch_row(),
      offset_delete_row(),
      consumer_group_heartbeat_row(),
      consumer_group_describe_row(),
  };
  std::ranges::sort(rows, {}, &ApiRow::key);
  return rows;
}

}  // namespace

std::span<const ApiRow> api_table() {
  static const std::vector<ApiRow> rows = make_table();
  return rows;
}

const ApiRow* find_api(std::int16_t key) {
  const auto rows = api_table();
  const auto at = std::ranges::lower_bound(rows, key, {}, &ApiRow::key);
  return at != rows.end() && at->key == key ? &*at : nullptr;
}

}  // namespace tidegate::api
