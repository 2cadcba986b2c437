#include "fake/proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

namespace tidegate::test {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(port);
  return at;
}

constexpr std::size_t kQueued = 1U << 20;
// In mode slow.
constexpr int kTickMs = 50;
constexpr std::size_t kTickBytes = 512;

// Moves bytes from `from` to the end of `queue`; false at the end of the stream.
bool receive(int from, std::string& queue) {
  std::array<char, 65536> part;
  const auto n = ::recv(from, part.data(), part.size(), MSG_DONTWAIT);
  if (n > 0) queue.append(part.data(), static_cast<std::size_t>(n));
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
}
bool flush(int to, std::string& queue, std::size_t at_most) {
  if (queue.empty()) return true;
  const auto n = ::send(to, queue.data(), std::min(queue.size(), at_most), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n > 0) queue.erase(0, static_cast<std::size_t>(n));
  return n > 0 || errno == EAGAIN || errno == EWOULDBLOCK;
}

}  // namespace

FaultyProxy::FaultyProxy(std::uint16_t target_port)
    : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), target_(target_port) {
  sockaddr_in at = loopback(0);
  socklen_t size = sizeof at;
  const bool good = ::bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 &&
                    ::listen(listener_, 128) == 0 &&
                    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size) == 0 &&
                    ::pipe2(wake_, O_CLOEXEC | O_NONBLOCK) == 0;
  EXPECT_TRUE(good) << "proxy cannot listen";
  port_ = ntohs(at.sin_port);
  thread_ = std::thread([this] { loop(); });
}

FaultyProxy::~FaultyProxy() {
  stopping_ = true;
  wake();
  thread_.join();
  for (auto& pair : pairs_) drop(pair, false);
  ::close(listener_);
  ::close(wake_[0]);
  ::close(wake_[1]);
}

void FaultyProxy::wake() {
  const char byte = 1;
  EXPECT_EQ(::write(wake_[1], &byte, 1), 1);
}

void FaultyProxy::set(Mode mode) {
  mode_ = mode;
  wake();
}

void FaultyProxy::reset_all() {
  reset_ = true;
  wake();
}

void FaultyProxy::drop(Pair& pair, bool reset) {
  const linger at_once{1, 0};
  for (int* fd : {&pair.client, &pair.server}) {
    if (*fd < 0) continue;
    if (reset) ::setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(std::exchange(*fd, -1));
  }
}

void FaultyProxy::accept_one() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (client < 0) return;
  const Mode mode = mode_;
  Pair pair{.client = client, .server = -1, .damaged = mode == Mode::hang, .to_server = {}, .to_client = {}};
  pair.vanished = mode == Mode::half_open;
  if (mode == Mode::refuse) {
    drop(pair, true);
    return;
  }
  ++connections_;
  if (mode != Mode::hang && mode != Mode::half_open) {
    pair.server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in at = loopback(target_);
    if (::connect(pair.server, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) {
      drop(pair, true);
      return;
    }
    const int on = 1;
    ::setsockopt(pair.server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(pair.client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  pairs_.push_back(std::move(pair));
}

bool FaultyProxy::pump(Pair& pair, short client_events, short server_events) {
  if (mode_ == Mode::half_open) pair.vanished = true;
  if (pair.vanished) return (client_events & (POLLRDHUP | POLLHUP | POLLERR)) == 0;
  const bool hang = mode_ == Mode::hang;
  if (hang) {
    pair.damaged = true;
    pair.to_server.clear();
    pair.to_client.clear();
  }
  bool good = true;
  if (client_events & (POLLIN | POLLHUP | POLLERR)) good = receive(pair.client, pair.to_server) && good;
  if (pair.server >= 0 && (server_events & (POLLIN | POLLHUP | POLLERR))) {
    good = receive(pair.server, pair.to_client) && good;
  }
  if (hang) return good;
  const std::size_t at_most = mode_ == Mode::slow ? kTickBytes : kQueued;
  return good && flush(pair.client, pair.to_client, at_most) &&
         (pair.server < 0 || flush(pair.server, pair.to_server, at_most));
}

void FaultyProxy::loop() {
  std::vector<pollfd> polled;
  while (!stopping_) {
    const bool resetting = reset_.exchange(false) || mode_ == Mode::refuse;
    for (auto& pair : pairs_) {
      if (mode_ == Mode::half_open) pair.vanished = true;
      if (resetting || (pair.damaged && mode_ != Mode::hang)) drop(pair, true);
    }
    std::erase_if(pairs_, [](const Pair& pair) { return pair.client < 0; });
    polled.clear();
    polled.push_back({wake_[0], POLLIN, 0});
    polled.push_back({listener_, POLLIN, 0});
    for (const auto& pair : pairs_) {
      if (pair.vanished) {
        polled.push_back({pair.client, POLLRDHUP, 0});
        polled.push_back({-1, 0, 0});
        continue;
      }
      const bool room_up = pair.to_server.size() < kQueued;
      const bool room_down = pair.to_client.size() < kQueued;
      polled.push_back({pair.client,
                        static_cast<short>((room_up ? POLLIN : 0) | (pair.to_client.empty() ? 0 : POLLOUT)),
                        0});
      polled.push_back({pair.server,
                        static_cast<short>((room_down ? POLLIN : 0) | (pair.to_server.empty() ? 0 : POLLOUT)),
                        0});
    }
    if (mode_ == Mode::slow) {
      // Only the listener wakes it early: what can be sent or taken waits for the next tick.
      ::poll(polled.data(), 2, kTickMs);
      ::poll(polled.data(), polled.size(), 0);
    } else {
      ::poll(polled.data(), polled.size(), -1);
    }
    std::array<char, 64> bytes;
    while (::read(wake_[0], bytes.data(), bytes.size()) > 0) {
    }
    const std::size_t known = pairs_.size();
    for (std::size_t i = 0; i < known; ++i) {
      if (!pump(pairs_[i], polled[2 + 2 * i].revents, polled[3 + 2 * i].revents)) drop(pairs_[i], false);
    }
    std::erase_if(pairs_, [](const Pair& pair) { return pair.client < 0; });
    if (polled[1].revents & POLLIN) accept_one();
  }
}

}  // namespace tidegate::test
