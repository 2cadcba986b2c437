// The tidegate command: one subcommand a function.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "command_line.h"
#include "command_pages.h"
#include "config_check.h"
#include "config_sources.h"
#include "daemon.h"
#include "groups_plan.h"
#include "listeners.h"
#include "offsets_import.h"
#include "tidegate/admin/health_client.h"
#include "tidegate/api/api_table.h"
#include "tidegate/broker/server_config.h"
#include "version.h"

namespace tidegate::app {
namespace {

int complain(const Error& error) {
  std::fprintf(stderr, "tidegate: %s\n", error.message.c_str());
  return 1;
}

// The daemon that the same file and environment would start. Behind a wildcard it is asked on loopback.
int health(const ConfigValues& values) {
  const auto parsed = parse_host_port(values.text("admin.listen"), "admin.listen");
  if (!parsed) return complain(parsed.error());
  const bool wildcard = is_wildcard(parsed->host);
  const std::string host = !wildcard ? parsed->host : parsed->host == "::" ? "::1" : "127.0.0.1";
  const auto answer = admin::check_health(host, std::to_string(parsed->port), std::chrono::seconds(5));
  if (!answer) return complain(answer.error());
  std::printf("%s\n", answer->c_str());
  return 0;
}

const char* source_name(ConfigSource source) {
  switch (source) {
    case ConfigSource::default_value:
      return "default";
    case ConfigSource::file:
      return "file";
    case ConfigSource::environment:
      return "environment";
    case ConfigSource::command_line:
      return "command line";
  }
  return "";
}

// What --print may show of a value: no password.
std::string shown(const ConfigValues& values, const ConfigKey& key) {
  if (key.type == ConfigType::password) return values.is_set(key.name) ? "(hidden)" : "";
  return values.text(key.name);
}

int config(const CommandLine& line, const ConfigValues& values) {
  for (const auto& warning : config_warnings(values, environ)) {
    std::fprintf(stderr, "tidegate: warning: %s\n", warning.c_str());
  }
  if (const auto sound = check_config(values); !sound) return complain(sound.error());
  if (line.check_only) {
    std::printf("%s: good\n", line.config_file.empty() ? "settings" : line.config_file.c_str());
    return 0;
  }
  for (const auto& key : values.table().keys()) {
    const auto where = values.where(key.name);
    std::printf("%s=%s  # %s%s%s\n", std::string(key.name).c_str(), shown(values, key).c_str(),
                source_name(values.source(key.name)), where.empty() ? "" : " ", where.c_str());
  }
  for (const auto& [name, where] : values.ignored()) {
    std::printf("# %s has no effect here: %s\n", name.c_str(), where.c_str());
  }
  return 0;
}

std::string docs_page(const ParsedCommandLine& parsed, const ConfigTable& table) {
  const auto& page = parsed.line.docs_page;
  if (page == "man") return manual_page(parsed.commands, table, kVersion);
  if (page == "completion") return bash_completion(parsed.commands, table);
  return page == "configuration" ? broker::configuration_markdown() : api::compatibility_markdown();
}

int docs(const ParsedCommandLine& parsed, const ConfigTable& table) {
  std::fputs(docs_page(parsed, table).c_str(), stdout);
  return 0;
}

constexpr std::size_t kMaxPlanBytes = 64U << 20U;

Result<std::string> read_whole(const std::string& path) {
  std::FILE* file = path == "-" ? stdin : std::fopen(path.c_str(), "rb");
  if (file == nullptr) return fail(ErrorCode::invalid_request, path + ": cannot be read");
  std::string text;
  char part[65536];
  std::size_t got = 0;
  while (text.size() <= kMaxPlanBytes && (got = std::fread(part, 1, sizeof part, file)) > 0)
    text.append(part, got);
  const bool failed = std::ferror(file) != 0;
  if (file != stdin) std::fclose(file);
  if (failed) return fail(ErrorCode::invalid_request, path + ": cannot be read");
  if (text.size() > kMaxPlanBytes) return fail(ErrorCode::invalid_request, path + ": larger than 64 MiB");
  return text;
}

int plan(const CommandLine& line) {
  const auto text = read_whole(line.plan_file);
  if (!text) return complain(text.error());
  const auto planned = plan_groups(*text);
  if (!planned) return complain(planned.error());
  std::fputs(planned->c_str(), stdout);
  return 0;
}

int run(int argc, const char* const* argv) {
  const auto& table = broker::server_config_table();
  const auto parsed = parse_command_line(argc, argv, table);
  if (parsed.exit_status) return *parsed.exit_status;
  const auto& line = parsed.line;
  switch (line.command) {
    case CommandLine::Command::version:
      std::printf("tidegate %s\n", std::string(kVersion).c_str());
      return 0;
    case CommandLine::Command::docs:
      return docs(parsed, table);
    case CommandLine::Command::offsets_import:
      return import_offsets(line);
    case CommandLine::Command::groups_plan:
      return plan(line);
    case CommandLine::Command::serve:
    case CommandLine::Command::health:
    case CommandLine::Command::config:
      break;
  }
  auto values = load_config(line, table, environ);
  if (!values) return complain(values.error());
  if (line.command == CommandLine::Command::config) return config(line, *values);
  if (line.command == CommandLine::Command::health) return health(*values);
  return run_daemon(line, std::move(*values));
}

}  // namespace
}  // namespace tidegate::app

int main(int argc, char** argv) { return tidegate::app::run(argc, argv); }
