#include "rpc/master_client.h"

#include <algorithm>
#include <utility>

#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {
namespace {

using master_pb::Seaweed;
using Async = Seaweed::StubInterface::async_interface;
constexpr Duration kFirstPause = std::chrono::milliseconds(100);
constexpr Duration kLongestPause = std::chrono::seconds(1);
constexpr Duration kWarnEvery = std::chrono::seconds(10);
constexpr int kNodesAskedFor = 1000;
constexpr int kPollsMissed = 2;  // then the master is given up
constexpr int kRedirects = 3;    // in a row, before pausing
constexpr std::size_t kMastersKept = 32;
constexpr const char* kFilerType = "filer";
constexpr const char* kBrokerType = "broker";

}  // namespace

MasterClient::MasterClient(Shard& shard, const ClientOptions& options, std::shared_ptr<Connector> connector,
                           CallRegistry& calls, RpcMetrics& metrics, std::uint64_t seed, OnChange on_change)
    : shard_(shard),
      options_(options),
      connector_(std::move(connector)),
      calls_(calls),
      metrics_(metrics),
      rng_(seed),
      on_change_(std::move(on_change)) {
  view_.trouble = "no master was reached yet";
}

void MasterClient::start() {
  running_ = true;
  shard_.spawn(run(), "seaweedmq master client");
}

Task<void> MasterClient::stop() {
  stopping_ = true;
  if (stream_) stream_->cancel();
  stop_.notify_all();
  while (running_) co_await stopped_.wait();
}

ClusterView MasterClient::view() const {
  std::lock_guard lock(mutex_);
  return view_;
}

Task<void> MasterClient::run() {
  std::size_t turn = 0;
  while (!stopping_ && !options_.masters.empty()) {
    std::string address = options_.masters[turn++ % options_.masters.size()].text();
    for (int i = 0; i <= kRedirects && !address.empty() && !stopping_; ++i) {
      address = co_await follow(std::move(address));
    }
    if (!stopping_) co_await pause();
  }
  running_ = false;
  stopped_.notify_all();
}

Task<void> MasterClient::pause() {
  // Jittered over the configured masters: all of them are asked within a second or so.
  const auto span = static_cast<std::uint64_t>((kLongestPause - kFirstPause).count());
  const Duration wait =
      kFirstPause + Duration(static_cast<std::int64_t>(rng_.below(span / options_.masters.size() + 1)));
  co_await stop_.wait_until(shard_.timers(), now() + wait);
}

std::shared_ptr<Endpoint> MasterClient::endpoint_of(const ServerAddress& address) {
  if (const auto at = endpoints_.find(address.grpc()); at != endpoints_.end()) return at->second;
  if (endpoints_.size() >= kMastersKept) endpoints_.clear();
  auto made = std::make_shared<Endpoint>(address.grpc(), connector_, shard_.clock(), rng_.next(), metrics_,
                                         EndpointKind::master);
  return endpoints_[address.grpc()] = std::move(made);
}

Task<std::string> MasterClient::follow(std::string address) {
  const auto parsed = parse_server_address(address);
  if (!parsed) {
    lost("master " + parsed.error().message);
    co_return "";
  }
  const auto endpoint = endpoint_of(*parsed);
  if (!endpoint->breaker().allow()) {
    metrics_.refused_by_breaker(EndpointKind::master);
    co_return "";
  }
  const auto leader = co_await ask_leader(*endpoint);
  if (!leader) {
    lost("master " + parsed->http() + ": " + leader.error().message);
    co_return "";
  }
  if (leader->empty()) {
    lost("master " + parsed->http() + " knows of no leader");
    co_return "";
  }
  const auto named = parse_server_address(*leader);
  if (!named) {
    lost("master " + parsed->http() + " names a leader that is none: " + named.error().message);
    co_return "";
  }
  // A name can be spelled in more ways than one; who was asked by the name that it gives itself is it.
  if (named->grpc() != parsed->grpc()) co_return *leader;
  co_await listen(*endpoint, parsed->http());
  co_return "";
}

Task<void> MasterClient::listen(Endpoint& endpoint, std::string http_address) {
  auto filers = co_await poll_filers(endpoint);
  if (!filers) {
    lost("master " + http_address + ": " + filers.error().message);
    co_return;
  }
  master_pb::KeepConnectedRequest hello;
  hello.set_client_type(options_.client_name);
  hello.set_filer_group(options_.filer_group);
  const auto stream = MasterStream::open(calls_, endpoint.connection(), std::move(hello));
  if (!stream) co_return;
  {
    std::lock_guard lock(mutex_);
    view_.connected = true;
    view_.leader = http_address;
    view_.trouble.clear();
  }
  module_log().info("seaweedmq: following master={} filers={}", http_address, filers->size());
  set_filers(std::move(*filers));

  stream_ = stream.get();
  int missed = 0;
  std::string why = "the client is closing";
  MonoTime poll_at = now() + options_.poll_interval;
  while (!stopping_) {
    master_pb::KeepConnectedResponse message;
    const auto next = co_await stream->next(poll_at, message);
    if (next == MasterStream::Next::message) {
      apply(message);
      continue;
    }
    if (next == MasterStream::Next::ended) {
      why = "its stream ended, " + stream->why();
      break;
    }
    auto polled = co_await poll_filers(endpoint);
    poll_at = now() + options_.poll_interval;
    missed = polled ? 0 : missed + 1;
    if (polled) {
      set_filers(std::move(*polled));
    } else if (missed >= kPollsMissed) {
      why = polled.error().message;
      break;
    }
  }
  stream_ = nullptr;
  lost("master " + http_address + ": " + why);
}

Task<Result<std::string>> MasterClient::ask_leader(Endpoint& endpoint) {
  const MonoTime began = now();
  auto answer = co_await unary_call<Seaweed, master_pb::GetMasterConfigurationRequest,
                                    master_pb::GetMasterConfigurationResponse>(
      calls_, endpoint.connection(), &Async::GetMasterConfiguration, {}, options_.connect_timeout);
  const bool answered = reached(answer.status);
  endpoint.report(answered);
  metrics_.called(Method::ask_leader, now() - began, !answered);
  if (!answer.status.ok()) co_return fail(ErrorCode::kafka_storage_error, describe(answer.status));
  co_return answer.response.leader();
}

Task<Result<std::vector<std::string>>> MasterClient::poll_members(Endpoint& endpoint, const char* type) {
  master_pb::ListClusterNodesRequest request;
  request.set_client_type(type);
  request.set_filer_group(options_.filer_group);
  request.set_limit(kNodesAskedFor);
  const MonoTime began = now();
  auto answer =
      co_await unary_call<Seaweed, master_pb::ListClusterNodesRequest, master_pb::ListClusterNodesResponse>(
          calls_, endpoint.connection(), &Async::ListClusterNodes, std::move(request),
          options_.connect_timeout);
  const bool answered = reached(answer.status);
  endpoint.report(answered);
  metrics_.called(Method::list_cluster_nodes, now() - began, !answered);
  if (!answer.status.ok()) co_return fail(ErrorCode::kafka_storage_error, describe(answer.status));
  std::vector<std::string> members;
  for (const auto& node : answer.response.cluster_nodes()) members.push_back(node.address());
  co_return std::move(members);
}

Task<Result<std::vector<ServerAddress>>> MasterClient::poll_filers(Endpoint& endpoint) {
  auto members = co_await poll_members(endpoint, kFilerType);
  if (!members) co_return fail(std::move(members.error()));
  std::vector<ServerAddress> filers;
  for (const auto& member : *members) {
    if (auto address = parse_server_address(member)) filers.push_back(std::move(*address));
  }
  if (options_.find_brokers) co_await poll_brokers(endpoint);
  co_return std::move(filers);
}

// As with filers, a list that has become empty takes nothing away.
Task<void> MasterClient::poll_brokers(Endpoint& endpoint) {
  auto brokers = co_await poll_members(endpoint, kBrokerType);
  if (!brokers || brokers->empty()) co_return;
  std::ranges::sort(*brokers);
  if (*brokers == view_.brokers) co_return;
  {
    std::lock_guard lock(mutex_);
    view_.brokers = std::move(*brokers);
  }
  module_log().info("seaweedmq: brokers={}", view_.brokers.size());
  on_change_(view_);
}

void MasterClient::apply(const master_pb::KeepConnectedResponse& message) {
  if (message.has_cluster_node_update()) {
    const auto& update = message.cluster_node_update();
    // Updates of every group come to every client.
    if (update.node_type() != kFilerType || update.filer_group() != options_.filer_group) return;
    const auto address = parse_server_address(update.address());
    if (!address) return;
    std::vector<ServerAddress> filers = view_.filers;
    std::erase(filers, *address);
    if (update.is_add()) filers.push_back(*address);
    set_filers(std::move(filers));
    return;
  }
  if (!message.has_lock_ring_update()) return;
  const auto& update = message.lock_ring_update();
  if (update.filer_group() != options_.filer_group || update.version() == view_.ring_version) return;
  {
    std::lock_guard lock(mutex_);
    view_.ring_version = update.version();
    view_.ring.assign(update.servers().begin(), update.servers().end());
  }
  module_log().info("seaweedmq: filers' ring changed version={} members={}", update.version(),
                    update.servers_size());
  on_change_(view_);
}

// A list that has become empty (a master that has just begun to lead has not heard of its filers yet) takes
// nothing away: what was reachable may still be.
void MasterClient::set_filers(std::vector<ServerAddress> filers) {
  auto by_address = [](const ServerAddress& a, const ServerAddress& b) { return a.grpc() < b.grpc(); };
  std::ranges::sort(filers, by_address);
  if (filers.empty() || filers == view_.filers) return;
  {
    std::lock_guard lock(mutex_);
    view_.filers = std::move(filers);
  }
  module_log().info("seaweedmq: filers={}", view_.filers.size());
  on_change_(view_);
}

void MasterClient::lost(const std::string& why) {
  const bool news = view_.connected || !warned_ || now() - warned_at_ > kWarnEvery;
  {
    std::lock_guard lock(mutex_);
    view_.connected = false;
    view_.trouble = why;
  }
  if (!news || stopping_) return;
  warned_ = true;
  warned_at_ = now();
  module_log().warn("seaweedmq: no master is followed reason=\"{}\"", why);
}

}  // namespace tidegate::storage::seaweedmq
