#include "logging.h"

#include <spdlog/async.h>
#include <spdlog/details/fmt_helper.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <nlohmann/json.hpp>

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

}  // namespace

Result<void> set_log_level(const std::string& level) {
  const auto value = spdlog::level::from_str(level);
  if (value == spdlog::level::off && level != "off") {
    return fail(ErrorCode::invalid_config,
                "log level '" + level + "': expected trace, debug, info, warn, error, critical or off");
  }
  spdlog::set_level(value);
  return {};
}

Result<void> set_up_logging(const std::string& format, const std::string& level) {
  if (format != "auto" && format != "text" && format != "json") {
    return fail(ErrorCode::invalid_config, "log format '" + format + "': expected auto, text or json");
  }
  const bool as_json = format == "json" || (format == "auto" && ::isatty(STDERR_FILENO) == 0);
  spdlog::init_thread_pool(kQueueLines, 1);
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::async_logger>("tidegate", std::move(sink), spdlog::thread_pool(),
                                                       spdlog::async_overflow_policy::overrun_oldest);
  if (as_json) {
    logger->set_formatter(std::make_unique<JsonFormatter>());
  } else {
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %-5l %v");
  }
  logger->flush_on(spdlog::level::warn);
  spdlog::set_default_logger(std::move(logger));
  return set_log_level(level);
}

void finish_logging() { spdlog::shutdown(); }

}  // namespace tidegate::app
