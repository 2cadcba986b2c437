// TCP: a listening socket, and the Stream of an accepted connection. The listener lives on one shard;
// an AcceptedSocket is a value that may be sent to another shard, which makes the Stream.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "tidegate/base/result.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/stream.h"
#include "tidegate/runtime/task.h"

namespace tidegate {

// Owns a file descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd();
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct AcceptedSocket {
  UniqueFd fd;  // non-blocking, close-on-exec
  bool ipv6 = false;
  std::string peer;          // "203.0.113.7:51234"
  std::string peer_address;  // "203.0.113.7"; an IPv4 client of an IPv6 socket is shown as IPv4
};

// "HOST:PORT" as logs and options write it: an IPv6 address in brackets.
std::string format_endpoint(const std::string& host, std::uint16_t port);

class TcpListener {
 public:
  // Binds and listens. `host` is an address, a name, or "" for every interface; "::" takes IPv4 too.
  // Port 0 picks one. A name with several addresses is bound to the first, IPv4 before IPv6. The
  // message of an error says the endpoint and what is wrong, in one line. Resolving a name blocks: for
  // start-up only.
  static Result<std::unique_ptr<TcpListener>> open(Shard& shard, const std::string& host, std::uint16_t port,
                                                   int backlog = 1024);
  ~TcpListener();
  TcpListener(const TcpListener&) = delete;

  // The next connection. network_exception after close(); policy_violation when the process or the
  // machine is out of descriptors or memory: wait a little, then try again. On the listener's shard.
  Task<Result<AcceptedSocket>> accept();
  // Stops listening; a pending accept() returns an error. On the listener's shard.
  void close();

  std::uint16_t port() const { return port_; }
  const std::string& endpoint() const { return endpoint_; }

 private:
  struct State;
  TcpListener(std::unique_ptr<State> state, std::uint16_t port, std::string endpoint);
  std::unique_ptr<State> state_;
  std::uint16_t port_;
  std::string endpoint_;
};

// On the shard that the connection will live on.
Result<std::unique_ptr<Stream>> make_tcp_stream(Shard& shard, AcceptedSocket accepted);

}  // namespace tidegate
