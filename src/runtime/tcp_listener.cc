// Opening a listening socket by hand rather than through Asio, so that every failure has its own
// message; Asio waits for connections.
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "errno_text.h"
#include "tidegate/runtime/tcp.h"

namespace tidegate {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  std::uint16_t port() const {
    return ntohs(family() == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port
                                      : reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  }
  std::string host() const;
};

std::string Address::host() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (family() == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
      ::inet_ntop(AF_INET, &address.s6_addr[12], text, sizeof text);
    } else {
      ::inet_ntop(AF_INET6, &address, text, sizeof text);
    }
  } else {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr, text, sizeof text);
  }
  return text;
}

std::string explain(int code) {
  switch (code) {
    case EADDRINUSE:
      return "the port is taken by another process";
    case EADDRNOTAVAIL:
      return "this machine has no such address";
    case EACCES:
      return "no permission to use this port (ports below 1024 need privileges)";
    default:
      return errno_text(code);
  }
}

std::unexpected<Error> cannot_listen(const std::string& endpoint, const std::string& why) {
  return fail(ErrorCode::invalid_config, "cannot listen on " + endpoint + ": " + why);
}

Result<Address> resolve(const std::string& host, std::uint16_t port) {
  const std::string bare =
      host.size() >= 2 && host.front() == '[' && host.back() == ']' ? host.substr(1, host.size() - 2) : host;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  if (bare.empty()) hints.ai_family = AF_INET;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(port);
  const int code = ::getaddrinfo(bare.empty() ? nullptr : bare.c_str(), service.c_str(), &hints, &found);
  if (code != 0) {
    return cannot_listen(format_endpoint(host, port),
                         std::string("not an address or a known host name (") + ::gai_strerror(code) + ")");
  }
  const addrinfo* chosen = found;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (at->ai_family != AF_INET) continue;
    chosen = at;
    break;
  }
  Address address;
  std::memcpy(&address.storage, chosen->ai_addr, chosen->ai_addrlen);
  address.length = chosen->ai_addrlen;
  ::freeaddrinfo(found);
  return address;
}

// Errors mean for us: gone before we took it (try the next), no resources (later), or the end.
enum class AcceptFailure { skip, exhausted, fatal };
AcceptFailure classify(int code) {
  switch (code) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:  // a firewall rule
      return AcceptFailure::skip;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return AcceptFailure::exhausted;
    default:
      return AcceptFailure::fatal;
  }
}

}  // namespace

std::string format_endpoint(const std::string& host, std::uint16_t port) {
  const bool bracket = host.find(':') != std::string::npos && host.front() != '[';
  return (bracket ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

struct TcpListener::State {
  explicit State(boost::asio::io_context& context) : acceptor(context) {}
  boost::asio::ip::tcp::acceptor acceptor;
  bool maybe_more = true;  // the last accept4 found one, so try again before waiting
};

TcpListener::TcpListener(std::unique_ptr<State> state, std::uint16_t port, std::string endpoint)
    : state_(std::move(state)), port_(port), endpoint_(std::move(endpoint)) {}
TcpListener::~TcpListener() { close(); }

Result<std::unique_ptr<TcpListener>> TcpListener::open(Shard& shard, const std::string& host,
                                                       std::uint16_t port, int backlog) {
  auto resolved = resolve(host, port);
  if (!resolved) return fail(resolved.error());
  const std::string wanted = format_endpoint(host, port);
  Address address = *resolved;
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return cannot_listen(wanted, explain(errno));
  const int on = 1;
  const int off = 0;
  // Lets a restarted daemon have its port back while old connections are still in TIME_WAIT.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(fd.get(), address.get(), address.length) != 0) return cannot_listen(wanted, explain(errno));
  if (::listen(fd.get(), backlog) != 0) return cannot_listen(wanted, explain(errno));
  Address bound;
  bound.length = sizeof bound.storage;
  if (::getsockname(fd.get(), bound.get(), &bound.length) != 0) return cannot_listen(wanted, explain(errno));

  using boost::asio::ip::tcp;
  auto state = std::make_unique<State>(shard.context());
  boost::system::error_code error;
  state->acceptor.assign(address.family() == AF_INET6 ? tcp::v6() : tcp::v4(), fd.get(), error);
  if (error) return cannot_listen(wanted, error.message());
  fd.release();
  return std::unique_ptr<TcpListener>(
      new TcpListener(std::move(state), bound.port(), format_endpoint(bound.host(), bound.port())));
}

Task<Result<AcceptedSocket>> TcpListener::accept() {
  for (;;) {
    auto& acceptor = state_->acceptor;
    if (!acceptor.is_open()) co_return fail(ErrorCode::network_exception, "the listener is closed");
    if (!std::exchange(state_->maybe_more, true)) {
      auto operation = acceptor.async_wait(boost::asio::socket_base::wait_read,
                                           boost::asio::as_tuple(boost::asio::deferred));
      const auto [error] = co_await std::move(operation);
      if (error) co_return fail(ErrorCode::network_exception, "accept: " + error.message());
      if (!acceptor.is_open()) continue;
    }
    Address peer;
    peer.length = sizeof peer.storage;
    UniqueFd fd(::accept4(acceptor.native_handle(), peer.get(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      AcceptedSocket accepted;
      accepted.ipv6 = peer.family() == AF_INET6;
      accepted.peer_address = peer.host();
      accepted.peer = format_endpoint(accepted.peer_address, peer.port());
      accepted.fd = std::move(fd);
      co_return accepted;
    }
    const int code = errno;
    if (code == EAGAIN || code == EWOULDBLOCK) {
      state_->maybe_more = false;
      continue;
    }
    const std::string message = "accept: " + explain(code);
    switch (classify(code)) {
      case AcceptFailure::skip:
        continue;
      case AcceptFailure::exhausted:
        co_return fail(ErrorCode::policy_violation, message);
      case AcceptFailure::fatal:
        co_return fail(ErrorCode::network_exception, message);
    }
  }
}

void TcpListener::close() {
  boost::system::error_code ignored;
  if (state_->acceptor.is_open()) state_->acceptor.close(ignored);
}

}  // namespace tidegate
