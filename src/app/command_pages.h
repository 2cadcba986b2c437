// tidegate(1) and the completion of bash, from the commands, their options and the table of settings.
#pragma once

#include <string>
#include <string_view>

#include "command_tree.h"
#include "tidegate/base/config_table.h"

namespace tidegate::app {

// For man(7).
std::string manual_page(const CommandNode& root, const ConfigTable& table, std::string_view version);
// To be sourced; completes commands, options, the names of settings after --set and files.
std::string bash_completion(const CommandNode& root, const ConfigTable& table);

}  // namespace tidegate::app
