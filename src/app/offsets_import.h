// `tidegate offsets import`: commits what legacy files hold to a running gateway, as any Kafka client
// would. All files are read before anything is sent, and one that cannot be read stops the import.
#pragma once

#include "command_line.h"

namespace tidegate::app {

// Exit status. Says on standard output what was (or would be) committed, on standard error what is wrong.
int import_offsets(const CommandLine& line);

}  // namespace tidegate::app
