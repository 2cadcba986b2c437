#include "accept.h"

#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "tidegate/base/module_log.h"

namespace tidegate::server {
namespace {

// A flood of connections takes turns with everything else on the shard.
constexpr unsigned kAcceptsPerTurn = 32;
// Out of descriptors or memory: others may give some back.
constexpr Duration kRetryAccept = std::chrono::milliseconds(100);

}  // namespace

Acceptors::Acceptors(ShardPool& pool, std::shared_ptr<ServerShared> shared)
    : pool_(pool),
      shared_(std::move(shared)),
      options_(shared_->options),
      per_shard_(pool.size()),
      log_limit_(shared_->clock, 1, 5) {}

void Acceptors::set_shards(std::vector<std::shared_ptr<ShardServer>> shards) { shards_ = std::move(shards); }

Result<std::vector<Endpoint>> Acceptors::open() {
  std::vector<Endpoint> endpoints;
  for (const auto& wanted : shared_->options.listeners) {
    auto opened = TcpListener::open(pool_.at(0), wanted.host, wanted.port, shared_->options.listen_backlog);
    if (!opened) {
      listeners_.clear();
      return fail(ErrorCode::invalid_config, "listener " + wanted.name + ": " + opened.error().message);
    }
    Endpoint endpoint;
    endpoint.name = wanted.name;
    endpoint.host = wanted.host;
    endpoint.port = (*opened)->port();
    endpoint.advertised_host = wanted.advertised_host.empty() ? wanted.host : wanted.advertised_host;
    endpoint.advertised_port = wanted.advertised_port == 0 ? endpoint.port : wanted.advertised_port;
    endpoints.push_back(std::move(endpoint));
    listeners_.push_back(std::move(*opened));
  }
  return endpoints;
}

void Acceptors::start() {
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    pool_.at(0).start(accept_loop(shared_from_this(), i), "accept");
  }
}

void Acceptors::close() {
  closed_ = true;
  for (const auto& listener : listeners_) listener->close();
}

Task<void> Acceptors::accept_loop(std::shared_ptr<Acceptors> self, std::size_t listener) {
  Acceptors& a = *self;
  TcpListener& socket = *a.listeners_[listener];
  auto& timers = a.pool_.at(0).timers();
  unsigned in_turn = 0;
  while (!a.closed_) {
    auto accepted = co_await socket.accept();
    if (accepted) {
      a.take(std::move(*accepted), listener);
      if (++in_turn < kAcceptsPerTurn) continue;
      in_turn = 0;
      auto turn = boost::asio::post(a.pool_.at(0).context(), boost::asio::deferred);
      co_await std::move(turn);
    } else if (a.closed_) {
      break;
    } else if (accepted.error().code == ErrorCode::policy_violation) {
      a.shared_->metrics.refused[static_cast<std::size_t>(RefuseReason::no_resources)]->add();
      a.log_refusal(RefuseReason::no_resources, socket.endpoint(), accepted.error().message);
      co_await timers.sleep_until(timers.clock().now() + kRetryAccept);
    } else {
      module_log().error("listener stopped endpoint={} error=\"{}\"", socket.endpoint(),
                         accepted.error().message);
      a.trouble_ = "the listener on " + socket.endpoint() + " has stopped: " + accepted.error().message;
      socket.close();  // clients are refused, not left in its queue
      break;
    }
  }
}

void Acceptors::take(AcceptedSocket accepted, std::size_t listener) {
  if (closed_ || refuse(accepted)) return;  // the socket closes
  shared_->metrics.accepted.add();
  const unsigned shard = least_loaded();
  ++per_shard_[shard];
  ++per_address_[accepted.peer_address];
  connections_.fetch_add(1, std::memory_order_relaxed);
  pool_.at(shard).post([to = shards_[shard], listener, accepted = std::move(accepted)]() mutable {
    to->add(std::move(accepted), listener);
  });
}

bool Acceptors::refuse(const AcceptedSocket& accepted) {
  const auto& options = options_;
  const auto at = per_address_.find(accepted.peer_address);
  const bool address_full = at != per_address_.end() && at->second >= options.max_connections_per_address;
  if (!address_full && connections() < options.max_connections) return false;
  const auto reason = address_full ? RefuseReason::address_limit : RefuseReason::total_limit;
  shared_->metrics.refused[static_cast<std::size_t>(reason)]->add();
  log_refusal(reason, accepted.peer,
              "limit " + std::to_string(address_full ? options.max_connections_per_address
                                                     : options.max_connections));
  return true;
}

void Acceptors::log_refusal(RefuseReason reason, const std::string& peer, const std::string& detail) {
  std::uint64_t suppressed = 0;
  if (!log_limit_.allow(suppressed)) return;
  module_log().warn("refused a connection peer={} reason={} detail=\"{}\" suppressed={}", peer,
                    name_of(reason), detail, suppressed);
}

// Ties go round, so that the first connections are spread too.
unsigned Acceptors::least_loaded() {
  const unsigned size = pool_.size();
  unsigned best = next_shard_ % size;
  for (unsigned i = 1; i < size; ++i) {
    const unsigned other = (next_shard_ + i) % size;
    if (per_shard_[other] < per_shard_[best]) best = other;
  }
  next_shard_ = best + 1;
  return best;
}

void Acceptors::gone(unsigned shard, const std::string& address) {
  --per_shard_[shard];
  const auto at = per_address_.find(address);
  if (at != per_address_.end() && --at->second == 0) per_address_.erase(at);
  connections_.fetch_sub(1, std::memory_order_relaxed);
  someone_left_.notify_all();
}

}  // namespace tidegate::server
