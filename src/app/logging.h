// Sets up spdlog for the process: lines on standard error, as text or as one JSON object a line (ts_ms since
// 1970, level, thread, event when the line begins with one, and msg, which is the text's whole line), written by a thread of their own so that a slow terminal never holds up a shard (then the oldest lines go).
#pragma once

#include <map>
#include <string>

#include "tidegate/base/result.h"

namespace tidegate::app {

// `format` is text, json, or auto: text on a terminal, json elsewhere; `level` one of trace, debug, info, warn, error, off.
Result<void> set_up_logging(const std::string& format, const std::string& level);
// Of every module and of what belongs to none.
Result<void> set_log_level(const std::string& level);
// By module (module_log.h, and "app" for what belongs to none); "*" is everything else. All or nothing:
// invalid_config names what there is. From any thread.
Result<void> set_log_levels(const std::map<std::string, std::string>& levels);
std::map<std::string, std::string> log_levels();
// Writes out what is queued. Call before the process ends.
void finish_logging();

}  // namespace tidegate::app
