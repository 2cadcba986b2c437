// Start errors, drain and immediate stop.
#include "server_fixture.h"

namespace tidegate::server {
namespace {

using std::chrono::seconds;

struct LifecycleTest : ServerTest {
  std::string error_of(std::vector<ListenerOptions> listeners) {
    ServerOptions options;
    options.listeners = std::move(listeners);
    Server other(std::move(options), fake_rows(), nullptr, harness.pool(), harness.clock(),
                 harness.metrics());
    const auto started = harness.run([&] { return other.start(); });
    return started ? "started" : started.error().message;
  }
  // Starts a drain and tells when it has ended.
  void drain(Duration limit) {
    auto task = [](LifecycleTest* test, Duration time) -> Task<void> {
      co_await test->server->drain(test->harness.clock().now() + time);
      test->drained = true;
    };
    harness.call([=, this] { harness.shard().start(task(this, limit), "test drain"); });
  }
  bool has_drained() {
    return harness.call([this] { return drained; });
  }
  bool drained = false;
};

TEST_F(LifecycleTest, Start_TakenPortAndBadAddressNameTheListenerInOneLine) {
  start();
  EXPECT_EQ(error_of({{.name = "MAIN", .port = port}}),
            "listener MAIN: cannot listen on 127.0.0.1:" + std::to_string(port) +
                ": the port is taken by another process");
  EXPECT_EQ(error_of({{.name = "MAIN", .host = "203.0.113.7", .port = 0}}),
            "listener MAIN: cannot listen on 203.0.113.7:0: this machine has no such address");
}

TEST_F(LifecycleTest, Start_OneListenerFailsNoneStaysOpen) {
  start();
  auto spare = test::SocketClient();
  EXPECT_THAT(error_of({{.name = "A", .port = 0}, {.name = "B", .port = port}}),
              ::testing::StartsWith("listener B: "));
  auto client = connect();
  EXPECT_TRUE(echoes(client));
}

// The descriptor of this process that listens on `port`, or -1.
int listening_on(std::uint16_t port) {
  for (int fd = 0; fd < 1024; ++fd) {
    int listens = 0;
    socklen_t size = sizeof listens;
    if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) continue;
    sockaddr_in address{};
    size = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
        ntohs(address.sin_port) == port) {
      return fd;
    }
  }
  return -1;
}

TEST_F(LifecycleTest, ListenerThatFails_IsToldAndClosedAndTheOtherGoesOn) {
  ServerOptions options;
  options.listeners = {{.name = "A", .port = 0}, {.name = "B", .port = 0}};
  start(std::move(options));
  const std::uint16_t other = server->endpoints()[1].port;
  auto trouble = [this] { return harness.call([this] { return server->trouble(); }); };
  EXPECT_EQ(trouble(), "");
  const int fd = listening_on(port);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::shutdown(fd, SHUT_RDWR), 0);  // its next accept fails for good
  ASSERT_TRUE(eventually([&] { return !trouble().empty(); }));
  EXPECT_THAT(trouble(),
              ::testing::StartsWith("the listener on 127.0.0.1:" + std::to_string(port) + " has stopped: "));
  EXPECT_FALSE(test::SocketClient::connect(port).connected());
  auto client = test::SocketClient::connect(other);
  EXPECT_TRUE(echoes(client));
}

TEST_F(LifecycleTest, Endpoints_GiveRealPortsAndWhatIsAdvertised) {
  ServerOptions options;
  options.listeners = {
      {.name = "A", .port = 0},
      {.name = "B", .port = 0, .advertised_host = "broker.example", .advertised_port = 1234}};
  start(std::move(options));
  const auto& endpoints = server->endpoints();
  ASSERT_EQ(endpoints.size(), 2u);
  EXPECT_EQ(endpoints[0].advertised_host, "127.0.0.1");
  EXPECT_NE(endpoints[0].port, 0);
  EXPECT_EQ(endpoints[0].advertised_port, endpoints[0].port);
  EXPECT_EQ(endpoints[1].advertised_host, "broker.example");
  EXPECT_EQ(endpoints[1].advertised_port, 1234);
  port = endpoints[1].port;
  auto client = connect();
  EXPECT_TRUE(echoes(client));
}

TEST_F(LifecycleTest, Drain_ClosesIdleConnectionsAnswersWhatIsUnderWayAndRefusesNewOnes) {
  start();
  auto idle = connect();
  auto busy = connect();
  ASSERT_TRUE(echoes(idle));
  ASSERT_TRUE(busy.send(frame(kHeld, 1, "under way")));
  ASSERT_TRUE(logged("begin 1"));
  drain(seconds(10));
  EXPECT_TRUE(idle.wait_closed());
  auto late = test::SocketClient::connect(port);
  EXPECT_FALSE(late.connected());
  EXPECT_FALSE(has_drained());
  release(1);
  EXPECT_EQ(receive(busy), (Answer{1, "under way"}));
  EXPECT_TRUE(busy.wait_closed());
  EXPECT_TRUE(eventually([this] { return has_drained(); }));
  EXPECT_TRUE(closed_for("drained", 2));
}

TEST_F(LifecycleTest, Drain_WaitingRequestsAnswerAtOnce) {
  start();
  auto client = connect();
  ASSERT_TRUE(client.send(frame(kWaiting, 1, "parked")));
  ASSERT_TRUE(logged("begin 1"));
  drain(seconds(10));
  EXPECT_EQ(receive(client), (Answer{1, "parked"}));
  EXPECT_TRUE(client.wait_closed());
  EXPECT_TRUE(eventually([this] { return has_drained(); }));
}

TEST_F(LifecycleTest, Drain_CutsOffAtItsDeadline) {
  start();
  auto client = connect();
  ASSERT_TRUE(client.send(frame(kHeld, 1)));
  ASSERT_TRUE(logged("begin 1"));
  drain(seconds(10));
  harness.advance(seconds(9));
  EXPECT_FALSE(has_drained());
  harness.advance(seconds(1));
  EXPECT_TRUE(client.wait_closed());
  EXPECT_TRUE(eventually([this] { return has_drained(); }));
}

TEST_F(LifecycleTest, WaitingForTheBroker_AnswersWhatCanBeRepeatedAndClosesOnTheRestUntilItServes) {
  start({.waits_for_broker = true});
  auto early = connect();
  ASSERT_TRUE(early.send(frame(kApiVersions, 1)));
  EXPECT_EQ(receive(early), (Answer{1, "asked 0"}));
  ASSERT_TRUE(early.send(frame(kEcho, 2, "too early")));
  EXPECT_TRUE(early.wait_closed());
  auto patient = connect();
  ASSERT_TRUE(patient.send(frame(kApiVersions, 3)));
  EXPECT_EQ(receive(patient), (Answer{3, "asked 0"}));
  server->serve(nullptr);  // the fake rows need none
  ASSERT_TRUE(patient.send(frame(kEcho, 4, "now")));
  EXPECT_EQ(receive(patient), (Answer{4, "now"}));
}

TEST_F(LifecycleTest, StopNow_EndsEverythingAlsoInTheMiddleOfADrain) {
  start();
  auto client = connect();
  ASSERT_TRUE(client.send(frame(kHeld, 1)));
  ASSERT_TRUE(logged("begin 1"));
  drain(seconds(1000));
  EXPECT_FALSE(has_drained());
  server->stop_now();
  EXPECT_TRUE(client.wait_closed());
  EXPECT_TRUE(eventually([this] { return has_drained(); }));
}

}  // namespace
}  // namespace tidegate::server
