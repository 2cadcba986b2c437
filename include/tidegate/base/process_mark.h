// Which process this is, as a text that another process on the same machine can make use of after it has
// ended: whoever is started again finds out that its predecessor is gone, without waiting for it. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace tidegate {

// "<host>/<boot id>/<namespace of process ids>/<process id>/<its start, in ticks since the boot>"; empty
// where the system does not say all of that. No two processes have the same one.
std::string process_mark();

// True: the process with that mark has ended, for certain. False also where it cannot be told from here,
// because it ran on another machine, before a reboot or in another container.
bool process_has_ended(std::string_view mark);

}  // namespace tidegate
