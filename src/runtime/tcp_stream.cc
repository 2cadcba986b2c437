// A TCP connection. Data moves by plain non-blocking system calls; Asio is asked only to wait.
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "errno_text.h"
#include "tidegate/runtime/tcp.h"

namespace tidegate {
namespace {

constexpr std::size_t kViewsPerCall = 128;

std::unexpected<Error> socket_error(const char* what, int code) {
  return fail(ErrorCode::network_exception, std::string(what) + ": " + errno_text(code));
}
std::unexpected<Error> closed() { return fail(ErrorCode::network_exception, "the connection is closed"); }

class TcpStream final : public Stream {
 public:
  TcpStream(boost::asio::ip::tcp::socket socket, AcceptedSocket accepted)
      : socket_(std::move(socket)),
        peer_(std::move(accepted.peer)),
        peer_address_(std::move(accepted.peer_address)) {}
  ~TcpStream() override { close(); }

  Result<std::optional<std::size_t>> try_read(MutableByteView into) override;
  Task<Result<void>> wait_readable() override { return wait(boost::asio::socket_base::wait_read); }
  Result<std::size_t> try_write(std::span<const ByteView> views) override;
  Task<Result<void>> wait_writable() override { return wait(boost::asio::socket_base::wait_write); }
  std::uint64_t bytes_written() const override { return written_; }
  void close() override;
  const std::string& peer() const override { return peer_; }
  const std::string& peer_address() const override { return peer_address_; }

 private:
  Task<Result<void>> wait(boost::asio::socket_base::wait_type what);

  boost::asio::ip::tcp::socket socket_;
  std::string peer_;
  std::string peer_address_;
  std::uint64_t written_ = 0;
};

Result<std::optional<std::size_t>> TcpStream::try_read(MutableByteView into) {
  if (!socket_.is_open()) return closed();
  for (;;) {
    const ssize_t got = ::recv(socket_.native_handle(), into.data(), into.size(), MSG_DONTWAIT);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;
    if (errno != EINTR) return socket_error("read", errno);
  }
}

Result<std::size_t> TcpStream::try_write(std::span<const ByteView> views) {
  if (!socket_.is_open()) return closed();
  std::size_t total = 0;
  while (!views.empty()) {
    std::array<iovec, kViewsPerCall> parts;
    const std::size_t count = std::min(views.size(), parts.size());
    std::size_t wanted = 0;
    for (std::size_t i = 0; i < count; ++i) {
      parts[i] = {const_cast<std::uint8_t*>(views[i].data()), views[i].size()};
      wanted += views[i].size();
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t put = ::sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      return socket_error("write", errno);
    }
    total += static_cast<std::size_t>(put);
    written_ += static_cast<std::uint64_t>(put);
    if (static_cast<std::size_t>(put) < wanted) break;
    views = views.subspan(count);
  }
  return total;
}

Task<Result<void>> TcpStream::wait(boost::asio::socket_base::wait_type what) {
  if (!socket_.is_open()) co_return closed();
  auto operation = socket_.async_wait(what, boost::asio::as_tuple(boost::asio::deferred));
  const auto [error] = co_await std::move(operation);
  if (error) co_return fail(ErrorCode::network_exception, "wait: " + error.message());
  co_return Result<void>{};
}

void TcpStream::close() {
  if (!socket_.is_open()) return;
  boost::system::error_code ignored;  // the peer may be gone already
  socket_.shutdown(boost::asio::socket_base::shutdown_both, ignored);
  socket_.close(ignored);
}

}  // namespace

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::unique_ptr<Stream>> make_tcp_stream(Shard& shard, AcceptedSocket accepted) {
  using boost::asio::ip::tcp;
  const int on = 1;
  // Responses are written whole: waiting to fill a segment would only add latency.
  ::setsockopt(accepted.fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(accepted.fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  tcp::socket socket(shard.context());
  boost::system::error_code error;
  socket.assign(accepted.ipv6 ? tcp::v6() : tcp::v4(), accepted.fd.get(), error);
  if (error) return fail(ErrorCode::network_exception, "register socket: " + error.message());
  accepted.fd.release();
  std::unique_ptr<Stream> stream = std::make_unique<TcpStream>(std::move(socket), std::move(accepted));
  return stream;
}

}  // namespace tidegate
