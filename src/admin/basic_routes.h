// The routes of probes, scrapers and operators' scripts. The page and its API are in api_*.h.
#pragma once

#include <vector>

#include "http_routes.h"
#include "tidegate/admin/admin_server.h"

namespace tidegate::admin {

// `sources` outlives the routes.
std::vector<Route> basic_routes(const AdminSources& sources);

}  // namespace tidegate::admin
