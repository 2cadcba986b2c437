#include "tidegate/base/module_log.h"

#include <utility>

namespace tidegate {
namespace {

ModuleLoggers module_loggers;

}  // namespace

std::string_view name_of(LogModule module) {
  static constexpr std::array<std::string_view, kLogModules> names = {
      "admin", "broker", "protocol", "schema", "server", "storage", "embedded", "seaweedmq"};
  return names[static_cast<std::size_t>(module)];
}

void set_module_loggers(ModuleLoggers loggers) { module_loggers = std::move(loggers); }

spdlog::logger& logger_of(LogModule module) {
  const auto& own = module_loggers[static_cast<std::size_t>(module)];
  return own ? *own : *spdlog::default_logger_raw();
}

}  // namespace tidegate
