// As rows.h: the APIs that consoles and operators call to see what the server is doing.
#pragma once

#include "tidegate/api/api_table.h"

namespace tidegate::api {

ApiRow alter_client_quotas_row();
ApiRow describe_client_quotas_row();
ApiRow describe_log_dirs_row();
ApiRow describe_producers_row();
ApiRow describe_quorum_row();
ApiRow elect_leaders_row();
ApiRow list_config_resources_row();
ApiRow list_partition_reassignments_row();

}  // namespace tidegate::api
