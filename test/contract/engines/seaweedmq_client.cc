// The engine of SeaweedFS through its real client, over gRPC and HTTP, to the fake servers; with
// TIDEGATE_CONTRACT_ON=weed to a real SeaweedFS of the binary that TIDEGATE_WEED names. What a directory of
// the suite has stays when the engine is reopened: a fake cluster each, or the one real cluster, emptied
// between.
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

bool on_weed() {
  const char* on = std::getenv("TIDEGATE_CONTRACT_ON");
  return on && std::string_view(on) == "weed";
}

struct Place {
  std::shared_ptr<SeaweedCluster> cluster;
  bool to_be_emptied = false;  // of what the case before has left
};

// The cases come one after the other, so that the one before is not needed any more.
Place cluster_of(const EngineEnvironment& environment) {
  static std::mutex mutex;
  static std::string directory;
  static std::shared_ptr<SeaweedCluster> cluster;
  const std::lock_guard lock(mutex);
  const bool same = directory == environment.dir.string();
  directory = environment.dir.string();
  if (on_weed()) {
    const bool used = cluster != nullptr;
    if (!used) cluster = start_real_cluster();
    if (!cluster) throw std::runtime_error("no SeaweedFS: TIDEGATE_WEED names none that starts");
    return {cluster, used && !same};
  }
  if (!same || !cluster) {
    cluster.reset();
    cluster = std::make_shared<FakeCluster>();
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
  std::string missing() const override { return inner_.missing(); }

 private:
  static constexpr int kTries = 200;
  const Place place_;
  ClientSource inner_;
};

std::unique_ptr<storage::Engine> make(const EngineEnvironment& environment, Layout layout) {
  Place place = cluster_of(environment);
  ClientOptions client_options;
  client_options.masters = {parse_server_address(place.cluster->master()).value()};
  client_options.poll_interval = std::chrono::milliseconds(100);
  auto client =
      Client::make(environment.shards, client_options, environment.metrics, environment.rng.next()).value();
  auto source = std::make_unique<HeldSource>(std::move(place), std::move(client));
  EngineOptions options;
  options.direct.linger = Duration(0);
  options.topics.layout = layout;
  options.wait_for_backend = true;
  return std::make_unique<SeaweedmqEngine>(options, std::move(source), environment.shards, environment.clock,
                                           environment.rng, environment.metrics);
}

}  // namespace

std::vector<EngineFactory> contract_engines() {
  const auto with_layout = [](const char* name, Layout layout) {
    return EngineFactory{.name = name, .make = [layout](const EngineEnvironment& environment) {
                           return make(environment, layout);
                         }};
  };
  if (!on_weed()) return {with_layout("seaweedmq_client", Layout::batch)};
  return {with_layout("seaweedmq_weed", Layout::batch), with_layout("seaweedmq_weed_record", Layout::record)};
}

}  // namespace tidegate::test
