// Real sockets on the loopback interface.
#include "tidegate/runtime/tcp.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <thread>

#include "support/run_task.h"
#include "support/socket_client.h"

namespace tidegate {
namespace {

using test::SocketClient;

struct TcpTest : ::testing::Test {
  std::unique_ptr<TcpListener> listener;
  std::unique_ptr<Stream> stream;
  test::ShardHarness harness{1, test::RealClock{}};

  void TearDown() override {
    harness.call([this] {
      stream.reset();
      listener.reset();
    });
  }
  Result<std::unique_ptr<TcpListener>> open(const std::string& host, std::uint16_t port) {
    return harness.call([&] { return TcpListener::open(harness.shard(), host, port); });
  }
  void listen(const std::string& host = "127.0.0.1") {
    auto opened = open(host, 0);
    ASSERT_TRUE(opened) << opened.error().message;
    listener = std::move(*opened);
  }
  SocketClient connect(int receive_buffer = 0) {
    auto client = SocketClient::connect(listener->port(), "127.0.0.1", nullptr, receive_buffer);
    auto accepted = harness.run([this] { return listener->accept(); });
    EXPECT_TRUE(accepted);
    harness.call([&] { stream = std::move(*make_tcp_stream(harness.shard(), std::move(*accepted))); });
    return client;
  }
  std::string error_of(const std::string& host, std::uint16_t port) {
    auto opened = open(host, port);
    if (!opened) return opened.error().message;
    harness.call([&] { opened->reset(); });
    return "opened";
  }
};

TEST_F(TcpTest, Open_PortZeroPicksOneAndSaysWhich) {
  listen();
  EXPECT_NE(listener->port(), 0);
  EXPECT_EQ(listener->endpoint(), "127.0.0.1:" + std::to_string(listener->port()));
}

TEST_F(TcpTest, Open_TakenPortBadAddressAndForeignAddressHaveTheirOwnWords) {
  listen();
  const std::string port = std::to_string(listener->port());
  EXPECT_EQ(error_of("127.0.0.1", listener->port()),
            "cannot listen on 127.0.0.1:" + port + ": the port is taken by another process");
  EXPECT_THAT(error_of("no such host!", 0), ::testing::HasSubstr("not an address or a known host name"));
  EXPECT_EQ(error_of("203.0.113.7", 0), "cannot listen on 203.0.113.7:0: this machine has no such address");
}

TEST_F(TcpTest, Open_AfterAClosedListenerTheSamePortIsFreeAgain) {
  listen();
  const std::uint16_t port = listener->port();
  const auto client = connect();
  harness.call([&] {
    stream.reset();  // the server side closes first: TIME_WAIT is on our port
    listener.reset();
  });
  EXPECT_EQ(error_of("127.0.0.1", port), "opened");
}

TEST_F(TcpTest, Ipv6Wildcard_TakesIpv4AndShowsThePeerAsIpv4) {
  auto opened = open("::", 0);
  if (!opened) GTEST_SKIP() << "no IPv6 here: " << opened.error().message;
  listener = std::move(*opened);
  const auto client = connect();
  EXPECT_EQ(stream->peer_address(), "127.0.0.1");
  EXPECT_EQ(listener->endpoint(), "[::]:" + std::to_string(listener->port()));
}

TEST_F(TcpTest, Accept_OutOfDescriptorsIsAnErrorThatPasses) {
  listen();
  auto client = SocketClient::connect(listener->port());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  auto refused = harness.run([this] { return listener->accept(); });
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::policy_violation);
  EXPECT_TRUE(harness.run([this] { return listener->accept(); }));
}

TEST_F(TcpTest, Close_EndsAPendingAcceptAndAPendingWait) {
  listen();
  const auto client = connect();
  const auto outcome = harness.run([this]() -> Task<std::pair<bool, bool>> {
    harness.shard().post([this] {
      listener->close();
      stream->close();
      stream->close();
    });
    const auto readable = co_await stream->wait_readable();
    const auto accepted = co_await listener->accept();
    co_return std::pair(readable.has_value(), accepted.has_value());
  });
  EXPECT_EQ(outcome, std::pair(false, false));
  harness.call([this] {
    std::uint8_t byte = 0;
    EXPECT_EQ(stream->try_read({&byte, 1}).error().code, ErrorCode::network_exception);
    const ByteView view(&byte, 1);
    EXPECT_EQ(stream->try_write({&view, 1}).error().code, ErrorCode::network_exception);
  });
}

TEST_F(TcpTest, Read_TellsNothingYetFromTheEnd) {
  listen();
  auto client = connect();
  std::array<std::uint8_t, 16> buffer{};
  harness.call([&] { EXPECT_FALSE(stream->try_read(buffer).value().has_value()); });
  client.send(as_bytes("abc"));
  EXPECT_EQ(harness.run([&] { return stream->read_some(buffer); }), 3u);
  EXPECT_EQ(as_text(ByteView(buffer).first(3)), "abc");
  client.close();
  EXPECT_EQ(harness.run([&] { return stream->read_some(buffer); }), 0u);
}

// More views than one system call takes, more bytes than the socket takes at once.
TEST_F(TcpTest, WriteAll_WritesEveryViewInOrderThroughASlowReader) {
  listen();
  auto client = connect(4096);
  constexpr std::size_t kViews = 1'000;
  std::vector<std::vector<std::uint8_t>> chunks;
  std::vector<ByteView> views;
  std::size_t total = 0;
  for (std::size_t i = 0; i < kViews; ++i) {
    chunks.emplace_back(i % 7 == 0 ? 0 : 10 * i, static_cast<std::uint8_t>(i));
    total += chunks.back().size();
  }
  for (const auto& chunk : chunks) views.emplace_back(chunk);
  std::optional<std::vector<std::uint8_t>> received;
  std::thread reader([&] { received = client.receive(total); });
  const auto written = harness.run([&] { return stream->write_all(views); });
  reader.join();
  ASSERT_TRUE(written);
  ASSERT_TRUE(received);
  EXPECT_EQ(harness.call([&] { return stream->bytes_written(); }), total);
  std::vector<std::uint8_t> expected;
  for (const auto& chunk : chunks) expected.insert(expected.end(), chunk.begin(), chunk.end());
  EXPECT_TRUE(*received == expected);
}

TEST_F(TcpTest, Write_ToAPeerThatIsGoneIsAnErrorNotASignal) {
  listen();
  auto client = connect();
  client.close();
  const std::vector<std::uint8_t> bytes(1 << 20);
  const std::vector<ByteView> views(64, ByteView(bytes));
  EXPECT_FALSE(harness.run([&] { return stream->write_all(views); }));
}

}  // namespace
}  // namespace tidegate
