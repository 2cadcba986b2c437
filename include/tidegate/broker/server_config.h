// Server settings: the one table that --help, the environment, docs/configuration.md, DescribeConfigs
// of the broker resource and app/ are made from.
#pragma once

#include <string>
#include <vector>

#include "tidegate/base/config_table.h"
#include "tidegate/base/ids.h"

namespace tidegate::broker {

const ConfigTable& server_config_table();

// What no single value shows: settings that contradict each other. invalid_config with the names.
Result<void> check_server_config(const ConfigValues& values);

// listeners and advertised.listeners without those that Kafka's controllers would use.
std::vector<std::string> client_listeners(const ConfigValues& values);
std::vector<std::string> client_advertised_listeners(const ConfigValues& values);

// Settings that go by several names.
std::string server_data_dir(const ConfigValues& values);  // data.dir, log.dirs, log.dir
NodeId server_node_id(const ConfigValues& values);        // node.id, broker.id

// docs/configuration.md, from this table and the topic table.
std::string configuration_markdown();

}  // namespace tidegate::broker
