#include "caller.h"

#include <algorithm>
#include <utility>

#include "tidegate/base/module_log.h"

namespace tidegate::schema {
namespace {

// As many as the HTTP lane has threads: what waits for one waits here, under its own deadline.
constexpr std::size_t kMaxInFlight = 2;
constexpr Duration kShortestPause = std::chrono::milliseconds(50);
constexpr Duration kLongestPause = std::chrono::seconds(1);
// Reading a larger body leaves the shard.
constexpr std::size_t kInlineBytes = 16U << 10;

}  // namespace

RegistryCaller::RegistryCaller(const RegistryOptions& options, std::unique_ptr<HttpTransport> transport,
                               Shard& home, BlockingPool& blocking, const Clock& clock, Rng& rng,
                               MetricRegistry& metrics)
    : options_(options),
      transport_(std::move(transport)),
      home_(home),
      blocking_(blocking),
      clock_(clock),
      rng_(rng),
      metrics_(metrics),
      seconds_(metrics.histogram("tidegate_schema_registry_request_seconds",
                                 "Time of one HTTP request to the schema registry")),
      breakers_open_(metrics.gauge("tidegate_schema_registry_breakers_open",
                                   "Base URLs of the schema registry that are left alone after failures")),
      endpoints_(options.urls),
      log_limit_(clock, 1.0 / 6, 5) {
  breakers_open_.set(0);
}

void RegistryCaller::stop() {
  stopped_ = true;
  transport_->stop();
  turn_.notify_all();
}

Duration RegistryCaller::pause(int round, std::optional<Duration> retry_after) {
  Duration longest = kShortestPause * 4;
  for (int i = 0; i < round && longest < kLongestPause; ++i) longest *= 4;
  longest = std::min(longest, kLongestPause);
  const auto span = static_cast<std::uint64_t>((longest - kShortestPause).count());
  const Duration wanted = kShortestPause + Duration(static_cast<std::int64_t>(rng_.below(span + 1)));
  return retry_after ? std::max(wanted, *retry_after) : wanted;
}

void RegistryCaller::note_success(std::size_t index) {
  endpoints_.succeeded(index);
  breakers_open_.set(static_cast<std::int64_t>(endpoints_.open_count()));
}

void RegistryCaller::note_failure(std::size_t index, const std::string& problem) {
  const bool was_open = endpoints_.is_open(index);
  endpoints_.failed(index, clock_.now(), problem);
  breakers_open_.set(static_cast<std::int64_t>(endpoints_.open_count()));
  std::uint64_t suppressed = 0;
  if (!log_limit_.allow(suppressed)) return;
  const bool opened = !was_open && endpoints_.is_open(index);
  module_log().warn("event=schema_registry_failed url={} error=\"{}\" breaker={} suppressed={}",
                    without_credentials(endpoints_.url(index)), problem,
                    opened                      ? "opened"
                    : endpoints_.is_open(index) ? "open"
                                                : "closed",
                    suppressed);
}

Task<std::optional<HttpReply>> RegistryCaller::get_in_turn(HttpRequest request, MonoTime deadline) {
  while (in_flight_ >= kMaxInFlight && !stopped_) {
    if (!co_await turn_.wait_until(home_.timers(), deadline)) co_return std::nullopt;
  }
  if (stopped_) co_return HttpReply{.failure = HttpReply::Failure::stopped, .problem = "stopping"};
  request.timeout = std::min(request.timeout, deadline - clock_.now());
  if (request.timeout <= Duration::zero()) co_return std::nullopt;
  ++in_flight_;
  HttpReply reply = co_await transport_->get(std::move(request));
  --in_flight_;
  turn_.notify_all();
  co_return reply;
}

Task<std::string> RegistryCaller::read_body(Reader* read, std::string body) {
  if (body.size() <= kInlineBytes) co_return (*read)(body);
  auto work = [read, body = std::move(body)] { return (*read)(body); };
  co_return co_await blocking_.run(Lane::cpu, std::move(work));
}

Task<void> RegistryCaller::ask_one(std::string_view operation, std::size_t index, std::string path,
                                   Reader* read, MonoTime deadline, Round* round) {
  const MonoTime began = clock_.now();
  // What is left is shared with those behind: one that hangs must not take the time of all.
  HttpRequest request{.url = endpoints_.url(index) + path,
                      .timeout = (deadline - began) / static_cast<std::int64_t>(endpoints_.size() - index),
                      .connect_timeout = options_.connect_timeout,
                      .max_body_bytes = options_.max_body_bytes};
  auto reply = co_await get_in_turn(std::move(request), deadline);
  if (!reply) {
    round->told = {Standing::failed, "no answer within the time for look-ups"};
    co_return;
  }
  seconds_.record(static_cast<std::uint64_t>((clock_.now() - began).count()));
  metrics_
      .counter("tidegate_schema_registry_requests_total", "HTTP requests to the schema registry",
               {{"operation", std::string(operation)}, {"status", std::string(status_label(*reply))}})
      .add();
  std::string problem;
  Standing standing = standing_of(*reply, problem);
  if (standing == Standing::good) {
    problem = co_await read_body(read, std::move(reply->body));
    if (!problem.empty()) standing = Standing::failed;
  }
  if (standing != Standing::failed) {
    note_success(index);
  } else {
    round->some_failed = true;
    if (reply->retry_after)
      round->retry_after = std::max(round->retry_after.value_or(Duration{}), *reply->retry_after);
    if (reply->failure != HttpReply::Failure::stopped) note_failure(index, problem);
  }
  round->told = {standing, std::move(problem)};
}

// Through the base URLs once, until one has an answer.
Task<RegistryCaller::Round> RegistryCaller::ask_round(std::string_view operation, std::string path,
                                                      Reader* read, MonoTime deadline) {
  Round round;
  round.told.problem = "it is left alone for a moment after failures";
  for (std::size_t i = 0; i < endpoints_.size() && clock_.now() < deadline && !stopped_; ++i) {
    if (!endpoints_.may_ask(i, clock_.now())) continue;
    co_await ask_one(operation, i, path, read, deadline, &round);
    if (round.told.standing == Standing::good || round.told.standing == Standing::not_found) break;
  }
  co_return round;
}

Task<RegistryCaller::Told> RegistryCaller::ask_all(std::string_view operation, std::string path,
                                                   Reader* read) {
  const MonoTime deadline = clock_.now() + options_.timeout;
  for (int round = 0;; ++round) {
    Round asked = co_await ask_round(operation, path, read, deadline);
    const bool answered = asked.told.standing == Standing::good || asked.told.standing == Standing::not_found;
    if (answered || !asked.some_failed || stopped_ || round + 1 >= options_.tries)
      co_return std::move(asked.told);
    const MonoTime next = clock_.now() + pause(round, asked.retry_after);
    if (next >= deadline) co_return std::move(asked.told);
    co_await home_.timers().sleep_until(next);
  }
}

}  // namespace tidegate::schema
