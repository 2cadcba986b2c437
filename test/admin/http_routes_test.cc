#include "http_routes.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

namespace tidegate::admin {
namespace {

Task<HttpResponse> echo(HttpRequest request) {
  HttpResponse response =
      HttpResponse::text(200, request.segments.empty() ? "plain" : request.segments.front());
  co_return response;
}

class HttpRoutesTest : public testing::Test {
 protected:
  HttpResponse ask(HttpRequest request, bool allow_changes = true) {
    HttpRoutes routes({{"gate.example"}, allow_changes});
    routes.add_all({{"GET", "/metrics", Access::open, echo},
                    {"GET", "/topics/*", Access::page, echo},
                    {"DELETE", "/topics/*", Access::change, echo},
                    {"POST", "/reload", Access::command, echo}});
    boost::asio::io_context context;
    std::optional<HttpResponse> out;
    boost::asio::co_spawn(
        context.get_executor(), [&]() -> Task<void> { out = co_await routes.answer(std::move(request)); },
        boost::asio::detached);
    context.run();
    return out.value();
  }
  static HttpRequest make(std::string method, std::string path,
                          std::map<std::string, std::string, std::less<>> headers) {
    HttpRequest request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.headers = std::move(headers);
    return request;
  }
};

TEST_F(HttpRoutesTest, HostMustBeOurs_ExceptForScrapers) {
  for (const char* host : {"localhost:9644", "127.0.0.1", "[::1]:9644", "GATE.example:80"}) {
    EXPECT_EQ(ask(make("GET", "/topics/a", {{"host", host}})).status, 200) << host;
  }
  for (const char* host : {"evil.example", "", "localhost.evil.example", "gate.example.evil:9644"}) {
    EXPECT_EQ(ask(make("GET", "/topics/a", {{"host", host}})).status, 421) << host;
  }
  EXPECT_EQ(ask(make("GET", "/metrics", {{"host", "evil.example"}})).status, 200);
}

TEST_F(HttpRoutesTest, OriginMustBeOurs) {
  const auto from = [&](const char* origin) {
    return ask(make("GET", "/topics/a", {{"host", "localhost:1"}, {"origin", origin}})).status;
  };
  EXPECT_EQ(from("http://localhost:1"), 200);
  EXPECT_EQ(from("http://localhost:2"), 403);
  EXPECT_EQ(from("http://evil.example"), 403);
  EXPECT_EQ(from("null"), 403);
}

TEST_F(HttpRoutesTest, OtherSitesMayLinkAndNoMore) {
  const auto from = [&](const char* site, const char* mode) {
    return ask(make("GET", "/topics/a",
                    {{"host", "localhost"}, {"sec-fetch-site", site}, {"sec-fetch-mode", mode}}))
        .status;
  };
  EXPECT_EQ(from("cross-site", "navigate"), 200);
  EXPECT_EQ(from("cross-site", "no-cors"), 403);
  EXPECT_EQ(from("same-origin", "cors"), 200);
}

TEST_F(HttpRoutesTest, ChangesNeedTheSettingAndTheHeader) {
  const auto plain = make("DELETE", "/topics/a", {{"host", "localhost"}});
  auto marked = plain;
  marked.headers["x-tidegate-change"] = "1";
  EXPECT_EQ(ask(plain).status, 403);
  EXPECT_EQ(ask(marked).status, 200);
  EXPECT_EQ(ask(marked, false).status, 403);
  marked.headers["origin"] = "http://evil.example";
  EXPECT_EQ(ask(marked).status, 403);
}

TEST_F(HttpRoutesTest, CommandsAreNotForPages) {
  EXPECT_EQ(ask(make("POST", "/reload", {{"host", "localhost"}})).status, 200);
  EXPECT_EQ(ask(make("POST", "/reload", {{"host", "localhost"}, {"origin", "http://localhost"}})).status,
            403);
}

TEST_F(HttpRoutesTest, UnknownPathsAndMethods) {
  EXPECT_EQ(ask(make("GET", "/nothing", {{"host", "localhost"}})).status, 404);
  EXPECT_EQ(ask(make("GET", "", {{"host", "localhost"}})).status, 404);
  const auto other = ask(make("PUT", "/topics/a", {{"host", "localhost"}}));
  EXPECT_EQ(other.status, 405);
  EXPECT_EQ(other.allow, "GET, HEAD, DELETE");
}

TEST_F(HttpRoutesTest, SegmentsAndQueriesAreUnescaped) {
  EXPECT_EQ(ask(make("GET", "/topics/a%2Fb+c%", {{"host", "localhost"}})).body, "a/b+c%");
  const auto query = parse_query("a=1+2&b=%3Cx%3E&a=3&c");
  EXPECT_EQ(query.at("a"), "1 2");
  EXPECT_EQ(query.at("b"), "<x>");
  EXPECT_EQ(query.at("c"), "");
}

}  // namespace
}  // namespace tidegate::admin
