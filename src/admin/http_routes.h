// What the admin port answers: a table of routes, and the rules of who may ask for which. Knows neither
// sockets nor Beast: admin_server.cc turns bytes into HttpRequest and HttpResponse back. On the admin shard.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/runtime/task.h"

namespace tidegate::admin {

struct HttpRequest {
  std::string method;                                       // "GET"; HEAD is asked as GET
  std::string path;                                         // as sent, still escaped, without the query
  std::map<std::string, std::string, std::less<>> query;    // unescaped; of a repeated name the first
  std::map<std::string, std::string, std::less<>> headers;  // names in lower case
  std::string body;
  std::vector<std::string> segments;  // what the "*"s of the route's path stand for, unescaped

  std::string_view header(std::string_view name) const;
  std::string_view parameter(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string etag;   // quoted; empty: not to be kept
  std::string allow;  // methods, with 405

  static HttpResponse text(int status, std::string body);
  static HttpResponse json(int status, std::string body);
};

enum class Access {
  open,     // anyone, under any name: scrapers and probes
  page,     // Host is ours, and no page of another site asks
  command,  // as page, and no web page at all: for operators' scripts
  change,   // as page, with kChangeHeader, and only with admin.allow.changes
};
// No form and no other site can send it without a preflight, which is never granted.
inline constexpr std::string_view kChangeHeader = "x-tidegate-change";

struct Route {
  std::string method;
  std::string path;  // "/api/v1/topics/*": "*" is one segment
  Access access = Access::page;
  std::function<Task<HttpResponse>(HttpRequest)> handle;
};

struct AccessRules {
  // Names of Host, without port, in lower case; "*" is any. Beside them: localhost and loopback addresses.
  std::vector<std::string> hosts;
  bool allow_changes = false;
};

class HttpRoutes {
 public:
  explicit HttpRoutes(AccessRules rules) : rules_(std::move(rules)) {}
  void add(Route route) { routes_.push_back(std::move(route)); }
  void add_all(std::vector<Route> routes);
  // 404 and 405 for what is not in the table, 403 and 421 for who may not.
  Task<HttpResponse> answer(HttpRequest request) const;

 private:
  // Empty when it may; the status and why otherwise.
  HttpResponse refusal(Access access, const HttpRequest& request) const;
  bool is_our_host(std::string_view host) const;
  AccessRules rules_;
  std::vector<Route> routes_;
};

// "%41+b" is "A b" in a query, "A+b" in a path. Bad escapes stay as they are.
std::string url_unescaped(std::string_view text, bool plus_is_space);
std::map<std::string, std::string, std::less<>> parse_query(std::string_view text);
// "[::1]:80" is "::1"; in lower case.
std::string host_of_authority(std::string_view authority);

}  // namespace tidegate::admin
