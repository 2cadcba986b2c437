#include "logging.h"

#include <spdlog/async.h>
#include <spdlog/details/fmt_helper.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tidegate/base/module_log.h"

namespace tidegate::app {
namespace {

constexpr std::size_t kQueueLines = 1024;
constexpr std::string_view kEvent = "event=";

// "group_stable" of "event=group_stable group=..."; empty for lines that name none.
std::string_view event_of(std::string_view line) {
  if (!line.starts_with(kEvent)) return {};
  line.remove_prefix(kEvent.size());
  return line.substr(0, line.find(' '));
}

class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto since_epoch = message.time.time_since_epoch();
    const auto level = spdlog::level::to_string_view(message.level);
    const std::string_view payload(message.payload.data(), message.payload.size());
    nlohmann::ordered_json line = {
        {"ts_ms", std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count()},
        {"level", std::string(level.data(), level.size())},
        {"thread", message.thread_id}};
    if (const auto event = event_of(payload); !event.empty()) line["event"] = event;
    line["msg"] = payload;
    const auto text = line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    out.append(text.data(), text.data() + text.size());
    out.push_back('\n');
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

Result<spdlog::level::level_enum> level_of(const std::string& level) {
  const auto value = spdlog::level::from_str(level);
  if (value == spdlog::level::off && level != "off") {
    return fail(ErrorCode::invalid_config,
                "log level '" + level + "': expected trace, debug, info, warn, error, critical or off");
  }
  return value;
}

std::map<std::string, spdlog::logger*> all_loggers() {
  std::map<std::string, spdlog::logger*> loggers{{"app", spdlog::default_logger_raw()}};
  for (std::size_t i = 0; i < kLogModules; ++i) {
    const auto module = static_cast<LogModule>(i);
    loggers.emplace(name_of(module), &logger_of(module));
  }
  return loggers;
}

}  // namespace

Result<void> set_log_level(const std::string& level) {
  const auto value = level_of(level);
  if (!value) return fail(value.error());
  spdlog::set_level(*value);
  return {};
}

Result<void> set_log_levels(const std::map<std::string, std::string>& levels) {
  std::map<spdlog::logger*, spdlog::level::level_enum> wanted;
  const auto loggers = all_loggers();
  for (const auto& [name, level] : levels) {
    const auto value = level_of(level);
    if (!value) return fail(value.error());
    const auto known = loggers.find(name);
    if (name == "*") {
      for (const auto& [module, logger] : loggers) wanted.try_emplace(logger, *value);
    } else if (known == loggers.end()) {
      std::string names;
      for (const auto& [module, logger] : loggers) names += module + ", ";
      return fail(ErrorCode::invalid_config, "log module '" + name + "': expected " + names + "or *");
    } else {
      wanted[known->second] = *value;
    }
  }
  for (const auto& [logger, level] : wanted) logger->set_level(level);
  return {};
}

std::map<std::string, std::string> log_levels() {
  std::map<std::string, std::string> levels;
  for (const auto& [name, logger] : all_loggers()) {
    const auto level = spdlog::level::to_string_view(logger->level());
    levels[name] = std::string(level.data(), level.size());
  }
  return levels;
}

Result<void> set_up_logging(const std::string& format, const std::string& level) {
  if (format != "auto" && format != "text" && format != "json") {
    return fail(ErrorCode::invalid_config, "log format '" + format + "': expected auto, text or json");
  }
  const bool as_json = format == "json" || (format == "auto" && ::isatty(STDERR_FILENO) == 0);
  spdlog::init_thread_pool(kQueueLines, 1);
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  if (as_json) {
    sink->set_formatter(std::make_unique<JsonFormatter>());
  } else {
    sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %-5l %v");
  }
  const auto logger_named = [&](std::string name) {
    auto logger = std::make_shared<spdlog::async_logger>(std::move(name), sink, spdlog::thread_pool(),
                                                         spdlog::async_overflow_policy::overrun_oldest);
    logger->flush_on(spdlog::level::warn);
    return logger;
  };
  spdlog::set_default_logger(logger_named("tidegate"));
  ModuleLoggers modules;
  for (std::size_t i = 0; i < kLogModules; ++i) {
    modules[i] = logger_named(std::string(name_of(static_cast<LogModule>(i))));
    spdlog::register_logger(modules[i]);
  }
  set_module_loggers(std::move(modules));
  return set_log_level(level);
}

void finish_logging() { spdlog::shutdown(); }

}  // namespace tidegate::app
