// A blocking Kafka client of a few lines, for tests that must see the bytes: one socket, frames out,
// frames in. Every wait is bounded by `timeout_ms`.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tidegate/base/shared_buffer.h"
#include "tidegate/protocol/codec.h"

namespace tidegate::test {

class WireClient {
 public:
  explicit WireClient(std::uint16_t port, int timeout_ms = 10'000) : timeout_ms_(timeout_ms) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~WireClient() { ::close(fd_); }
  WireClient(const WireClient&) = delete;

  bool connected() const { return connected_; }
  int fd() const { return fd_; }

  bool send_bytes(const std::string& bytes) {
    std::size_t at = 0;
    while (at < bytes.size()) {
      const auto sent = ::send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      at += static_cast<std::size_t>(sent);
    }
    return true;
  }
  // `body` begins with the request header; the length goes in front.
  bool send_frame(const std::string& body) {
    const std::uint32_t length = htonl(static_cast<std::uint32_t>(body.size()));
    return send_bytes(std::string(reinterpret_cast<const char*>(&length), 4) + body);
  }
  // nullopt when the connection ended or nothing came in time.
  std::optional<SharedBuffer> receive_frame() {
    std::uint8_t head[4];
    if (!receive(head, 4)) return std::nullopt;
    const std::uint32_t length = (std::uint32_t{head[0]} << 24) | (std::uint32_t{head[1]} << 16) |
                                 (std::uint32_t{head[2]} << 8) | head[3];
    MutableBuffer body(length);
    if (!receive(body.data(), length)) return std::nullopt;
    return std::move(body).freeze();
  }
  // True when the other side ends the connection (and sends nothing more) in time.
  bool closed_by_peer() {
    std::uint8_t byte = 0;
    pollfd waiting{fd_, POLLIN, 0};
    return ::poll(&waiting, 1, timeout_ms_) > 0 && ::recv(fd_, &byte, 1, 0) <= 0;
  }

  template <class Request>
  static std::string encode(const Request& request, std::int16_t version, std::int32_t correlation_id = 1) {
    std::string frame;
    for (const auto& chunk :
         protocol::encode_request(request, version, correlation_id, std::optional<std::string>("test"))) {
      frame += as_text(chunk.bytes());
    }
    return frame;
  }
  // One request and its answer; nullopt when there is none.
  template <class Response, class Request>
  std::optional<Response> call(const Request& request, std::int16_t version) {
    if (!send_frame(encode(request, version))) return std::nullopt;
    const auto frame = receive_frame();
    if (!frame) return std::nullopt;
    auto decoded = protocol::decode_response<Response>(*frame, version);
    if (!decoded) return std::nullopt;
    return std::move(decoded->response);
  }

 private:
  bool receive(std::uint8_t* into, std::size_t size) {
    std::size_t at = 0;
    while (at < size) {
      pollfd waiting{fd_, POLLIN, 0};
      if (::poll(&waiting, 1, timeout_ms_) <= 0) return false;
      const auto got = ::recv(fd_, into + at, size - at, 0);
      if (got <= 0) return false;
      at += static_cast<std::size_t>(got);
    }
    return true;
  }

  int fd_ = -1;
  int timeout_ms_;
  bool connected_ = false;
};

}  // namespace tidegate::test
