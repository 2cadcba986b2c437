// The command line, parsed. Options that are only another spelling of a setting end up in the settings;
// nothing is decided here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "command_tree.h"
#include "tidegate/base/config_table.h"

namespace tidegate::app {

struct CommandLine {
  enum class Command { serve, version, health, config, docs, offsets_import, groups_plan };
  Command command = Command::serve;

  std::string config_file;               // serve, config
  std::vector<std::string> assignments;  // --set
  std::vector<std::string> listen;
  std::vector<std::string> advertise;
  std::optional<std::string> data_dir;
  std::optional<std::string> engine;
  std::optional<std::string> admin;  // serve, health
  std::optional<std::string> log_format;
  std::optional<std::string> log_level;
  bool ready_json = false;

  bool check_only = false;  // config --check
  bool print_only = false;  // config --print, which is what it does anyway

  std::vector<std::string> paths;  // offsets import
  std::string bootstrap = "127.0.0.1:9092";
  std::optional<std::string> group;
  bool dry_run = false;
  bool overwrite = false;

  std::string plan_file;  // groups plan; - is the standard input

  std::string docs_page;  // docs: configuration, compatibility, man or completion
};

// The command line, or the status to exit with when the parser has said all there is to say (--help,
// a usage error).
struct ParsedCommandLine {
  CommandLine line;
  std::optional<int> exit_status;
  CommandNode commands;  // of docs: all that there are
};
ParsedCommandLine parse_command_line(int argc, const char* const* argv, const ConfigTable& table);

// File, environment and command line over the defaults, in this order.
Result<ConfigValues> load_config(const CommandLine& line, const ConfigTable& table,
                                 const char* const* environment);

}  // namespace tidegate::app
