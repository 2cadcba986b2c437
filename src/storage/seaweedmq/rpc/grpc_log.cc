#include "rpc/grpc_log.h"

#include <grpc/support/log.h>
#include <spdlog/spdlog.h>

namespace tidegate::storage::seaweedmq {
namespace {

// What fails is reported by whoever called; the library's own words are for those who look closer.
void write_line(gpr_log_func_args* line) {
  const auto logger = spdlog::default_logger();
  if (!logger) return;  // the process is about to end
  const auto level = line->severity == GPR_LOG_SEVERITY_ERROR  ? spdlog::level::warn
                     : line->severity == GPR_LOG_SEVERITY_INFO ? spdlog::level::debug
                                                               : spdlog::level::trace;
  logger->log(level, "grpc: {} at={}:{}", line->message, line->file, line->line);
}

}  // namespace

void send_grpc_log_to_ours() { gpr_set_log_function(&write_line); }

}  // namespace tidegate::storage::seaweedmq
