// The logger of each module, whose level can be set apart from the others'. Code of a module writes
// module_log().info("event=... ..."), which its namespace resolves. What stands in no module's namespace, and
// the daemon itself, writes to spdlog's default logger.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>

#include <spdlog/spdlog.h>

namespace tidegate {

enum class LogModule { admin, broker, protocol, schema, server, storage, embedded, seaweedmq };
inline constexpr std::size_t kLogModules = 8;
std::string_view name_of(LogModule module);

using ModuleLoggers = std::array<std::shared_ptr<spdlog::logger>, kLogModules>;
// Once, before any thread that logs. Without it modules write to spdlog's default logger, as tests want it.
void set_module_loggers(ModuleLoggers loggers);
spdlog::logger& logger_of(LogModule module);

namespace admin {
inline spdlog::logger& module_log() { return logger_of(LogModule::admin); }
}  // namespace admin
namespace broker {
inline spdlog::logger& module_log() { return logger_of(LogModule::broker); }
}  // namespace broker
namespace protocol {
inline spdlog::logger& module_log() { return logger_of(LogModule::protocol); }
}  // namespace protocol
namespace schema {
inline spdlog::logger& module_log() { return logger_of(LogModule::schema); }
}  // namespace schema
namespace server {
inline spdlog::logger& module_log() { return logger_of(LogModule::server); }
}  // namespace server
namespace storage {
inline spdlog::logger& module_log() { return logger_of(LogModule::storage); }
namespace embedded {
inline spdlog::logger& module_log() { return logger_of(LogModule::embedded); }
}  // namespace embedded
namespace seaweedmq {
inline spdlog::logger& module_log() { return logger_of(LogModule::seaweedmq); }
}  // namespace seaweedmq
}  // namespace storage

}  // namespace tidegate
