// GET by libcurl's easy interface on the HTTP lane. Handles are kept and used again, which is what keeps
// connections alive. Every limit (time, body, headers) is libcurl's own or checked in its callbacks.
#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "tidegate/runtime/submit.h"
#include "tidegate/schema/http.h"

namespace tidegate::schema {
namespace {

constexpr std::size_t kMaxHeaderBytes = 64U << 10;
constexpr std::size_t kMaxIdleHandles = 4;

void init_curl_once() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(done);
}

// What one request fills.
struct Exchange {
  HttpReply reply;
  std::size_t max_body_bytes = 0;
  std::size_t header_bytes = 0;
  bool too_large = false;
  const std::atomic<bool>* stopped = nullptr;
};

std::size_t take_body(const char* data, std::size_t, std::size_t size, void* into) {
  auto& exchange = *static_cast<Exchange*>(into);
  if (size > exchange.max_body_bytes - exchange.reply.body.size()) {
    exchange.too_large = true;
    return 0;  // libcurl gives the transfer up
  }
  exchange.reply.body.append(data, size);
  return size;
}

bool same_letters(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// Only the form in seconds: a date would need the wall clock, and no registry sends one.
void take_retry_after(std::string_view line, HttpReply& reply) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !same_letters(line.substr(0, colon), "retry-after")) return;
  std::string_view text = line.substr(colon + 1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end != text.data()) reply.retry_after = std::chrono::seconds(seconds);
}

std::size_t take_header(const char* data, std::size_t, std::size_t size, void* into) {
  auto& exchange = *static_cast<Exchange*>(into);
  exchange.header_bytes += size;
  if (exchange.header_bytes > kMaxHeaderBytes) {
    exchange.too_large = true;
    return 0;
  }
  take_retry_after({data, size}, exchange.reply);
  return size;
}

int look_at_progress(void* of, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Exchange*>(of)->stopped->load(std::memory_order_relaxed) ? 1 : 0;
}

HttpReply::Failure failure_of(CURLcode code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return HttpReply::Failure::timed_out;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      return HttpReply::Failure::no_connection;
    case CURLE_FILESIZE_EXCEEDED:
      return HttpReply::Failure::too_large;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
      return HttpReply::Failure::tls;
    default:
      return HttpReply::Failure::other;
  }
}

long milliseconds(Duration duration) {
  return std::max(1L, static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(duration).count()));
}

struct EasyDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// Shared with what runs on the lane, which may outlive the transport.
class Client {
 public:
  explicit Client(CurlOptions options) : options_(std::move(options)) {}

  HttpReply get(const HttpRequest& request);
  void stop() { stopped_ = true; }

 private:
  Easy take();
  void give_back(Easy handle);
  void set_up(CURL* handle, const HttpRequest& request, Exchange& exchange) const;

  const CurlOptions options_;
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  std::vector<Easy> idle_;
};

Easy Client::take() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return Easy(curl_easy_init());
  Easy handle = std::move(idle_.back());
  idle_.pop_back();
  return handle;
}

void Client::give_back(Easy handle) {
  curl_easy_reset(handle.get());  // keeps its connections
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kMaxIdleHandles) idle_.push_back(std::move(handle));
}

void Client::set_up(CURL* handle, const HttpRequest& request, Exchange& exchange) const {
  const auto set = [handle](CURLoption option, auto value) { curl_easy_setopt(handle, option, value); };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, "");  // not the environment's
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TIMEOUT_MS, milliseconds(request.timeout));
  set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(std::min(request.connect_timeout, request.timeout)));
  set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(request.max_body_bytes));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_USERAGENT, "tidegate");
  set(CURLOPT_WRITEFUNCTION, &take_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&exchange));
  set(CURLOPT_HEADERFUNCTION, &take_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&exchange));
  set(CURLOPT_XFERINFOFUNCTION, &look_at_progress);
  set(CURLOPT_XFERINFODATA, static_cast<void*>(&exchange));
  set(CURLOPT_NOPROGRESS, 0L);
  if (!options_.user_info.empty()) {
    set(CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    set(CURLOPT_USERPWD, options_.user_info.c_str());
  } else if (!options_.bearer_token.empty()) {
    set(CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    set(CURLOPT_XOAUTH2_BEARER, options_.bearer_token.c_str());
  }
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options_.ca_file.empty()) set(CURLOPT_CAINFO, options_.ca_file.c_str());
  if (!options_.certificate_file.empty()) set(CURLOPT_SSLCERT, options_.certificate_file.c_str());
  if (!options_.key_file.empty()) set(CURLOPT_SSLKEY, options_.key_file.c_str());
  if (!options_.key_password.empty()) set(CURLOPT_KEYPASSWD, options_.key_password.c_str());
}

HttpReply Client::get(const HttpRequest& request) {
  Exchange exchange;
  exchange.max_body_bytes = request.max_body_bytes;
  exchange.stopped = &stopped_;
  if (stopped_) {
    exchange.reply.failure = HttpReply::Failure::stopped;
    exchange.reply.problem = "stopping";
    return std::move(exchange.reply);
  }
  Easy handle = take();
  if (!handle) {
    exchange.reply.failure = HttpReply::Failure::other;
    exchange.reply.problem = "no memory for a request";
    return std::move(exchange.reply);
  }
  set_up(handle.get(), request, exchange);
  const std::unique_ptr<curl_slist, ListDeleter> headers(
      curl_slist_append(nullptr, "Accept: application/vnd.schemaregistry.v1+json, application/json;q=0.9"));
  curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  char detail[CURL_ERROR_SIZE] = {};
  curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, static_cast<char*>(detail));
  const CURLcode code = curl_easy_perform(handle.get());
  HttpReply& reply = exchange.reply;
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
    reply.status = static_cast<int>(status);
  } else {
    reply.body.clear();
    reply.failure = exchange.too_large                  ? HttpReply::Failure::too_large
                    : code == CURLE_ABORTED_BY_CALLBACK ? HttpReply::Failure::stopped
                                                        : failure_of(code);
    reply.problem = exchange.too_large  ? "the answer is larger than allowed"
                    : detail[0] != '\0' ? detail
                                        : curl_easy_strerror(code);
  }
  give_back(std::move(handle));
  return std::move(reply);
}

class CurlTransport final : public HttpTransport {
 public:
  CurlTransport(CurlOptions options, BlockingPool& blocking)
      : client_(std::make_shared<Client>(std::move(options))), blocking_(blocking) {}

  Task<HttpReply> get(HttpRequest request) override {
    auto work = [client = client_, request = std::move(request)] { return client->get(request); };
    co_return co_await blocking_.run(Lane::http, std::move(work));
  }
  void stop() override { client_->stop(); }

 private:
  std::shared_ptr<Client> client_;
  BlockingPool& blocking_;
};

}  // namespace

std::unique_ptr<HttpTransport> make_curl_transport(CurlOptions options, BlockingPool& blocking) {
  init_curl_once();
  return std::make_unique<CurlTransport>(std::move(options), blocking);
}

}  // namespace tidegate::schema
