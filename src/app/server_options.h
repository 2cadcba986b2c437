// The server's limits and listeners, from the settings.
#pragma once

#include <vector>

#include "listeners.h"
#include "tidegate/base/config_table.h"
#include "tidegate/server/server.h"

namespace tidegate::app {

server::ServerOptions make_server_options(const ConfigValues& config, const std::vector<Listener>& listeners);

}  // namespace tidegate::app
