// The words for an errno value. Not by way of std::error_category, whose objects in the system's
// libstdc++ UBSan takes for something else.
#pragma once

#include <cstring>
#include <string>

namespace tidegate {

inline std::string errno_text(int code) {
  char buffer[128];
  return ::strerror_r(code, buffer, sizeof buffer);
}

}  // namespace tidegate
