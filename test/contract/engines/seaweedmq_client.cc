// The engine of SeaweedFS through its real client, over gRPC and HTTP, to the fake servers; with
// TIDEGATE_CONTRACT_ON=weed to a real SeaweedFS of the binary that TIDEGATE_WEED names. With broker and
// weed_broker the same on the broker path. What a directory of the suite has stays when the engine is
// reopened: a fake cluster each, or the one real cluster, emptied between.
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <string_view>

#include "client_source.h"
#include "engine.h"
#include "engine_factory.h"
#include "fake/cluster.h"

namespace tidegate::test {

namespace {

using namespace storage::seaweedmq;

std::string_view what_is_meant() {
  const char* on = std::getenv("TIDEGATE_CONTRACT_ON");
  return on ? on : "";
}
bool on_weed() { return what_is_meant().starts_with("weed"); }
bool on_broker() { return what_is_meant().ends_with("broker"); }

struct Place {
  std::shared_ptr<SeaweedCluster> cluster;
  bool to_be_emptied = false;  // of what the case before has left
};

// Each case leaves topics without streams behind, for which the broker freezes at its next look, once a
// minute from its start.
void renew_broker(SeaweedCluster& cluster) {
  using std::chrono::steady_clock;
  static steady_clock::time_point started = steady_clock::now();
  if (steady_clock::now() - started < std::chrono::seconds(30)) return;
  cluster.kill(Part::broker);
  started = steady_clock::now();
  cluster.start(Part::broker);
}

// The cases come one after the other, so that the one before is not needed any more.
Place cluster_of(const EngineEnvironment& environment, bool broker) {
  static std::mutex mutex;
  static std::string directory;
  static std::shared_ptr<SeaweedCluster> cluster;
  const std::lock_guard lock(mutex);
  const bool same = directory == environment.dir.string();
  directory = environment.dir.string();
  if (on_weed()) {
    const bool used = cluster != nullptr;
    if (!used) cluster = start_real_cluster(broker);
    if (!cluster) throw std::runtime_error("no SeaweedFS: TIDEGATE_WEED names none that starts");
    if (broker && used && !same) renew_broker(*cluster);
    return {cluster, used && !same};
  }
  if (!same || !cluster) {
    cluster.reset();
    FakeClusterOptions options;
    options.broker = broker;
    options.broker_times.flush = std::chrono::milliseconds(10);
    // The case's own, which is not asked any more once its engines are gone.
    options.broker_times.now_ns = [&clock = environment.clock] { return clock.wall_ms() * 1'000'000; };
    cluster = std::make_shared<FakeCluster>(options);
  }
  return {cluster, false};
}

class HeldSource final : public BackendSource {
 public:
  HeldSource(Place place, std::unique_ptr<Client> client)
      : place_(std::move(place)), inner_(std::move(client)) {}
  Task<Result<void>> open() override {
    auto opened = co_await inner_.open();
    if (!opened || !place_.to_be_emptied) co_return opened;
    // The filers are found within a moment.
    for (int i = 0; i < kTries; ++i) {
      const auto erased = co_await inner_.backend().filer.erase("/topics", "kafka", true);
      if (erased) co_return opened;
      Timers& timers = Shard::current()->timers();
      co_await timers.sleep_until(Shard::current()->clock().now() + std::chrono::milliseconds(100));
    }
    co_return fail(ErrorCode::kafka_storage_error, "what the case before has left cannot be deleted");
  }
  Task<void> close() override { return inner_.close(); }
  Backend backend() override { return inner_.backend(); }
  BrokerClient* brokers() override { return inner_.brokers(); }
  std::string missing() const override { return inner_.missing(); }

 private:
  static constexpr int kTries = 200;
  const Place place_;
  ClientSource inner_;
};

struct Kind {
  Layout layout = Layout::batch;
  WritePath path = WritePath::direct;
  bool flushed = true;
};

std::unique_ptr<storage::Engine> make(const EngineEnvironment& environment, Kind kind) {
  const bool broker = kind.path == WritePath::broker;
  Place place = cluster_of(environment, broker);
  ClientOptions client_options;
  client_options.find_brokers = broker;
  client_options.masters = {parse_server_address(place.cluster->master()).value()};
  client_options.poll_interval = std::chrono::milliseconds(100);
  auto client =
      Client::make(environment.shards, client_options, environment.metrics, environment.rng.next()).value();
  auto source = std::make_unique<HeldSource>(std::move(place), std::move(client));
  EngineOptions options;
  options.direct.linger = Duration(0);
  options.topics = {.path = kind.path, .layout = kind.layout};
  options.broker.flushed = kind.flushed;
  // A broker that was started again answers after 30 s and more.
  if (on_weed() && broker) options.direct.give_up_after = std::chrono::minutes(2);
  options.broker.look_every = std::chrono::milliseconds(on_weed() ? 100 : 10);
  options.wait_for_backend = true;
  return std::make_unique<SeaweedmqEngine>(options, std::move(source), environment.shards, environment.clock,
                                           environment.rng, environment.metrics);
}

}  // namespace

std::vector<EngineFactory> contract_engines() {
  const auto of_kind = [](const char* name, Kind kind) {
    return EngineFactory{
        .name = name,
        .make = [kind](const EngineEnvironment& environment) { return make(environment, kind); },
        .adds_partitions = kind.path == WritePath::direct,
        .compacts = kind.path == WritePath::direct};
  };
  const Kind broker{.path = WritePath::broker};
  const Kind broker_memory{.path = WritePath::broker, .flushed = false};
  const Kind broker_record{.layout = Layout::record, .path = WritePath::broker};
  if (on_broker())
    return {of_kind("seaweedmq_broker", broker), of_kind("seaweedmq_broker_memory", broker_memory),
            of_kind("seaweedmq_broker_record", broker_record)};
  if (!on_weed()) return {of_kind("seaweedmq_client", {})};
  return {of_kind("seaweedmq_weed", {}), of_kind("seaweedmq_weed_record", {.layout = Layout::record})};
}

}  // namespace tidegate::test
