// Start, drain and stop of all listeners and connections.
#include "tidegate/server/server.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "accept.h"
#include "shard_server.h"
#include "tidegate/base/module_log.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::server {

struct Server::State {
  State(ServerOptions options, std::span<const api::ApiRow> rows, broker::Broker* broker, ShardPool& shards,
        const Clock& clock, MetricRegistry& metrics)
      : pool(shards),
        shared(std::make_shared<ServerShared>(std::move(options), rows, broker, clock, metrics)),
        acceptors(std::make_shared<Acceptors>(shards, shared)) {}

  ShardPool& pool;
  std::shared_ptr<ServerShared> shared;
  std::shared_ptr<Acceptors> acceptors;
  std::vector<std::shared_ptr<ShardServer>> shard_servers;

  Result<void> start_on_shard_0();
  Task<void> drain_on_shard_0(MonoTime deadline);
  Task<void> wait_until_empty(MonoTime deadline);
};

namespace {

// Time for sockets that are being closed to be counted off.
constexpr Duration kCloseGrace = std::chrono::seconds(1);

}  // namespace

Result<void> Server::State::start_on_shard_0() {
  const std::size_t memory = shared->options.request_memory_bytes / pool.size();
  const std::size_t responses = shared->options.response_memory_bytes / pool.size();
  for (unsigned i = 0; i < pool.size(); ++i) {
    const std::weak_ptr<Acceptors> counting = acceptors;
    auto connection_gone = [counting, shard_0 = &pool.at(0), i](const std::string& address) {
      shard_0->post([counting, i, address] {
        if (const auto at = counting.lock()) at->gone(i, address);
      });
    };
    shard_servers.push_back(
        std::make_shared<ShardServer>(pool.at(i), shared, memory, responses, std::move(connection_gone)));
  }
  acceptors->set_shards(shard_servers);
  auto endpoints = acceptors->open();
  if (!endpoints) return fail(std::move(endpoints.error()));
  shared->endpoints = std::move(*endpoints);
  acceptors->start();
  return {};
}

Task<void> Server::State::wait_until_empty(MonoTime deadline) {
  auto& timers = pool.at(0).timers();
  while (acceptors->connections() > 0) {
    const bool someone_left = co_await acceptors->someone_left().wait_until(timers, deadline);
    if (!someone_left) co_return;
  }
}

Task<void> Server::State::drain_on_shard_0(MonoTime deadline) {
  acceptors->close();
  for (const auto& part : shard_servers) {
    auto begin = [part] { part->begin_drain(); };
    co_await submit_to(part->shard(), begin);
  }
  co_await wait_until_empty(deadline);
  const std::size_t left = acceptors->connections();
  if (left == 0) co_return;
  module_log().warn("closing connections that did not finish in time connections={}", left);
  for (const auto& part : shard_servers) {
    auto close_all = [part] { part->close_all(CloseReason::stopped); };
    co_await submit_to(part->shard(), close_all);
  }
  co_await wait_until_empty(shared->clock.now() + kCloseGrace);
}

Server::Server(ServerOptions options, std::span<const api::ApiRow> rows, broker::Broker* broker,
               ShardPool& shards, const Clock& clock, MetricRegistry& metrics)
    : state_(std::make_shared<State>(std::move(options), rows, broker, shards, clock, metrics)) {}

Server::~Server() {
  for (const auto& part : state_->shard_servers) part->abandon();
}

Task<Result<void>> Server::start() {
  auto start = [state = state_] { return state->start_on_shard_0(); };
  co_return co_await submit_to(state_->pool.at(0), start);
}

void Server::serve(broker::Broker* broker) {
  state_->shared->broker = broker;
  state_->shared->serving = true;
}

Task<void> Server::set_limits(ServerOptions options) {
  const auto state = state_;
  state->acceptors->set_options(options);
  for (const auto& part : state->shard_servers) {
    auto take = [part, options] { part->set_options(options); };
    co_await submit_to(part->shard(), take);
  }
}

Task<std::vector<ConnectedClient>> Server::clients(std::size_t limit) const {
  const auto state = state_;
  std::vector<ConnectedClient> all;
  for (const auto& part : state->shard_servers) {
    auto tell = [part, limit] { return part->clients(limit); };
    auto some = co_await submit_to(part->shard(), tell);
    std::ranges::move(some, std::back_inserter(all));
  }
  co_return all;
}

const std::vector<Endpoint>& Server::endpoints() const { return state_->shared->endpoints; }

Task<void> Server::drain(MonoTime deadline) {
  auto drain = [state = state_, deadline] { return state->drain_on_shard_0(deadline); };
  co_await submit_to(state_->pool.at(0), drain);
}

void Server::stop_now() {
  state_->pool.at(0).post([state = state_] { state->acceptors->close(); });
  for (const auto& part : state_->shard_servers) {
    part->shard().post([part] { part->close_all(CloseReason::stopped); });
  }
}

const std::string& Server::trouble() const { return state_->acceptors->trouble(); }

std::size_t Server::connections() const { return state_->acceptors->connections(); }

}  // namespace tidegate::server
