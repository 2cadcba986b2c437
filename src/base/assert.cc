#include "tidegate/base/assert.h"

#include <spdlog/spdlog.h>

#include <cstdlib>

namespace tidegate {

void assertion_failed(const char* expression, const char* file, int line) {
  spdlog::critical("assertion failed: {} at {}:{}", expression, file, line);
  spdlog::shutdown();
  std::abort();
}

}  // namespace tidegate
