#include "http_routes.h"

#include <algorithm>
#include <cctype>
#include <optional>

namespace tidegate::admin {
namespace {

constexpr std::size_t kMaxParameters = 64;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> out;
  while (!path.empty()) {
    const auto end = path.find('/', 1);
    out.push_back(path.substr(1, end == std::string_view::npos ? end : end - 1));
    path = end == std::string_view::npos ? std::string_view{} : path.substr(end);
  }
  return out;
}

std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  const auto wanted = split(pattern);
  const auto given = split(path);
  if (wanted.size() != given.size()) return std::nullopt;
  std::vector<std::string> found;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == "*") {
      found.push_back(url_unescaped(given[i], false));
    } else if (wanted[i] != given[i]) {
      return std::nullopt;
    }
  }
  return found;
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string_view{} : found->second;
}

std::string_view HttpRequest::parameter(std::string_view name) const {
  const auto found = query.find(name);
  return found == query.end() ? std::string_view{} : found->second;
}

HttpResponse HttpResponse::text(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

HttpResponse HttpResponse::json(int status, std::string body) {
  HttpResponse response = text(status, std::move(body));
  response.content_type = "application/json";
  return response;
}

std::string url_unescaped(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])));
      i += 2;
    } else {
      out.push_back(plus_is_space && text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

std::map<std::string, std::string, std::less<>> parse_query(std::string_view text) {
  std::map<std::string, std::string, std::less<>> out;
  while (!text.empty() && out.size() < kMaxParameters) {
    const auto end = text.find('&');
    const auto pair = text.substr(0, end);
    const auto equals = pair.find('=');
    const auto value = equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
    out.emplace(url_unescaped(pair.substr(0, equals), true), url_unescaped(value, true));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return out;
}

std::string host_of_authority(std::string_view authority) {
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    return end == std::string_view::npos ? std::string{} : lower(authority.substr(1, end - 1));
  }
  return lower(authority.substr(0, authority.find(':')));
}

void HttpRoutes::add_all(std::vector<Route> routes) {
  for (auto& route : routes) add(std::move(route));
}

// A page of another site that has made its own name point here still sends that name: DNS rebinding.
bool HttpRoutes::is_our_host(std::string_view authority) const {
  const std::string host = host_of_authority(authority);
  if (host.empty()) return false;
  if (host == "localhost" || host == "127.0.0.1" || host == "::1") return true;
  return std::ranges::any_of(rules_.hosts,
                             [&host](const std::string& ours) { return ours == "*" || ours == host; });
}

HttpResponse HttpRoutes::refusal(Access access, const HttpRequest& request) const {
  if (access == Access::open) return {};
  const auto host = request.header("host");
  if (!is_our_host(host)) {
    return HttpResponse::text(421, "this name is not one of mine: see admin.allowed.hosts\n");
  }
  const auto origin = request.header("origin");
  if (!origin.empty()) {
    const auto scheme = origin.find("://");
    const bool same = scheme != std::string_view::npos && lower(origin.substr(scheme + 3)) == lower(host);
    if (access == Access::command || !same) return HttpResponse::text(403, "not from a web page\n");
  }
  // A link from elsewhere may open the page; nothing else of another site may ask.
  const auto site = request.header("sec-fetch-site");
  const bool elsewhere = site == "cross-site" || site == "same-site";
  if (elsewhere && (access != Access::page || request.header("sec-fetch-mode") != "navigate")) {
    return HttpResponse::text(403, "not from another site\n");
  }
  if (access != Access::change) return {};
  if (!rules_.allow_changes) {
    return HttpResponse::text(403, "changes are not allowed here: see admin.allow.changes\n");
  }
  if (request.header(kChangeHeader).empty()) {
    return HttpResponse::text(403, "a change needs the header X-Tidegate-Change: 1\n");
  }
  return {};
}

Task<HttpResponse> HttpRoutes::answer(HttpRequest request) const {
  std::string others;
  for (const auto& route : routes_) {
    auto segments = match(route.path, request.path);
    if (!segments) continue;
    if (route.method != request.method) {
      others += (others.empty() ? "" : ", ") + route.method + (route.method == "GET" ? ", HEAD" : "");
      continue;
    }
    HttpResponse refused = refusal(route.access, request);
    if (refused.status != 200) co_return refused;
    request.segments = std::move(*segments);
    HttpResponse response = co_await route.handle(std::move(request));
    co_return response;
  }
  HttpResponse response;
  if (!others.empty()) {
    response = HttpResponse::text(405, "only " + others + "\n");
    response.allow = others;
  } else {
    response = HttpResponse::text(
        404, "no such page; there are / /metrics /healthz /livez /readyz /version /schemas /api/v1/...\n");
  }
  co_return response;
}

}  // namespace tidegate::admin
