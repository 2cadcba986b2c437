#include "command_line.h"

#include <CLI/CLI.hpp>

#include "config_sources.h"
#include "version.h"

namespace tidegate::app {
namespace {

// --help of serve ends with every setting, from the table.
std::string settings_help(const ConfigTable& table) {
  std::string out =
      "Settings for --set, --config and the environment (TIDEGATE_NUM_PARTITIONS=3, "
      "KAFKA_NUM_PARTITIONS=3):\n";
  for (const auto& key : table.keys()) {
    out += "  " + std::string(key.name);
    if (key.has_default)
      out += " (" + std::string(key.default_value.empty() ? "empty" : key.default_value) + ")";
    out += "\n      " + std::string(key.doc) + "\n";
  }
  return out;
}

void add_config_options(CLI::App& command, CommandLine& line) {
  command.add_option("--config", line.config_file, "Settings file: YAML (.yaml, .yml) or server.properties")
      ->type_name("FILE");
  command.add_option("--set", line.assignments, "One setting, as key=value; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
}

void add_serve(CLI::App& app, CommandLine& line, const ConfigTable& table) {
  auto* serve = app.add_subcommand("serve", "Serve Kafka clients");
  serve->callback([&line] { line.command = CommandLine::Command::serve; });
  add_config_options(*serve, line);
  serve
      ->add_option("--listen", line.listen,
                   "[NAME://]HOST:PORT to accept Kafka clients on; repeatable; port 0 picks one")
      ->allow_extra_args(false)
      ->type_name("ADDRESS");
  serve
      ->add_option("--advertise", line.advertise,
                   "[NAME://]HOST:PORT that clients are told to connect to; needed for a wildcard --listen; "
                   "port 0 advertises the real port")
      ->allow_extra_args(false)
      ->type_name("ADDRESS");
  serve->add_option("--data-dir", line.data_dir, "Where the embedded engine keeps its log")->type_name("DIR");
  serve->add_option("--engine", line.engine, "embedded (durable, the default) or memory")->type_name("NAME");
  serve->add_option("--admin", line.admin, "HOST:PORT of the admin endpoint (metrics, health)")
      ->type_name("ADDRESS");
  serve->add_flag("--ready-json", line.ready_json,
                  "Print one JSON line with the real addresses once clients may connect");
  serve->add_option("--log-format", line.log_format, "auto, text or json")->type_name("FORMAT");
  serve->add_option("--log-level", line.log_level, "trace, debug, info, warn or error")->type_name("LEVEL");
  serve->footer([&table] { return settings_help(table); });
}

void add_offsets(CLI::App& app, CommandLine& line) {
  auto* offsets = app.add_subcommand("offsets", "Committed offsets of consumer groups");
  offsets->require_subcommand(1);
  auto* import = offsets->add_subcommand("import", "Commit what other programs kept to a running gateway");
  import->callback([&line] { line.command = CommandLine::Command::offsets_import; });
  import
      ->add_option("PATH", line.paths,
                   "A list of 'topic:partition OFFSET' lines (or a JSON object of them), or a directory: "
                   "SeaweedMQ's consumer_offsets or its older TOPIC/NNNN-NNNN/GROUP.offset files")
      ->required();
  import->add_option("--bootstrap", line.bootstrap, "Where the gateway is; default 127.0.0.1:9092")
      ->type_name("HOST:PORT");
  import->add_option("--group", line.group, "The group of a list, whose keys name none")->type_name("GROUP");
  import->add_flag("--dry-run", line.dry_run, "Only read the files and print what would be committed");
  import->add_flag("--overwrite", line.overwrite, "Replace offsets that a group has committed already");
}

void add_groups(CLI::App& app, CommandLine& line) {
  auto* groups = app.add_subcommand("groups", "Consumer groups");
  groups->require_subcommand(1);
  auto* plan =
      groups->add_subcommand("plan", "Print the cooperative-sticky assignment that a membership would get");
  plan->callback([&line] { line.command = CommandLine::Command::groups_plan; });
  plan->add_option("FILE", line.plan_file,
                   "JSON with partition counts and members (docs/group-plan.md); - reads the standard input")
      ->required();
}

}  // namespace

ParsedCommandLine parse_command_line(int argc, const char* const* argv, const ConfigTable& table) {
  ParsedCommandLine out;
  auto& line = out.line;
  CLI::App app("Tidegate: a broker for Kafka clients", "tidegate");
  app.set_version_flag("--version", "tidegate " + std::string(kVersion), "Print the version");
  app.require_subcommand(1);
  add_serve(app, line, table);

  app.add_subcommand("version", "Print the version")->callback([&line] {
    line.command = CommandLine::Command::version;
  });

  auto* health = app.add_subcommand("health", "Ask a running daemon whether it is ready; exit 0 if so");
  health->callback([&line] { line.command = CommandLine::Command::health; });
  add_config_options(*health, line);
  health->add_option("--admin", line.admin, "HOST:PORT of its admin endpoint, instead of what settings say")
      ->type_name("ADDRESS");

  auto* config = app.add_subcommand("config", "Print every setting with its value and where it came from");
  config->callback([&line] { line.command = CommandLine::Command::config; });
  add_config_options(*config, line);
  config->add_flag("--print", line.print_only, "Print every setting: what happens without --check");
  std::string checked;
  auto* check = config->add_option("--check", checked, "Only say whether this file is good; exit 1 if not")
                    ->type_name("FILE")
                    ->expected(0, 1);

  add_offsets(app, line);
  add_groups(app, line);

  auto* docs = app.add_subcommand("docs", "Print a page of the documentation that is made from the tables");
  docs->callback([&line] { line.command = CommandLine::Command::docs; });
  docs->add_option("PAGE", line.docs_page, "configuration, compatibility, man or completion")
      ->required()
      ->check(CLI::IsMember({"configuration", "compatibility", "man", "completion"}));

  try {  // CLI11 reports by exception; none leaves this function
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    out.exit_status = status == 0 ? 0 : 2;
    return out;
  }
  if (line.command == CommandLine::Command::docs) out.commands = command_tree(app);
  line.check_only = check->count() > 0;
  if (!checked.empty()) line.config_file = checked;
  return out;
}

Result<ConfigValues> load_config(const CommandLine& line, const ConfigTable& table,
                                 const char* const* environment) {
  ConfigValues values(table);
  if (!line.config_file.empty()) {
    if (auto done = apply_file(values, line.config_file); !done) return fail(std::move(done.error()));
  }
  if (auto done = apply_environment(values, environment); !done) return fail(std::move(done.error()));
  for (const auto& assignment : line.assignments) {
    if (auto done = apply_assignment(values, assignment); !done) return fail(std::move(done.error()));
  }
  const auto join = [](const std::vector<std::string>& items) {
    std::string out;
    for (const auto& item : items) out += (out.empty() ? "" : ",") + item;
    return out;
  };
  struct Option {
    std::string_view key;
    std::string_view name;
    std::optional<std::string> value;
  };
  const Option options[] = {
      {"listeners", "--listen", line.listen.empty() ? std::nullopt : std::optional(join(line.listen))},
      {"advertised.listeners", "--advertise",
       line.advertise.empty() ? std::nullopt : std::optional(join(line.advertise))},
      {"data.dir", "--data-dir", line.data_dir},
      {"engine", "--engine", line.engine},
      {"admin.listen", "--admin", line.admin},
      {"log.format", "--log-format", line.log_format},
      {"log.level", "--log-level", line.log_level},
  };
  for (const auto& [key, name, value] : options) {
    if (!value) continue;
    if (auto done = values.set(key, *value, ConfigSource::command_line, std::string(name)); !done)
      return fail(std::move(done.error()));
  }
  return values;
}

}  // namespace tidegate::app
