// Where tests find committed data. An environment variable rather than a compile definition, so that
// objects are the same in every checkout and ccache can share them.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace tidegate::test {

inline std::filesystem::path source_dir() {
  if (const char* dir = std::getenv("TIDEGATE_SOURCE_DIR")) return dir;
  // Started by hand from somewhere inside the checkout.
  auto dir = std::filesystem::current_path();
  while (dir.has_relative_path() && !std::filesystem::exists(dir / "CMakePresets.json"))
    dir = dir.parent_path();
  return dir;
}

}  // namespace tidegate::test
