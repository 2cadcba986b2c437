#include "rpc/http_client.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include <curl/curl.h>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include "rpc/http_transfer.h"
#include "tidegate/base/assert.h"
#include "tidegate/runtime/suspend.h"

namespace tidegate::storage::seaweedmq {
namespace {

constexpr long kIdleConnections = 64;
using Descriptor = boost::asio::posix::basic_stream_descriptor<Executor>;

long milliseconds(Duration d) {
  return static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(d).count());
}

}  // namespace

void init_http() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  TIDEGATE_ASSERT(done == CURLE_OK);
}

// Sockets are opened and closed through us, so that the descriptor that Asio watches is gone before the
// number is. Handlers hold the State weakly: after close() they find nothing.
struct HttpClient::State : std::enable_shared_from_this<State> {
  struct Socket {
    explicit Socket(Executor executor) : descriptor(std::move(executor)) {}
    ~Socket() { let_go(); }
    // Asio's eyes off the descriptor, before its number can mean another socket.
    void let_go() {
      if (descriptor.is_open()) descriptor.release();
    }
    Descriptor descriptor;
    int wanted = 0;  // CURL_POLL_*
    bool reading = false;
    bool writing = false;
  };

  State(Shard& on, const ClientOptions& opts) : shard(on), options(opts), multi(curl_multi_init()) {
    TIDEGATE_ASSERT(multi != nullptr);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &State::on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &State::on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, options.max_connections_per_volume_server);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, kIdleConnections);
  }
  ~State() { shut(); }

  static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* address) {
    const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) return CURL_SOCKET_BAD;
    auto& state = *static_cast<State*>(self);
    auto socket = std::make_shared<Socket>(state.shard.executor());
    boost::system::error_code error;
    socket->descriptor.assign(fd, error);
    if (error) {
      ::close(fd);
      return CURL_SOCKET_BAD;
    }
    state.sockets.insert_or_assign(fd, std::move(socket));
    return fd;
  }
  static int close_socket(void* self, curl_socket_t fd) {
    auto& sockets = static_cast<State*>(self)->sockets;
    if (const auto at = sockets.find(fd); at != sockets.end()) {
      at->second->let_go();
      sockets.erase(at);
    }
    return ::close(fd);
  }
  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
    auto& state = *static_cast<State*>(self);
    if (state.closed) return 0;
    const auto at = state.sockets.find(fd);
    if (at == state.sockets.end()) return 0;
    at->second->wanted = what == CURL_POLL_REMOVE ? 0 : what;
    state.watch(fd, at->second);
    return 0;
  }
  // Never from inside of libcurl: the timer comes by way of the shard, even with nothing to wait for.
  static int on_timer(CURLM*, long timeout_ms, void* self) {
    auto& state = *static_cast<State*>(self);
    if (state.timer != kNoTimer) state.shard.timers().cancel(std::exchange(state.timer, kNoTimer));
    if (timeout_ms < 0 || state.closed) return 0;
    const MonoTime at = state.shard.clock().now() + std::chrono::milliseconds(timeout_ms);
    state.timer = state.shard.timers().arm(at, [weak = state.weak_from_this()] {
      if (const auto alive = weak.lock()) {
        alive->timer = kNoTimer;
        alive->act(CURL_SOCKET_TIMEOUT, 0);
      }
    });
    return 0;
  }

  void watch(int fd, const std::shared_ptr<Socket>& socket) {
    if ((socket->wanted & CURL_POLL_IN) && !socket->reading) {
      socket->reading = true;
      socket->descriptor.async_wait(Descriptor::wait_read, ready(fd, socket, CURL_CSELECT_IN));
    }
    if ((socket->wanted & CURL_POLL_OUT) && !socket->writing) {
      socket->writing = true;
      socket->descriptor.async_wait(Descriptor::wait_write, ready(fd, socket, CURL_CSELECT_OUT));
    }
  }
  std::function<void(boost::system::error_code)> ready(int fd, const std::shared_ptr<Socket>& socket,
                                                       int event) {
    return [weak = weak_from_this(), seen = std::weak_ptr(socket), fd,
            event](boost::system::error_code error) {
      const auto state = weak.lock();
      const auto at = seen.lock();
      if (!state || !at || error == boost::asio::error::operation_aborted) return;
      (event == CURL_CSELECT_IN ? at->reading : at->writing) = false;
      const int poll = event == CURL_CSELECT_IN ? CURL_POLL_IN : CURL_POLL_OUT;
      if (at->wanted & poll) state->act(fd, error ? event | CURL_CSELECT_ERR : event);
      // Still there and still wanted: libcurl tells of changes only.
      if (const auto still = state->sockets.find(fd); still != state->sockets.end() && still->second == at) {
        state->watch(fd, at);
      }
    };
  }

  void act(int fd, int events) {
    if (closed) return;
    int running = 0;
    curl_multi_socket_action(multi, fd, events, &running);
    reap();
  }
  void reap() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      end(message->easy_handle, message->data.result);
    }
  }
  void end(CURL* easy, CURLcode code) {
    const auto at = transfers.find(easy);
    if (at == transfers.end()) return;
    const auto transfer = std::move(at->second);
    transfers.erase(at);
    curl_multi_remove_handle(multi, easy);
    transfer->finish(code);
    // By way of the queue: the caller may send again, and this may be inside of libcurl's doing.
    shard.post([transfer] {
      Resume resume = std::move(transfer->resume);
      if (resume) resume();
    });
  }
  void shut() {
    if (std::exchange(closed, true)) return;
    if (timer != kNoTimer) shard.timers().cancel(std::exchange(timer, kNoTimer));
    while (!transfers.empty()) end(transfers.begin()->first, CURLE_ABORTED_BY_CALLBACK);
    idle.clear();
    curl_multi_cleanup(multi);
    sockets.clear();
  }
  void prepare(HttpTransfer& transfer) {
    CURL* easy = transfer.easy.get();
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &State::open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &State::close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(options.connect_timeout));
    if (options.volume_https && options.tls.any()) {
      curl_easy_setopt(easy, CURLOPT_CAINFO, options.tls.ca.c_str());
      curl_easy_setopt(easy, CURLOPT_SSLCERT, options.tls.certificate.c_str());
      curl_easy_setopt(easy, CURLOPT_SSLKEY, options.tls.key.c_str());
    }
  }

  Shard& shard;
  const ClientOptions options;
  CURLM* multi;
  bool closed = false;
  TimerId timer = kNoTimer;
  std::unordered_map<int, std::shared_ptr<Socket>> sockets;
  std::unordered_map<CURL*, std::shared_ptr<HttpTransfer>> transfers;
  std::vector<EasyHandle> idle;  // handles to use again
};

HttpClient::HttpClient(Shard& shard, const ClientOptions& options)
    : state_(std::make_shared<State>(shard, options)) {}

HttpClient::~HttpClient() { close(); }

void HttpClient::close() { state_->shut(); }

std::size_t HttpClient::in_flight() const { return state_->transfers.size(); }

Task<Result<HttpResponse>> HttpClient::send(HttpRequest request) {
  constexpr std::size_t kIdleHandles = 64;
  const auto state = state_;
  if (state->closed) co_return fail(ErrorCode::network_exception, "the client is closing");
  EasyHandle easy;
  if (!state->idle.empty()) {
    easy = std::move(state->idle.back());
    state->idle.pop_back();
  } else {
    easy.reset(curl_easy_init());
  }
  if (!easy) co_return fail(ErrorCode::network_exception, "out of memory");
  auto transfer = std::make_shared<HttpTransfer>(std::move(easy), std::move(request));
  transfer->prepare();
  state->prepare(*transfer);
  auto start = [&state, &transfer](Resume resume) {
    transfer->resume = std::move(resume);
    CURL* handle = transfer->easy.get();
    state->transfers.emplace(handle, transfer);
    curl_multi_add_handle(state->multi, handle);  // arms the timer, nothing more
  };
  co_await suspend(start);
  if (!state->closed && state->idle.size() < kIdleHandles) {
    curl_easy_reset(transfer->easy.get());
    state->idle.push_back(std::move(transfer->easy));
  }
  co_return std::move(transfer->result);
}

}  // namespace tidegate::storage::seaweedmq
