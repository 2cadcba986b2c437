// The engine of SeaweedFS through its real client, over gRPC and HTTP, to the fake
// servers. One cluster a directory of the suite: it stays when the engine is reopened.
#include <mutex>

#include "client_source.h"
#include "engine.h"
#include "engine_factory.h"
#include "fake/cluster.h"

namespace tidegate::test {

namespace {

using namespace storage::seaweedmq;

// The cases come one after the other, so that the one before is not needed any more.
std::shared_ptr<SeaweedCluster> cluster_of(const EngineEnvironment& environment) {
  static std::mutex mutex;
  static std::string directory;
  static std::shared_ptr<SeaweedCluster> cluster;
  const std::lock_guard lock(mutex);
  if (directory != environment.dir.string() || !cluster) {
    cluster.reset();
    cluster = std::make_shared<FakeCluster>();
    directory = environment.dir.string();
  }
  return cluster;
}

class HeldSource final : public BackendSource {
 public:
  HeldSource(std::shared_ptr<SeaweedCluster> cluster, std::unique_ptr<Client> client)
      : cluster_(std::move(cluster)), inner_(std::move(client)) {}
  Task<Result<void>> open() override { return inner_.open(); }
  Task<void> close() override { return inner_.close(); }
  Backend backend() override { return inner_.backend(); }
  std::string missing() const override { return inner_.missing(); }

 private:
  const std::shared_ptr<SeaweedCluster> cluster_;
  ClientSource inner_;
};

std::unique_ptr<storage::Engine> make(const EngineEnvironment& environment) {
  auto cluster = cluster_of(environment);
  ClientOptions client_options;
  client_options.masters = {parse_server_address(cluster->master()).value()};
  client_options.poll_interval = std::chrono::milliseconds(100);
  auto client = Client::make(environment.shards, client_options, environment.metrics, environment.rng.next()).value();
  auto source = std::make_unique<HeldSource>(std::move(cluster), std::move(client));
  EngineOptions options;
  options.direct.linger = Duration(0);
  options.wait_for_backend = true;
  return std::make_unique<SeaweedmqEngine>(options, std::move(source), environment.shards, environment.clock,
                                           environment.rng, environment.metrics);
}

}  // namespace

std::vector<EngineFactory> contract_engines() { return {{.name = "seaweedmq_client", .make = make}}; }

}  // namespace tidegate::test
