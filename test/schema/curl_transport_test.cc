// libcurl's side of the registry client, over real sockets to a server that misbehaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/run_task.h"
#include "support/stub_http_server.h"
#include "tidegate/schema/http.h"

namespace tidegate::schema {
namespace {

using namespace std::chrono_literals;
using test::StubAnswer;
using ::testing::HasSubstr;
using Failure = HttpReply::Failure;

class CurlTransportTest : public ::testing::Test {
 protected:
  void make(CurlOptions options = {}) { transport = make_curl_transport(std::move(options), blocking); }
  HttpReply get(std::string url, HttpRequest request = {.url = {}, .timeout = 30s}) {
    if (!transport) make();
    request.url = std::move(url);
    return shards.run([&] { return transport->get(request); });
  }
  HttpReply get_path(const std::string& path, HttpRequest request = {.url = {}, .timeout = 30s}) {
    return get(server.url() + path, std::move(request));
  }

  test::StubHttpServer server;
  test::ShardHarness shards{1, test::RealClock{}};
  BlockingPool blocking{BlockingPoolOptions{}, shards.metrics()};
  std::unique_ptr<HttpTransport> transport;
};

TEST_F(CurlTransportTest, Answer_HasStatusBodyAndRetryAfter) {
  server.script("/a", StubAnswer::of(200, "hello"));
  server.script("/b", StubAnswer::of(429, "slow down", "retry-After:  7\r\n"));
  server.script("/c", StubAnswer::of(503, "", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n"));
  EXPECT_EQ(get_path("/a").body, "hello");
  const auto limited = get_path("/b");
  EXPECT_EQ(limited.status, 429);
  EXPECT_EQ(limited.retry_after, 7s);
  EXPECT_EQ(get_path("/c").retry_after, std::nullopt);
  EXPECT_THAT(server.requests()[0], HasSubstr("Accept: application/vnd.schemaregistry.v1+json"));
}

TEST_F(CurlTransportTest, Connection_IsKept) {
  server.script("/a", StubAnswer::of(200, "hello"));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(get_path("/a").status, 200);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(CurlTransportTest, Authentication_IsBasicOrBearerOrNone) {
  server.script("/a", StubAnswer::of(200, "hello"));
  get_path("/a");
  make({.user_info = "user:pass word"});
  get_path("/a");
  make({.bearer_token = "tok"});
  get_path("/a");
  transport.reset();
  get("http://u2:p2@" + server.url().substr(7) + "/a");
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 4U);
  EXPECT_EQ(requests[0].find("Authorization"), std::string::npos);
  EXPECT_THAT(requests[1], HasSubstr("Authorization: Basic dXNlcjpwYXNzIHdvcmQ="));
  EXPECT_THAT(requests[2], HasSubstr("Authorization: Bearer tok"));
  EXPECT_THAT(requests[3], HasSubstr("Authorization: Basic dTI6cDI="));
}

TEST_F(CurlTransportTest, SlowAnswer_EndsAtItsTime) {
  server.script("/a", {.pieces = {{"HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\nhe"}, {"llo", 60s}}});
  const auto began = std::chrono::steady_clock::now();
  const auto reply = get_path("/a", {.url = {}, .timeout = 200ms});
  EXPECT_EQ(reply.status, 0);
  EXPECT_EQ(reply.failure, Failure::timed_out);
  EXPECT_EQ(reply.body, "");
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
}

TEST_F(CurlTransportTest, BodyOverTheLimit_IsGivenUp) {
  HttpRequest request{.url = {}, .timeout = 30s, .max_body_bytes = 1000};
  server.script("/exact", StubAnswer::of(200, std::string(1000, 'x')));
  EXPECT_EQ(get_path("/exact", request).body.size(), 1000U);
  server.script("/announced", StubAnswer::of(200, std::string(1001, 'x')));
  EXPECT_EQ(get_path("/announced", request).failure, Failure::too_large);
  server.script("/endless",
                {.pieces = {{"HTTP/1.1 200 X\r\n\r\n"}, {std::string(4096, 'x')}}, .forever = true});
  const auto endless = get_path("/endless", request);
  EXPECT_EQ(endless.failure, Failure::too_large);
  EXPECT_EQ(endless.body, "");
}

TEST_F(CurlTransportTest, HeadersOverTheLimit_AreGivenUp) {
  server.script("/a", {.pieces = {{"HTTP/1.1 200 X\r\n"}, {"X-Long: " + std::string(1000, 'x') + "\r\n"}},
                       .forever = true});
  EXPECT_EQ(get_path("/a").failure, Failure::too_large);
}

TEST_F(CurlTransportTest, BrokenAnswers_AreFailuresWithAReason) {
  server.script("/cut", {.pieces = {{"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nabc"}}, .close = true});
  server.script("/nothing", {.pieces = {}, .close = true});
  server.script("/garbage", {.pieces = {{"\x01\x02\x03\r\n\r\n"}}, .close = true});
  for (const char* path : {"/cut", "/nothing", "/garbage"}) {
    const auto reply = get_path(path);
    EXPECT_EQ(reply.status, 0) << path;
    EXPECT_NE(reply.failure, Failure::none) << path;
    EXPECT_NE(reply.problem, "") << path;
    EXPECT_EQ(reply.body, "") << path;
  }
}

TEST_F(CurlTransportTest, NobodyThere_IsNoConnection) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);  // bound, and nobody listens
  ASSERT_EQ(getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const auto reply = get("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/");
  close(socket);
  EXPECT_EQ(reply.failure, Failure::no_connection);
}

TEST_F(CurlTransportTest, Redirect_IsNotFollowed) {
  server.script("/a", StubAnswer::of(302, "", "Location: " + server.url() + "/b\r\n"));
  server.script("/b", StubAnswer::of(200, "elsewhere"));
  EXPECT_EQ(get_path("/a").status, 302);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(CurlTransportTest, ProxyOfTheEnvironment_IsNotUsed) {
  server.script("/a", StubAnswer::of(200, "direct"));
  ASSERT_EQ(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
  EXPECT_EQ(get_path("/a").body, "direct");
  unsetenv("http_proxy");
}

TEST_F(CurlTransportTest, OtherProtocols_AreRefused) {
  EXPECT_EQ(get("file:///etc/hostname").status, 0);
  EXPECT_NE(get("file:///etc/hostname").failure, Failure::none);
}

TEST_F(CurlTransportTest, TlsToAServerWithoutIt_Fails) {
  const auto reply = get("https://" + server.url().substr(7) + "/a");
  EXPECT_EQ(reply.status, 0);
  EXPECT_NE(reply.failure, Failure::none);
}

TEST_F(CurlTransportTest, Stop_EndsWhatIsUnderWayAndRefusesMore) {
  server.script("/a", {.pieces = {{"HTTP/1.1 200 X\r\n", 60s}}});
  make();
  std::thread stopper([&] {
    while (server.requests().empty()) std::this_thread::yield();
    transport->stop();
  });
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(get_path("/a").failure, Failure::stopped);
  stopper.join();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
  EXPECT_EQ(get_path("/a").failure, Failure::stopped);
}

}  // namespace
}  // namespace tidegate::schema
