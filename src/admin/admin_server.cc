#include "tidegate/admin/admin_server.h"

#include <spdlog/spdlog.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <nlohmann/json.hpp>

#include "metrics_text.h"
#include "schemas_page.h"
#include "tidegate/runtime/event.h"

namespace tidegate::admin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using HttpStream = beast::basic_stream<tcp, Executor>;
using Request = http::request<http::empty_body>;
using Response = http::response<http::string_body>;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable_t<Executor>{});

std::string describe(const tcp::endpoint& endpoint) {
  const auto address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
}

bool is_reload(const Request& request) {
  return request.method() == http::verb::post && request.target() == "/config/reload";
}

}  // namespace

struct AdminServer::State {
  State(AdminOptions o, AdminSources s, Shard& where)
      : options(std::move(o)), sources(std::move(s)), shard(where), acceptor(where.executor()) {}

  AdminOptions options;
  AdminSources sources;
  Shard& shard;
  asio::basic_socket_acceptor<tcp, Executor> acceptor;
  std::string endpoint;
  std::list<HttpStream*> open;  // for stop(); each serve() adds and removes its own
  bool stopping = false;
  std::size_t running = 0;  // accept loop and connections
  Event ended;

  Response answer(const Request& request) const;
  static Task<Response> answer_reload(std::shared_ptr<State> self, Request request);
  static Task<void> accept_loop(std::shared_ptr<State> self);
  static Task<void> serve(std::shared_ptr<State> self, Socket socket);
  void end_one() {
    --running;
    ended.notify_all();
  }
};

Response AdminServer::State::answer(const Request& request) const {
  Response response;
  response.version(request.version());
  response.keep_alive(request.keep_alive());
  response.set(http::field::server, "tidegate");
  response.set(http::field::cache_control, "no-store");
  response.set(http::field::content_type, "text/plain; charset=utf-8");
  const auto target = std::string_view(request.target().data(), request.target().size());
  const auto path = target.substr(0, target.find('?'));

  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    response.result(http::status::method_not_allowed);
    response.set(http::field::allow, "GET, HEAD");
    response.body() = "only GET and HEAD\n";
  } else if (path == "/metrics") {
    response.set(http::field::content_type, "text/plain; version=0.0.4; charset=utf-8");
    response.body() = metrics_text(sources.metrics, sources.version);
  } else if (path == "/healthz" || path == "/livez") {
    response.body() = "ok\n";
  } else if (path == "/readyz") {
    const auto health = sources.readiness();
    if (!health.ready) response.result(http::status::service_unavailable);
    response.body() = (health.ready ? std::string("ok") : health.reason) + "\n";
  } else if (path == "/schemas") {
    response.set(http::field::content_type, "application/json");
    response.body() = schemas_page(sources.schemas());
  } else if (path == "/version") {
    response.set(http::field::content_type, "application/json");
    response.body() = nlohmann::json{{"name", "tidegate"}, {"version", sources.version}}.dump() + "\n";
  } else {
    response.result(http::status::not_found);
    response.body() = "no such page; there are /metrics /healthz /livez /readyz /version /schemas\n";
  }
  response.prepare_payload();
  if (request.method() == http::verb::head) response.body().clear();
  return response;
}

// No page of another site may have a browser do it: those name their origin.
Task<Response> AdminServer::State::answer_reload(std::shared_ptr<State> self, Request request) {
  Response response;
  response.version(request.version());
  response.keep_alive(request.keep_alive());
  response.set(http::field::server, "tidegate");
  response.set(http::field::cache_control, "no-store");
  if (request.find(http::field::origin) != request.end()) {
    response.result(http::status::forbidden);
    response.set(http::field::content_type, "text/plain; charset=utf-8");
    response.body() = "not from a web page\n";
  } else {
    auto reloaded = co_await self->sources.reload();
    response.result(reloaded.done ? http::status::ok : http::status::unprocessable_entity);
    response.set(http::field::content_type, "application/json");
    response.body() = std::move(reloaded.page);
  }
  response.prepare_payload();
  co_return response;
}

Task<void> AdminServer::State::serve(std::shared_ptr<State> self, Socket socket) {
  HttpStream stream(std::move(socket));
  const auto at = self->open.insert(self->open.end(), &stream);
  beast::flat_buffer buffer(self->options.max_request_bytes);
  while (!self->stopping) {
    http::request_parser<http::empty_body> parser;
    parser.header_limit(static_cast<std::uint32_t>(self->options.max_request_bytes));
    stream.expires_after(self->options.timeout);
    const auto [read_error, read_bytes] = co_await http::async_read(stream, buffer, parser, kAwait);
    if (read_error) break;
    const bool reloads = is_reload(parser.get()) && self->sources.reload;
    Response response;
    if (reloads) {
      response = co_await answer_reload(self, parser.get());
    } else {
      response = self->answer(parser.get());
    }
    http::response_serializer<http::string_body> serializer(response);
    stream.expires_after(self->options.timeout);
    const auto [write_error, written] = co_await http::async_write(stream, serializer, kAwait);
    if (write_error || !response.keep_alive()) break;
  }
  self->open.erase(at);
  stream.close();
  self->end_one();
}

Task<void> AdminServer::State::accept_loop(std::shared_ptr<State> self) {
  while (!self->stopping) {
    auto [error, socket] = co_await self->acceptor.async_accept(kAwait);
    if (self->stopping) break;
    if (error) {
      spdlog::warn("admin accept failed error=\"{}\"", error.message());
      // Out of descriptors, most likely: give the others a moment to close some.
      co_await self->shard.timers().sleep_until(self->shard.clock().now() + std::chrono::milliseconds(100));
      continue;
    }
    if (self->open.size() >= self->options.max_connections) continue;  // the socket closes here
    ++self->running;
    self->shard.spawn(serve(self, std::move(socket)), "admin connection");
  }
  self->end_one();
}

AdminServer::AdminServer(AdminOptions options, AdminSources sources, Shard& shard)
    : state_(std::make_shared<State>(std::move(options), std::move(sources), shard)) {}
AdminServer::~AdminServer() = default;

Result<void> AdminServer::start() {
  auto& state = *state_;
  const auto name = state.options.host + ":" + std::to_string(state.options.port);
  boost::system::error_code error;
  const auto address = asio::ip::make_address(
      state.options.host == "localhost" ? std::string("127.0.0.1") : state.options.host, error);
  if (error) return fail(ErrorCode::invalid_config, "admin address " + name + ": not an IP address");
  const tcp::endpoint wanted(address, state.options.port);
  state.acceptor.open(wanted.protocol(), error);
  if (!error) state.acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) state.acceptor.bind(wanted, error);
  if (!error) state.acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail(ErrorCode::invalid_config, "admin address " + name + ": " + error.message());
  state.endpoint = describe(state.acceptor.local_endpoint());
  ++state.running;
  state.shard.spawn(State::accept_loop(state_), "admin listener");
  return {};
}

std::string AdminServer::endpoint() const { return state_->endpoint; }

Task<void> AdminServer::stop() {
  auto state = state_;
  state->stopping = true;
  boost::system::error_code ignored;
  state->acceptor.close(ignored);
  for (auto* stream : state->open) stream->close();
  while (state->running > 0) co_await state->ended.wait();
}

}  // namespace tidegate::admin
