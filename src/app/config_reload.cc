#include "config_reload.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config_check.h"
#include "tidegate/broker/schema_config.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::app {
namespace {

Result<ConfigValues> read_again(const CommandLine& line, const ConfigTable& table) {
  auto fresh = load_config(line, table, environ);
  if (!fresh) return fresh;
  if (auto sound = check_config(*fresh); !sound) return fail(std::move(sound.error()));
  return fresh;
}

}  // namespace

ConfigReload::ConfigReload(const CommandLine& line, ConfigValues& live, BlockingPool& blocking,
                           MetricRegistry& metrics, Apply apply)
    : line_(line),
      live_(live),
      blocking_(blocking),
      reloaded_(metrics.counter("tidegate_config_reloads_total", "Times that the settings were read again",
                                {{"result", "reloaded"}})),
      refused_(metrics.counter("tidegate_config_reloads_total", "Times that the settings were read again",
                               {{"result", "refused"}})),
      apply_(std::move(apply)) {}

Task<Result<ConfigValues::Changes>> ConfigReload::reload() {
  // A file that hangs may outlive this; the line and the table live as long as the process.
  auto read = [&line = line_, &table = live_.table()] { return read_again(line, table); };
  auto fresh = co_await blocking_.run(Lane::metadata, std::move(read));
  if (!fresh) co_return fail(std::move(fresh.error()));
  // The client of the registry is made at the start, or not.
  constexpr std::string_view kRegistry = "schema.registry.url";
  const bool comes_or_goes = broker::has_schema_registry(*fresh) != broker::has_schema_registry(live_);
  auto changes = live_.reload(*fresh, comes_or_goes ? kRegistry : std::string_view{});
  co_await apply_(changes);
  co_return changes;
}

Task<Result<ConfigValues::Changes>> ConfigReload::run(std::string reason) {
  while (running_) co_await ended_.wait();
  running_ = true;
  auto outcome = co_await reload();
  running_ = false;
  ended_.notify_all();
  if (!outcome) {
    refused_.add();
    spdlog::error("event=config_reload_refused reason={} error=\"{}\"", reason, outcome.error().message);
    co_return outcome;
  }
  reloaded_.add();
  spdlog::info("event=config_reloaded reason={} changed=\"{}\"", reason, fmt::join(outcome->reloaded, ","));
  if (!outcome->fixed.empty()) {
    spdlog::warn("event=config_needs_restart settings=\"{}\"", fmt::join(outcome->fixed, ","));
  }
  co_return outcome;
}

std::string reload_page(const Result<ConfigValues::Changes>& outcome) {
  if (!outcome) return nlohmann::ordered_json{{"error", outcome.error().message}}.dump() + "\n";
  const nlohmann::ordered_json page = {{"reloaded", outcome->reloaded}, {"needs_restart", outcome->fixed}};
  return page.dump() + "\n";
}

}  // namespace tidegate::app
