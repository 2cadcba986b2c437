#include "tidegate/admin/health_client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

namespace tidegate::admin {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;

// One request as a chain of callbacks, so that a single run_for() bounds the whole of it.
struct Exchange {
  explicit Exchange(boost::asio::io_context& context) : resolver(context), stream(context) {}

  boost::asio::ip::tcp::resolver resolver;
  boost::beast::tcp_stream stream;
  boost::beast::flat_buffer buffer;
  http::request<http::empty_body> request{http::verb::get, "/readyz", 11};
  http::response<http::string_body> response;
  error_code error = boost::asio::error::timed_out;

  void run(const std::string& host, const std::string& port) {
    request.set(http::field::host, host);
    resolver.async_resolve(host, port, [this](error_code ec, const auto& addresses) {
      if (failed(ec)) return;
      stream.async_connect(addresses, [this](error_code connect_error, const auto&) {
        if (failed(connect_error)) return;
        http::async_write(stream, request, [this](error_code write_error, std::size_t) {
          if (failed(write_error)) return;
          http::async_read(stream, buffer, response,
                           [this](error_code read_error, std::size_t) { error = read_error; });
        });
      });
    });
  }
  bool failed(error_code ec) {
    if (ec) error = ec;
    return static_cast<bool>(ec);
  }
};

}  // namespace

Result<std::string> check_health(const std::string& host, const std::string& port, Duration timeout) {
  boost::asio::io_context context;
  Exchange exchange(context);
  exchange.run(host, port);
  context.run_for(timeout);
  if (exchange.error) {
    return fail(ErrorCode::broker_not_available, host + ":" + port + ": " + exchange.error.message());
  }
  auto body = exchange.response.body();
  while (!body.empty() && body.back() == '\n') body.pop_back();
  if (exchange.response.result() != http::status::ok) return fail(ErrorCode::broker_not_available, body);
  return body;
}

}  // namespace tidegate::admin
