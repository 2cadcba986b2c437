// The page's own files, which are part of the binary: src/admin/page, embedded by embed.cmake.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http_routes.h"

namespace tidegate::admin {

struct PageFile {
  std::string name;        // "app.js"
  std::string_view bytes;  // live as long as the process
  std::string etag;
};
std::vector<PageFile> page_files();

// "/" and "/page/NAME".
std::vector<Route> page_routes();

}  // namespace tidegate::admin
