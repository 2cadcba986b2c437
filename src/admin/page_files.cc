#include "page_files.h"

namespace tidegate::admin {
namespace {

std::string type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  return "text/javascript; charset=utf-8";
}

Route file_route(std::string path, const PageFile& file) {
  return {"GET", std::move(path), Access::page, [file](HttpRequest) -> Task<HttpResponse> {
            HttpResponse response = HttpResponse::text(200, std::string(file.bytes));
            response.content_type = type_of(file.name);
            response.etag = file.etag;
            co_return response;
          }};
}

}  // namespace

std::vector<Route> page_routes() {
  std::vector<Route> routes;
  for (const auto& file : page_files()) {
    if (file.name == "index.html") routes.push_back(file_route("/", file));
    routes.push_back(file_route("/page/" + file.name, file));
  }
  return routes;
}

}  // namespace tidegate::admin
