// The version of this build; CMake's project() is the source.
#pragma once

#include <string_view>

namespace tidegate {
inline constexpr std::string_view kVersion = TIDEGATE_VERSION;
}
