// Sockets of connection.h.
#include "connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace loadgen {
namespace {

constexpr size_t kBufferBytes = 1 << 20;
constexpr int kTimeoutSeconds = 60;

}  // namespace

Connection::Connection(const std::string& address) : buffer_(kBufferBytes, '\0') {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) throw Error("not HOST:PORT: " + address);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.substr(0, colon).c_str(), address.substr(colon + 1).c_str(), &hints, &found) != 0) {
    throw Error("cannot resolve " + address);
  }
  fd_ = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = fd_ >= 0 && connect(fd_, found->ai_addr, found->ai_addrlen) == 0;
  freeaddrinfo(found);
  if (!connected) throw Error("cannot connect to " + address + ": " + std::strerror(errno));
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const timeval limit{kTimeoutSeconds, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

Connection::Connection(Connection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      buffer_(std::move(other.buffer_)),
      begin_(other.begin_),
      end_(other.end_) {}

Connection::~Connection() {
  if (fd_ >= 0) close(fd_);
}

void Connection::send(const std::string& frame) {
  for (size_t sent = 0; sent < frame.size();) {
    const ssize_t n = ::send(fd_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw Error(std::string("send: ") + std::strerror(errno));
    sent += static_cast<size_t>(n);
  }
}

void Connection::read_more(size_t wanted) {
  if (begin_ + wanted > buffer_.size()) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    if (wanted > buffer_.size()) buffer_.resize(wanted);
  }
  while (end_ - begin_ < wanted) {
    const ssize_t n = recv(fd_, buffer_.data() + end_, buffer_.size() - end_, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) throw Error("the server closed the connection");
    if (n < 0) throw Error(std::string("receive: ") + std::strerror(errno));
    end_ += static_cast<size_t>(n);
  }
}

Reader Connection::receive() {
  read_more(8);
  Reader head(std::string_view(buffer_).substr(begin_, 8));
  const int32_t size = head.i32();
  if (size < 4 || size > 1 << 30) throw Error("bad answer length " + std::to_string(size));
  const size_t whole = 4 + static_cast<size_t>(size);
  read_more(whole);
  const Reader body(std::string_view(buffer_).substr(begin_ + 8, whole - 8));
  begin_ += whole;
  if (begin_ == end_) begin_ = end_ = 0;
  return body;
}

}  // namespace loadgen
