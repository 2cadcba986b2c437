// 10,000 bad frames while a healthy client goes on and sees nothing of it.
#include "server_fixture.h"
#include "tidegate/base/rng.h"

namespace tidegate::server {
namespace {

constexpr std::uint64_t kSeed = 20260101;
constexpr int kFrames = 10'000;

struct HostileTest : ServerTest {
  HostileTest() : ServerTest(2, test::RealClock{}) {}
};

std::vector<std::uint8_t> random_bytes(SeededRng& rng, std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng.next());
  return bytes;
}
std::vector<std::uint8_t> text(std::string_view value) { return {value.begin(), value.end()}; }

std::vector<std::uint8_t> bad_frame(SeededRng& rng) {
  switch (rng.below(7)) {
    case 0:
      return random_bytes(rng, 1 + rng.below(300));
    case 1: {  // cut anywhere
      auto bytes = frame(kEcho, 1, std::string(rng.below(200), 'x'));
      bytes.resize(1 + rng.below(bytes.size() - 1));
      return bytes;
    }
    case 2: {  // oversized or negative length
      std::vector<std::uint8_t> bytes;
      put_int(bytes, static_cast<std::uint32_t>(104'857'601 + rng.below(UINT32_MAX - 104'857'601)), 4);
      return bytes;
    }
    case 3: {  // plausible length and key, the rest is noise
      const auto noise = random_bytes(rng, 8 + rng.below(100));
      std::vector<std::uint8_t> bytes;
      put_int(bytes, static_cast<std::uint32_t>(noise.size() + 2), 4);
      put_int(bytes, static_cast<std::uint32_t>(rng.below(2)), 2);
      bytes.insert(bytes.end(), noise.begin(), noise.end());
      return bytes;
    }
    case 4:
      return text(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
    case 5:
      return text("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    default: {  // a huge frame announced, a little of it sent
      std::vector<std::uint8_t> bytes;
      put_int(bytes, 50'000'000, 4);
      put_int(bytes, kEcho << 16, 4);
      put_int(bytes, 7, 4);
      return bytes;
    }
  }
}

TEST_F(HostileTest, TenThousandBadFrames_DoNotDisturbAHealthyClient) {
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  ServerOptions options;
  options.frame_timeout = std::chrono::milliseconds(200);
  start(std::move(options));
  std::atomic<bool> done = false;
  std::atomic<int> echoed = 0;
  std::atomic<bool> healthy = true;
  std::thread client([&] {
    auto socket = test::SocketClient::connect(port);
    for (std::int32_t id = 0; !done || id < 100; ++id) {
      const bool answered =
          socket.send(frame(kEcho, id, "healthy")) && receive(socket) == Answer{id, "healthy"};
      if (!answered) {
        healthy = false;
        return;
      }
      ++echoed;
    }
  });
  SeededRng rng(kSeed);
  std::vector<test::SocketClient> slow;  // left open with half a frame, ended by the frame time-out
  for (int i = 0; i < kFrames; ++i) {
    auto bad = test::SocketClient::connect(port);
    if (!bad.connected()) {
      ADD_FAILURE() << "frame " << i << ": not accepted";
      break;
    }
    const auto bytes = bad_frame(rng);
    bad.send(bytes);
    if (i % 50 == 0) slow.push_back(std::move(bad));
  }
  done = true;
  client.join();
  EXPECT_TRUE(healthy);
  EXPECT_GE(echoed, 100);
  EXPECT_TRUE(eventually([this] { return server->connections() == 0; }));
  for (auto& socket : slow) EXPECT_TRUE(socket.readable_within(5000));
  EXPECT_EQ(metric("tidegate_server_connections_accepted_total", {}), kFrames + 1);
}

}  // namespace
}  // namespace tidegate::server
