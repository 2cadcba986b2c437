// A plain blocking TCP client for tests, run on the test's own thread. Every call has a time limit.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tidegate/base/bytes.h"

namespace tidegate::test {

class SocketClient {
 public:
  SocketClient() = default;
  // Connects to 127.0.0.1 (or `address`, an IPv4 one, from the loopback network).
  static SocketClient connect(std::uint16_t port, const char* address = "127.0.0.1",
                              const char* from = nullptr, int receive_buffer = 0) {
    SocketClient client;
    client.fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
      ::setsockopt(client.fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    if (from) {
      sockaddr_in source = make_address(from, 0);
      ::bind(client.fd_, reinterpret_cast<sockaddr*>(&source), sizeof source);
    }
    client.set_timeout(20);
    sockaddr_in target = make_address(address, port);
    if (::connect(client.fd_, reinterpret_cast<sockaddr*>(&target), sizeof target) != 0) client.close();
    return client;
  }
  SocketClient(SocketClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  SocketClient& operator=(SocketClient&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~SocketClient() { close(); }

  bool connected() const { return fd_ >= 0; }
  int fd() const { return fd_; }

  bool send(ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return true;
  }
  // Exactly `count` bytes, or nullopt when the stream ended, failed or took too long.
  std::optional<std::vector<std::uint8_t>> receive(std::size_t count) {
    std::vector<std::uint8_t> bytes(count);
    std::size_t have = 0;
    while (have < count) {
      const ssize_t got = ::recv(fd_, bytes.data() + have, count - have, 0);
      if (got <= 0) return std::nullopt;
      have += static_cast<std::size_t>(got);
    }
    return bytes;
  }
  // One length-prefixed frame without its prefix.
  std::optional<std::vector<std::uint8_t>> receive_frame() {
    const auto prefix = receive(4);
    if (!prefix) return std::nullopt;
    return receive((*prefix)[0] << 24 | (*prefix)[1] << 16 | (*prefix)[2] << 8 | (*prefix)[3]);
  }
  // True when the peer ends the connection, without another byte, in time.
  bool wait_closed() {
    std::uint8_t byte = 0;
    const ssize_t got = ::recv(fd_, &byte, 1, 0);
    return got == 0 || (got < 0 && errno == ECONNRESET);
  }
  // True when something can be read (or the end has come) within `ms`.
  bool readable_within(int ms) const {
    pollfd waiting{fd_, POLLIN, 0};
    return ::poll(&waiting, 1, ms) > 0;
  }
  void shutdown_writes() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  static sockaddr_in make_address(const char* text, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, text, &address.sin_addr);
    return address;
  }
  void set_timeout(int seconds) {
    const timeval limit{seconds, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  int fd_ = -1;
};

}  // namespace tidegate::test
