// Asserts are for our own mistakes only: they never meet client, disk or network data. They stay on
// in release builds, because a daemon that goes on with broken invariants loses data.
#pragma once

namespace tidegate {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}

#define TIDEGATE_ASSERT(expression) \
  ((expression) ? static_cast<void>(0) : ::tidegate::assertion_failed(#expression, __FILE__, __LINE__))
