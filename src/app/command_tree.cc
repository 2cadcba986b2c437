#include "command_tree.h"

#include <CLI/CLI.hpp>

namespace tidegate::app {

CommandNode command_tree(const CLI::App& app) {
  CommandNode node{app.get_name(), app.get_description(), {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    CommandOption each;
    for (const auto& name : option->get_snames()) each.names.push_back("-" + name);
    for (const auto& name : option->get_lnames()) each.names.push_back("--" + name);
    const bool is_flag = option->get_items_expected_max() == 0;
    if (each.names.empty()) {
      each.value = option->get_name(true);
    } else if (!is_flag) {
      each.value = option->get_type_name();
    }
    each.description = option->get_description();
    node.options.push_back(std::move(each));
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    node.commands.push_back(command_tree(*command));
  }
  return node;
}

}  // namespace tidegate::app
