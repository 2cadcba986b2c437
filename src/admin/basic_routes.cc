#include "basic_routes.h"

#include <nlohmann/json.hpp>

#include "metrics_text.h"
#include "schemas_page.h"
#include "tidegate/base/module_log.h"

namespace tidegate::admin {
namespace {

// A route whose answer needs no waiting.
Route get(std::string path, Access access, std::function<HttpResponse()> make) {
  return {"GET", std::move(path), access, [make = std::move(make)](HttpRequest) -> Task<HttpResponse> {
            HttpResponse response = make();
            co_return response;
          }};
}

HttpResponse metrics(const AdminSources& sources) {
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = metrics_text(sources.metrics, sources.version);
  return response;
}

HttpResponse readiness(const AdminSources& sources) {
  const auto health = sources.readiness();
  return HttpResponse::text(health.ready ? 200 : 503, (health.ready ? "ok" : health.reason) + "\n");
}

Task<HttpResponse> reload(const AdminSources& sources) {
  auto reloaded = co_await sources.reload();
  co_return HttpResponse::json(reloaded.done ? 200 : 422, std::move(reloaded.page));
}

HttpResponse show_log_levels(const AdminSources& sources) {
  return HttpResponse::json(200, nlohmann::json(sources.log_levels()).dump() + "\n");
}

HttpResponse bad_log_levels(int status, const std::string& why) {
  return HttpResponse::json(status, nlohmann::json{{"error", why}}.dump() + "\n");
}

// {"seaweedmq": "debug", "*": "info"}; answered with all levels.
Task<HttpResponse> put_log_levels(const AdminSources& sources, HttpRequest request) {
  const auto body = nlohmann::json::parse(request.body, nullptr, false);
  std::map<std::string, std::string> levels;
  if (!body.is_object() || body.empty())
    co_return bad_log_levels(400, "expected an object of modules and levels");
  for (const auto& [module, level] : body.items()) {
    if (!level.is_string()) co_return bad_log_levels(400, "the level of " + module + " is no string");
    levels.emplace(module, level.get<std::string>());
  }
  if (const auto set = sources.set_log_levels(levels); !set)
    co_return bad_log_levels(422, set.error().message);
  module_log().warn("event=log_levels_set levels={:?}", body.dump());
  co_return show_log_levels(sources);
}

}  // namespace

std::vector<Route> basic_routes(const AdminSources& sources) {
  const auto ok = [] { return HttpResponse::text(200, "ok\n"); };
  std::vector<Route> routes{
      get("/metrics", Access::open, [&sources] { return metrics(sources); }),
      get("/healthz", Access::open, ok),
      get("/livez", Access::open, ok),
      get("/readyz", Access::open, [&sources] { return readiness(sources); }),
      get("/version", Access::open,
          [&sources] {
            return HttpResponse::json(
                200, nlohmann::json{{"name", "tidegate"}, {"version", sources.version}}.dump() + "\n");
          }),
      get("/schemas", Access::page,
          [&sources] { return HttpResponse::json(200, schemas_page(sources.schemas())); }),
  };
  if (sources.log_levels) {
    routes.push_back(get("/log-level", Access::page, [&sources] { return show_log_levels(sources); }));
    routes.push_back({"PUT", "/log-level", Access::command, [&sources](HttpRequest request) {
                        return put_log_levels(sources, std::move(request));
                      }});
  }
  if (sources.reload) {
    routes.push_back(
        {"POST", "/config/reload", Access::command, [&sources](HttpRequest) { return reload(sources); }});
  }
  return routes;
}

}  // namespace tidegate::admin
