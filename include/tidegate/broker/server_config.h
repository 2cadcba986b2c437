// Server settings: the one table that --help, the environment, docs/configuration.md, DescribeConfigs
// of the broker resource and app/ are made from.
#pragma once

#include "tidegate/base/config_table.h"

namespace tidegate::broker {

const ConfigTable& server_config_table();

}  // namespace tidegate::broker
