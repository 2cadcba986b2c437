#include "config_check.h"

#include "listeners.h"
#include "tidegate/broker/server_config.h"

namespace tidegate::app {

Result<void> check_config(const ConfigValues& values) {
  if (auto sound = broker::check_server_config(values); !sound) return sound;
  auto listeners =
      make_listeners(broker::client_listeners(values), broker::client_advertised_listeners(values));
  if (!listeners) return fail(std::move(listeners.error()));
  auto admin = parse_host_port(values.text("admin.listen"), "--admin");
  if (!admin) return fail(std::move(admin.error()));
  return {};
}

}  // namespace tidegate::app
