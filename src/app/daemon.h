// The running daemon: makes every part, starts them in order, waits for a signal, stops them in the
// opposite order. The only place that names a storage engine or a real clock.
#pragma once

#include "command_line.h"
#include "tidegate/base/config_table.h"

namespace tidegate::app {

// Serves until SIGTERM or SIGINT. Returns the exit status: 0 after a drain, 1 when it could not start
// (one line on standard error says why).
int run_daemon(const CommandLine& line, ConfigValues config);

}  // namespace tidegate::app
