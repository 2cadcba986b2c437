// The commands and options of the command line as plain data: the manual page and the shell's completion are
// made from them.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tidegate::app {

struct CommandOption {
  std::vector<std::string> names;  // "--config"; empty: an argument without a name
  std::string value;               // "FILE"; empty: a flag
  std::string description;
};

struct CommandNode {
  std::string name;
  std::string description;
  std::vector<CommandOption> options;
  std::vector<CommandNode> commands;
};

CommandNode command_tree(const CLI::App& app);

}  // namespace tidegate::app
