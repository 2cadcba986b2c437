// SIGHUP and POST /config/reload: the settings are read again from where they came from at the start, and
// what the table marks as reloadable takes effect. All of a bad file is refused. Lives on shard 0.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "command_line.h"
#include "tidegate/base/config_table.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/result.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/task.h"

namespace tidegate::app {

class ConfigReload {
 public:
  // Hands what changed to those who keep copies of it. On shard 0, after `live` has the values.
  using Apply = std::function<Task<void>(ConfigValues::Changes)>;

  // What is passed by reference outlives this and every run(); `line` also what a run() has left to
  // `blocking`.
  ConfigReload(const CommandLine& line, ConfigValues& live, BlockingPool& blocking, MetricRegistry& metrics,
               Apply apply);

  // One at a time: a second one waits. Logs what came of it, with `reason` ("SIGHUP"). The error says why
  // nothing has changed. On shard 0.
  Task<Result<ConfigValues::Changes>> run(std::string reason);

 private:
  Task<Result<ConfigValues::Changes>> reload();

  const CommandLine& line_;
  ConfigValues& live_;
  BlockingPool& blocking_;
  Counter& reloaded_;
  Counter& refused_;
  Apply apply_;
  bool running_ = false;
  Event ended_;
};

// What POST /config/reload answers: {"reloaded":[...],"needs_restart":[...]} or {"error":"..."}.
std::string reload_page(const Result<ConfigValues::Changes>& outcome);

}  // namespace tidegate::app
