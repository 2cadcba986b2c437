// Every limit of a connection, reached.
#include <sys/socket.h>

#include "auth_gate.h"
#include "server_fixture.h"

namespace tidegate::server {
namespace {

using LimitsTest = ServerTest;
using std::chrono::milliseconds;
using std::chrono::seconds;

ServerOptions with(std::function<void(ServerOptions&)> change) {
  ServerOptions options;
  change(options);
  return options;
}
std::vector<std::uint8_t> length_only(std::uint32_t length) {
  std::vector<std::uint8_t> bytes;
  put_int(bytes, length, 4);
  return bytes;
}

TEST_F(LimitsTest, FrameSize_BelowTheHeaderAboveTheLimitAndNegativeClose) {
  start(with([](auto& o) { o.max_request_bytes = 1000; }));
  double closed = 0;
  for (const std::uint32_t length : {0u, 7u, 1001u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    auto client = connect();
    ASSERT_TRUE(client.send(length_only(length)));
    EXPECT_TRUE(client.wait_closed()) << length;
    EXPECT_TRUE(closed_for("bad_frame_size", ++closed));
  }
  auto client = connect();
  ASSERT_TRUE(client.send(frame(kEcho, 1, std::string(1000 - 14, 'x'))));
  EXPECT_EQ(receive(client)->body.size(), 986u);
}

TEST_F(LimitsTest, UnknownKeyAndVersion_CloseAfterEarlierAnswers) {
  start();
  double closed = 0;
  for (const auto& [key, version] : {std::pair{99, 0}, {-1, 0}, {1, 3}, {1, -1}, {30000, 0}}) {
    auto client = connect();
    auto bytes = frame(kEcho, 5, "first");
    const auto bad = frame(static_cast<std::int16_t>(key), 6, "", static_cast<std::int16_t>(version));
    bytes.insert(bytes.end(), bad.begin(), bad.end());
    ASSERT_TRUE(client.send(bytes));
    EXPECT_EQ(receive(client), (Answer{5, "first"})) << key;
    EXPECT_TRUE(client.wait_closed()) << key;
    EXPECT_TRUE(closed_for("unknown_api", ++closed));
  }
}

TEST_F(LimitsTest, HeaderThatRunsPastItsFrame_Closes) {
  start();
  auto client = connect();
  const std::uint8_t bytes[] = {0, 0, 0, 10, 0, 1, 0, 0, 0, 0, 0, 1, 0x7f, 0xff};
  ASSERT_TRUE(client.send(bytes));
  EXPECT_TRUE(client.wait_closed());
  EXPECT_TRUE(closed_for("malformed"));
}

TEST_F(LimitsTest, TotalConnections_FurtherOnesAreClosedUntilOneLeaves) {
  start(with([](auto& o) { o.max_connections = 2; }));
  auto first = connect();
  auto second = connect();
  EXPECT_TRUE(echoes(first));
  EXPECT_TRUE(echoes(second));
  auto third = connect();
  EXPECT_TRUE(third.wait_closed());
  EXPECT_TRUE(counted("tidegate_server_connections_refused_total", {{"reason", "total_limit"}}));
  first.close();
  ASSERT_TRUE(eventually([this] { return server->connections() == 1; }));
  auto fourth = connect();
  EXPECT_TRUE(echoes(fourth));
}

TEST_F(LimitsTest, SetLimits_GoForNewConnectionsAndOpenOnes) {
  start(with([](auto& o) { o.max_connections = 1; }));
  auto first = connect();
  EXPECT_TRUE(echoes(first));
  EXPECT_TRUE(connect().wait_closed());
  harness.run([this] {
    return server->set_limits(with([](auto& o) {
      o.max_connections = 2;
      o.max_request_bytes = 1000;
    }));
  });
  auto second = connect();
  EXPECT_TRUE(echoes(second));
  EXPECT_TRUE(connect().wait_closed());
  ASSERT_TRUE(first.send(length_only(1001)));
  EXPECT_TRUE(first.wait_closed());
  EXPECT_TRUE(closed_for("bad_frame_size"));
}

TEST_F(LimitsTest, ConnectionsPerAddress_OnlyThatAddressIsRefused) {
  start(with([](auto& o) {
    o.max_connections_per_address = 1;
    o.listeners = {{.host = "0.0.0.0", .port = 0}};
  }));
  auto first = connect();
  EXPECT_TRUE(echoes(first));
  auto refused = connect();
  EXPECT_TRUE(refused.wait_closed());
  auto other = test::SocketClient::connect(port, "127.0.0.1", "127.0.0.2");
  EXPECT_TRUE(echoes(other));
  EXPECT_TRUE(counted("tidegate_server_connections_refused_total", {{"reason", "address_limit"}}));
}

TEST_F(LimitsTest, RequestsInFlight_TheSocketIsNotReadPastTheLimit) {
  start(with([](auto& o) { o.max_in_flight_requests = 3; }));
  auto client = connect();
  for (std::int32_t id = 1; id <= 5; ++id) ASSERT_TRUE(client.send(frame(kHeld, id)));
  ASSERT_TRUE(logged("begin 3"));
  harness.settle(20);
  EXPECT_EQ(log().size(), 3u);
  release(1);
  EXPECT_EQ(receive(client), (Answer{1, ""}));
  ASSERT_TRUE(logged("begin 4"));
  harness.settle(20);
  EXPECT_EQ(log().size(), 5u);  // begin 1-3, end 1, begin 4
}

// A budget that holds one request: the second connection's is read when the first has its answer.
TEST_F(LimitsTest, RequestMemory_ABodyIsNotReadBeforeThereIsRoomForIt) {
  start(with([](auto& o) { o.request_memory_bytes = 200'000; }));
  auto first = connect();
  auto second = connect();
  const std::string body(60'000, 'b');  // admitted for 2 x 60,014 + 64 KiB
  ASSERT_TRUE(first.send(frame(kHeld, 1, body)));
  ASSERT_TRUE(logged("begin 1"));
  ASSERT_TRUE(second.send(frame(kHeld, 2, body)));
  EXPECT_TRUE(counted("tidegate_server_connections_waiting_for_memory", {}, 1));
  EXPECT_EQ(log().size(), 1u);
  release(1);
  EXPECT_EQ(receive(first)->correlation, 1);
  ASSERT_TRUE(logged("begin 2"));
  EXPECT_EQ(gauge("tidegate_server_connections_waiting_for_memory"), 0);
  release(2);
  EXPECT_EQ(receive(second)->body.size(), body.size());
}

TEST_F(LimitsTest, RequestLargerThanTheBudget_IsAdmittedAlone) {
  start(with([](auto& o) { o.request_memory_bytes = 100'000; }));
  auto client = connect();
  ASSERT_TRUE(client.send(frame(kEcho, 1, std::string(500'000, 'x'))));
  EXPECT_EQ(receive(client)->body.size(), 500'000u);
}

TEST_F(LimitsTest, ConnectionThatWaitsForMemory_MayLeave) {
  start(with([](auto& o) { o.request_memory_bytes = 100'000; }));
  auto first = connect();
  ASSERT_TRUE(first.send(frame(kHeld, 1, std::string(40'000, 'x'))));
  ASSERT_TRUE(logged("begin 1"));
  {
    auto second = connect();
    ASSERT_TRUE(second.send(frame(kEcho, 2, std::string(40'000, 'x'))));
    ASSERT_TRUE(counted("tidegate_server_connections_waiting_for_memory", {}, 1));
  }
  release(1);
  EXPECT_EQ(receive(first)->correlation, 1);
  EXPECT_TRUE(eventually([this] { return server->connections() == 1; }));
}

TEST_F(LimitsTest, QueuedAnswerBytes_TheSocketIsNotReadWhileTheClientDoesNotReadItsAnswers) {
  start(with([](auto& o) { o.max_queued_response_bytes = 1 << 20; }));
  auto client = test::SocketClient::connect(port, "127.0.0.1", nullptr, 4096);
  const std::string four_mib(4096, 'n');
  for (std::int32_t id = 0; id < 10; ++id) ASSERT_TRUE(client.send(frame(kLarge, id, four_mib)));
  ASSERT_TRUE(eventually([this] { return gauge("tidegate_server_queued_response_bytes") > (1 << 20); }));
  harness.settle(50);
  // Not all ten: reading stopped as soon as more than the limit was queued.
  EXPECT_LT(gauge("tidegate_server_queued_response_bytes"), 5 * (4 << 20));
  for (std::int32_t id = 0; id < 10; ++id) {
    const auto answer = receive(client);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->correlation, id);
    EXPECT_EQ(answer->body.size(), 4u << 20);
  }
}

// One client's unread answer is the whole share: nobody is read until it has left.
TEST_F(LimitsTest, AnswerMemoryOfAShard_NoConnectionIsReadWhileItIsExhausted) {
  start(with([](auto& o) { o.response_memory_bytes = 4 << 20; }));
  auto slow = test::SocketClient::connect(port, "127.0.0.1", nullptr, 4096);
  auto other = connect();
  ASSERT_TRUE(echoes(other));
  ASSERT_TRUE(slow.send(frame(kLarge, 1, std::string(16'384, 'n'))));
  ASSERT_TRUE(eventually([this] { return gauge("tidegate_server_response_memory_bytes") > (16 << 20); }));
  ASSERT_TRUE(other.send(frame(kEcho, 2, "later")));
  EXPECT_TRUE(quiet(other));
  EXPECT_EQ(receive(slow)->body.size(), 16u << 20);
  EXPECT_EQ(receive(other), (Answer{2, "later"}));
  EXPECT_EQ(server->connections(), 2u);
}

// The largest holder goes after a tenth of the write-stall time; the smaller one may stay.
TEST_F(LimitsTest, AnswerMemoryOfAShard_TheLargestHolderThatDoesNotReadIsClosed) {
  start(with([](auto& o) {
    o.response_memory_bytes = 24 << 20;
    o.write_stall_timeout = seconds(100);
  }));
  auto small = test::SocketClient::connect(port, "127.0.0.1", nullptr, 4096);
  auto large = test::SocketClient::connect(port, "127.0.0.1", nullptr, 4096);
  auto other = connect();
  ASSERT_TRUE(echoes(other));
  ASSERT_TRUE(small.send(frame(kLarge, 1, std::string(12'288, 'n'))));
  ASSERT_TRUE(eventually([this] { return gauge("tidegate_server_response_memory_bytes") > (12 << 20); }));
  ASSERT_TRUE(large.send(frame(kLarge, 2, std::string(16'384, 'n'))));
  ASSERT_TRUE(eventually([this] { return gauge("tidegate_server_response_memory_bytes") > (28 << 20); }));
  ASSERT_TRUE(other.send(frame(kEcho, 3, "later")));
  harness.advance(seconds(9));
  EXPECT_TRUE(quiet(other));
  EXPECT_EQ(server->connections(), 3u);
  harness.advance(seconds(1));
  EXPECT_TRUE(closed_for("write_stall"));
  EXPECT_EQ(receive(other), (Answer{3, "later"}));
  EXPECT_EQ(receive(small)->body.size(), 12u << 20);
  EXPECT_EQ(server->connections(), 2u);
}

TEST_F(LimitsTest, AnswerMemoryOfAShard_WhatTheHandlerHasChargedDoesNotCount) {
  start(with([](auto& o) { o.response_memory_bytes = 4 << 20; }));
  auto slow = test::SocketClient::connect(port, "127.0.0.1", nullptr, 4096);
  auto other = connect();
  ASSERT_TRUE(slow.send(frame(kCharged, 1, std::string(16'384, 'n'))));
  ASSERT_TRUE(eventually([this] { return gauge("tidegate_server_queued_response_bytes") > (16 << 20); }));
  EXPECT_EQ(gauge("tidegate_server_response_memory_bytes"), 0);
  EXPECT_TRUE(echoes(other));
}

TEST_F(LimitsTest, IdleConnection_ClosesAfterItsTimeAndNotBefore) {
  start(with([](auto& o) { o.idle_timeout = seconds(10); }));
  auto client = connect();
  ASSERT_TRUE(echoes(client));
  harness.advance(seconds(9));
  ASSERT_TRUE(echoes(client));
  harness.advance(seconds(9));
  EXPECT_TRUE(quiet(client));
  harness.advance(seconds(1));
  EXPECT_TRUE(client.wait_closed());
  EXPECT_TRUE(closed_for("idle"));
}

TEST_F(LimitsTest, ConnectionWithARequestUnderWay_IsNotIdle) {
  start(with([](auto& o) { o.idle_timeout = seconds(10); }));
  auto client = connect();
  ASSERT_TRUE(client.send(frame(kWaiting, 1)));
  ASSERT_TRUE(logged("begin 1"));
  harness.advance(seconds(25));
  release(1);
  EXPECT_EQ(receive(client), (Answer{1, ""}));
}

TEST_F(LimitsTest, ConnectionToldToBeQuiet_IsNotIdleMeanwhile) {
  start(with([](auto& o) { o.idle_timeout = milliseconds(400); }));
  auto client = connect();
  ASSERT_TRUE(client.send(frame(kThrottled, 1)));
  EXPECT_EQ(receive(client), (Answer{1, ""}));
  for (int i = 0; i < 3; ++i) harness.advance(milliseconds(400));
  ASSERT_TRUE(echoes(client));
  harness.advance(milliseconds(400));
  EXPECT_TRUE(client.wait_closed());
  EXPECT_TRUE(closed_for("idle"));
}

TEST_F(LimitsTest, FrameThatStops_ClosesInItsHeaderAndInItsBody) {
  start(with([](auto& o) { o.frame_timeout = seconds(5); }));
  const auto whole = frame(kEcho, 1, std::string(100, 'x'));
  double closed = 0;
  for (const std::size_t sent : {std::size_t{2}, std::size_t{6}, std::size_t{50}}) {
    auto client = connect();
    ASSERT_TRUE(client.send(ByteView(whole).first(sent)));
    ASSERT_TRUE(
        eventually([&] { return harness.call([&] { return harness.shard().timers().armed(); }) >= 2; }));
    harness.advance(seconds(5));
    EXPECT_TRUE(client.wait_closed()) << sent;
    EXPECT_TRUE(closed_for("slow_frame", ++closed));
  }
}

// A byte now and then is not enough: a frame has its time and what a slow line would need.
TEST_F(LimitsTest, FrameThatTrickles_ClosesAfterItsTime) {
  start(with([](auto& o) { o.frame_timeout = seconds(5); }));
  auto client = connect();
  const auto whole = frame(kEcho, 1, std::string(100, 'x'));
  ASSERT_TRUE(client.send(ByteView(whole).first(50)));
  ASSERT_TRUE(eventually([&] { return gauge("tidegate_server_received_bytes_total") == 50; }));
  for (std::size_t i = 0; i < 3 && !client.readable_within(20); ++i) {
    client.send(ByteView(whole).subspan(50 + i, 1));
    ASSERT_TRUE(eventually(
        [&] { return gauge("tidegate_server_received_bytes_total") == static_cast<double>(51 + i); }));
    harness.advance(seconds(5));
  }
  EXPECT_TRUE(client.wait_closed());
  EXPECT_TRUE(closed_for("slow_frame"));
}

TEST_F(LimitsTest, ClientThatReadsNothing_ClosesAfterTheWriteStallTime) {
  start(with([](auto& o) { o.write_stall_timeout = seconds(30); }));
  auto client = test::SocketClient::connect(port, "127.0.0.1", nullptr, 4096);
  auto healthy = connect();
  ASSERT_TRUE(client.send(frame(kLarge, 1, std::string(16'384, 'n'))));
  ASSERT_TRUE(eventually([this] { return gauge("tidegate_server_sent_bytes_total") > 0; }));
  harness.advance(seconds(29));
  EXPECT_EQ(server->connections(), 2u);
  harness.advance(seconds(1));
  EXPECT_TRUE(closed_for("write_stall"));
  EXPECT_TRUE(eventually([this] { return server->connections() == 1; }));
  EXPECT_TRUE(echoes(healthy));
}

TEST(AuthGate, Handshake_LetsThroughItsKeysOnlyAndSmallFrames) {
  AuthGate gate(AuthGate::Stage::handshake);
  for (const std::int16_t key : {17, 18, 36}) EXPECT_TRUE(gate.allows(key));
  for (const std::int16_t key : {0, 1, 3, 19}) EXPECT_FALSE(gate.allows(key));
  EXPECT_EQ(gate.frame_limit(100, 10), 10u);
  EXPECT_EQ(gate.frame_limit(5, 10), 5u);
  gate.authenticated();
  EXPECT_TRUE(gate.allows(0));
  EXPECT_EQ(gate.frame_limit(100, 10), 100u);
}

}  // namespace
}  // namespace tidegate::server
