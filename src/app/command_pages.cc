#include "command_pages.h"

#include <algorithm>

namespace tidegate::app {
namespace {

// Text that roff takes as it is: no escape, no hyphen that it may turn into another sign, no request at the
// beginning of a line.
std::string roff(std::string_view text) {
  std::string out;
  if (text.starts_with('.') || text.starts_with('\'')) out += "\\&";
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out.push_back(c == '\n' ? ' ' : c);
    }
  }
  return out;
}

void append_options(std::string& out, const CommandNode& node) {
  for (const auto& option : node.options) {
    if (std::ranges::find(option.names, "--help") != option.names.end()) continue;
    out += ".TP\n";
    std::string head;
    for (const auto& name : option.names) head += (head.empty() ? "\\fB" : ", \\fB") + roff(name) + "\\fR";
    if (!option.value.empty()) head += (head.empty() ? "\\fI" : " \\fI") + roff(option.value) + "\\fR";
    out += head + "\n" + roff(option.description) + "\n";
  }
}

void append_commands(std::string& out, const CommandNode& node, const std::string& prefix) {
  for (const auto& command : node.commands) {
    const auto name = prefix + " " + command.name;
    out += ".SS " + roff(name) + "\n" + roff(command.description) + ".\n";
    append_options(out, command);
    append_commands(out, command, name);
  }
}

void append_settings(std::string& out, const ConfigTable& table) {
  for (const auto& key : table.keys()) {
    if (key.no_effect) continue;
    out += ".TP\n\\fB" + roff(key.name) + "\\fR";
    if (key.has_default && !key.default_value.empty()) out += " (" + roff(key.default_value) + ")";
    out += "\n" + roff(key.doc) + (key.reloadable ? " Reloaded on SIGHUP." : "") + "\n";
  }
}

struct Words {
  std::string of;  // the commands so far, with blanks between them
  std::string words;
  std::vector<CommandNode> below;
};

void collect(const CommandNode& node, const std::string& path, std::vector<Words>& out) {
  Words here{path, {}, node.commands};
  const auto add = [&](const std::string& word) { here.words += (here.words.empty() ? "" : " ") + word; };
  for (const auto& command : node.commands) add(command.name);
  for (const auto& option : node.options) {
    for (const auto& name : option.names) add(name);
  }
  out.push_back(here);
  for (const auto& command : node.commands) {
    collect(command, path.empty() ? command.name : path + " " + command.name, out);
  }
}

// Values of these kinds are names of files.
bool is_path(std::string_view value) { return value == "FILE" || value == "DIR" || value == "PATH"; }

void collect_paths(const CommandNode& node, std::vector<std::string>& out) {
  for (const auto& option : node.options) {
    if (!is_path(option.value)) continue;
    for (const auto& name : option.names) {
      if (std::ranges::find(out, name) == out.end()) out.push_back(name);
    }
  }
  for (const auto& command : node.commands) collect_paths(command, out);
}

}  // namespace

std::string manual_page(const CommandNode& root, const ConfigTable& table, std::string_view version) {
  std::string out = ".TH TIDEGATE 1 \"\" \"tidegate " + roff(version) + "\" \"Tidegate\"\n";
  out += ".SH NAME\ntidegate \\- serve Kafka clients\n";
  out += ".SH SYNOPSIS\n.B tidegate\n.I COMMAND\n.RI [ OPTIONS ]\n";
  out += ".SH DESCRIPTION\n" + roff(root.description) + ".\n";
  append_options(out, root);
  out += ".SH COMMANDS\n";
  append_commands(out, root, std::string(root.name));
  out +=
      ".SH SETTINGS\nWeakest first: the default in brackets, the file of \\fB\\-\\-config\\fR, the "
      "environment "
      "(\\fBTIDEGATE_NUM_PARTITIONS\\fR, \\fBKAFKA_NUM_PARTITIONS\\fR), the command line. Settings of Kafka "
      "that "
      "mean nothing here are accepted with a warning.\n";
  append_settings(out, table);
  out +=
      ".SH SIGNALS\n.TP\n\\fBSIGTERM\\fR, \\fBSIGINT\\fR\nEnd in order, within \\fBdrain.timeout.ms\\fR; a "
      "second "
      "one ends at once.\n.TP\n\\fBSIGHUP\\fR\nRead the settings again.\n";
  out +=
      ".SH EXIT STATUS\n0 when all went well, 1 when something failed (one line on standard error says "
      "what), 2 "
      "when the command line is not understood.\n";
  return out;
}

std::string bash_completion(const CommandNode& root, const ConfigTable& table) {
  std::vector<Words> all;
  collect(root, "", all);
  std::vector<std::string> paths;
  collect_paths(root, paths);
  std::string commands;
  std::string words;
  for (const auto& each : all) {
    if (!each.of.empty()) commands += (commands.empty() ? "\"" : " | \"") + each.of + "\"";
    words += "    \"" + each.of + "\") words=\"" + each.words + "\" ;;\n";
  }
  std::string path_options;
  for (const auto& each : paths) path_options += (path_options.empty() ? "" : " | ") + each;
  std::string settings;
  for (const auto& key : table.keys()) settings += " " + std::string(key.name) + "=";
  return "# bash completion of tidegate: printed by `tidegate docs completion`\n"
         "_tidegate() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at= word words=\n"
         "  COMPREPLY=()\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    case \"${at:+$at }$word\" in\n"
         "      " +
         commands +
         ") at=\"${at:+$at }$word\" ;;\n"
         "    esac\n"
         "  done\n"
         "  case $prev in\n"
         "    --set)\n"
         "      compopt -o nospace 2>/dev/null\n"
         "      COMPREPLY=($(compgen -W \"" +
         settings.substr(1) +
         "\" -- \"$cur\"))\n"
         "      return ;;\n"
         "    " +
         path_options +
         ")\n"
         "      COMPREPLY=($(compgen -f -- \"$cur\"))\n"
         "      return ;;\n"
         "  esac\n"
         "  case $at in\n" +
         words +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
         "}\n"
         "complete -o default -F _tidegate tidegate\n";
}

}  // namespace tidegate::app
