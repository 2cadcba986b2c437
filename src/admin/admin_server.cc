#include "tidegate/admin/admin_server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cctype>
#include <list>

#include "api_routes.h"
#include "basic_routes.h"
#include "http_routes.h"
#include "page_files.h"
#include "tidegate/base/module_log.h"
#include "tidegate/runtime/event.h"

namespace tidegate::admin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using HttpStream = beast::basic_stream<tcp, Executor>;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

// Two pages of messages at a time.
constexpr std::size_t kBrowsingBytes = std::size_t{48} << 20;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable_t<Executor>{});

std::string describe(const tcp::endpoint& endpoint) {
  const auto address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
}

AccessRules rules_of(const AdminOptions& options) {
  AccessRules rules{options.allowed_hosts, options.allow_changes};
  rules.hosts.push_back(options.host);
  for (auto& host : rules.hosts)
    for (char& c : host) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return rules;
}

}  // namespace

struct AdminServer::State {
  State(AdminOptions o, AdminSources s, Shard& where)
      : options(std::move(o)),
        sources(std::move(s)),
        shard(where),
        acceptor(where.executor()),
        routes(rules_of(options)) {
    routes.add_all(basic_routes(sources));
    for (auto* view : {overview_routes, topic_routes, message_routes, group_routes})
      routes.add_all(view(api));
    routes.add_all(page_routes());
  }

  AdminOptions options;
  AdminSources sources;
  Shard& shard;
  asio::basic_socket_acceptor<tcp, Executor> acceptor;
  std::string endpoint;
  std::list<HttpStream*> open;  // for stop(); each serve() adds and removes its own
  bool stopping = false;
  std::size_t running = 0;  // accept loop and connections
  Event ended;

  HttpRoutes routes;
  Samples samples;
  TimerId sampling = kNoTimer;
  MemoryBudget browsing{kBrowsingBytes};
  ApiParts api{sources, options, shard.clock(), samples, browsing};

  void sample();

  static HttpRequest plain(Request& request);
  // `known`: the etag that the asker has.
  static Response made(HttpResponse answer, const Request& request, std::string_view known);
  static int status_of(const boost::system::error_code& error);
  static Task<void> accept_loop(std::shared_ptr<State> self);
  static Task<void> serve(std::shared_ptr<State> self, Socket socket);
  void end_one() {
    --running;
    ended.notify_all();
  }
};

// Nothing of the admin port runs code or loads parts from elsewhere, and no other site may frame it.
constexpr std::string_view kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

HttpRequest AdminServer::State::plain(Request& request) {
  HttpRequest out;
  const std::string_view target(request.target().data(), request.target().size());
  const auto question = target.find('?');
  out.path = std::string(target.substr(0, question));
  if (question != std::string_view::npos) out.query = parse_query(target.substr(question + 1));
  const auto method =
      request.method() == http::verb::head ? http::to_string(http::verb::get) : request.method_string();
  out.method = std::string(method.data(), method.size());
  for (const auto& field : request) {
    std::string name(field.name_string().data(), field.name_string().size());
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    out.headers.emplace(std::move(name), std::string(field.value().data(), field.value().size()));
  }
  out.body = std::move(request.body());
  return out;
}

Response AdminServer::State::made(HttpResponse answer, const Request& request, std::string_view known) {
  Response response;
  response.version(request.version());
  response.keep_alive(request.keep_alive());
  response.set(http::field::server, "tidegate");
  response.set(http::field::content_type, answer.content_type);
  response.set("X-Content-Type-Options", "nosniff");
  response.set("X-Frame-Options", "DENY");
  response.set("Referrer-Policy", "no-referrer");
  response.set("Cross-Origin-Resource-Policy", "same-origin");
  response.set("Content-Security-Policy", beast::string_view(kContentPolicy.data(), kContentPolicy.size()));
  response.set(http::field::cache_control, answer.etag.empty() ? "no-store" : "no-cache");
  if (!answer.etag.empty()) response.set(http::field::etag, answer.etag);
  if (!answer.allow.empty()) response.set(http::field::allow, answer.allow);
  const bool unchanged = !answer.etag.empty() && known == answer.etag;
  response.result(unchanged ? 304U : static_cast<unsigned>(answer.status));
  if (!unchanged) response.body() = std::move(answer.body);
  response.prepare_payload();
  if (request.method() == http::verb::head) response.body().clear();
  return response;
}

// What is left to say to a request that could not be read; 0: nothing.
int AdminServer::State::status_of(const boost::system::error_code& error) {
  if (error == http::error::body_limit) return 413;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  if (error.category() == http::make_error_code(http::error::bad_target).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    return 400;
  }
  return 0;
}

Task<void> AdminServer::State::serve(std::shared_ptr<State> self, Socket socket) {
  HttpStream stream(std::move(socket));
  const auto at = self->open.insert(self->open.end(), &stream);
  beast::flat_buffer buffer(self->options.max_request_bytes + self->options.max_body_bytes);
  while (!self->stopping) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(static_cast<std::uint32_t>(self->options.max_request_bytes));
    parser.body_limit(self->options.max_body_bytes);
    stream.expires_after(self->options.timeout);
    const auto [read_error, read_bytes] = co_await http::async_read(stream, buffer, parser, kAwait);
    HttpResponse answer;
    std::string known;
    if (read_error) {
      const int status = status_of(read_error);
      if (status == 0 || self->stopping) break;
      answer = HttpResponse::text(status, "bad request\n");
    } else {
      stream.expires_never();
      HttpRequest request = plain(parser.get());
      known = std::string(request.header("if-none-match"));
      answer = co_await self->routes.answer(std::move(request));
    }
    if (self->stopping) break;
    Response response = made(std::move(answer), parser.get(), known);
    if (read_error) response.keep_alive(false);
    http::response_serializer<http::string_body> serializer(response);
    stream.expires_after(self->options.timeout);
    const auto [write_error, written] = co_await http::async_write(stream, serializer, kAwait);
    if (write_error || !response.keep_alive()) break;
  }
  self->open.erase(at);
  stream.close();
  self->end_one();
}

void AdminServer::State::sample() {
  samples.take(sources.metrics, shard.clock().wall_ms(), shard.clock().now());
  sampling = shard.timers().arm(shard.clock().now() + options.sample_every, [this] { sample(); });
}

Task<void> AdminServer::State::accept_loop(std::shared_ptr<State> self) {
  while (!self->stopping) {
    auto [error, socket] = co_await self->acceptor.async_accept(kAwait);
    if (self->stopping) break;
    if (error) {
      module_log().warn("admin accept failed error=\"{}\"", error.message());
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
  state.sample();
  ++state.running;
  state.shard.spawn(State::accept_loop(state_), "admin listener");
  return {};
}

std::string AdminServer::endpoint() const { return state_->endpoint; }

Task<void> AdminServer::stop() {
  auto state = state_;
  state->stopping = true;
  state->shard.timers().cancel(state->sampling);
  boost::system::error_code ignored;
  state->acceptor.close(ignored);
  for (auto* stream : state->open) stream->close();
  while (state->running > 0) co_await state->ended.wait();
}

}  // namespace tidegate::admin
