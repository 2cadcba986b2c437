// A SeaweedFS to test against: the fake one, or a real one where TIDEGATE_WEED names its binary. Either has
// one master, one filer and one volume server on loopback, and a broker of SeaweedMQ where it is started;
// each of them can be killed and started again on its port with what it had stored.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fake/broker.h"
#include "fake/filer.h"
#include "fake/master.h"
#include "fake/volume.h"

namespace tidegate::test {

enum class Part { master, filer, volume, broker };

class SeaweedCluster {
 public:
  virtual ~SeaweedCluster() = default;
  virtual std::string master() const = 0;  // HOST:PORT.GRPCPORT
  // What a client dials on 127.0.0.1: gRPC, but HTTP for the volume server.
  virtual std::uint16_t port_of(Part part) const = 0;
  virtual void kill(Part part) = 0;
  virtual void start(Part part) = 0;
};

struct FakeClusterOptions {
  std::string filer_group;
  FakeVolumeServer::Keys keys;
  bool assign_gives_token = false;  // signed with keys.write, for the first id only
  bool broker = false;
  FakeBrokerTimes broker_times;
};

class FakeCluster final : public SeaweedCluster {
 public:
  explicit FakeCluster(FakeClusterOptions options = {});
  ~FakeCluster() override;

  std::string master() const override { return master_address_; }
  std::uint16_t port_of(Part part) const override;
  void kill(Part part) override;
  void start(Part part) override;

  FakeMaster& fake_master() { return *master_; }
  FakeFiler& filer() { return *filer_; }
  FakeVolumeServer& volume() { return *volume_; }
  FakeBroker& broker() { return *broker_; }
  EntryStore& entries() { return entries_; }
  NeedleStore& needles() { return needles_; }
  std::string filer_address() const { return filer_address_; }
  // Others of the same store and volumes; not registered.
  std::unique_ptr<FakeFiler> another_filer(EntryStore& store);
  // The owner of every ring key; nullptr: each filer itself.
  void set_ring_owner(FakeFiler* owner) { ring_owner_ = owner; }

  static constexpr std::uint32_t kVolume = 3;

 private:
  FakeFiler::Surroundings surroundings();
  FakeBroker::Surroundings surroundings_of_broker();
  const FakeClusterOptions options_;
  EntryStore entries_;
  NeedleStore needles_;
  std::unique_ptr<FakeMaster> master_;
  std::unique_ptr<FakeFiler> filer_;
  std::unique_ptr<FakeVolumeServer> volume_;
  std::unique_ptr<FakeBroker> broker_;
  std::mutex filer_mutex_;  // the broker uses the filer, which comes and goes
  FakeFiler* ring_owner_ = nullptr;
  std::string master_address_;
  std::string filer_address_;
  int master_port_ = 0;
  int filer_port_ = 0;
  int broker_port_ = 0;
  std::uint16_t volume_port_ = 0;
};

// With the binary that TIDEGATE_WEED names. nullptr (and a failed test) when it does not come up.
std::unique_ptr<SeaweedCluster> start_real_cluster(bool with_broker = false);
// The name of the binary; nullptr: not to be tested.
const char* real_weed();

}  // namespace tidegate::test
