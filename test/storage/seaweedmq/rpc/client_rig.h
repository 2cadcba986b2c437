// A client on two shards, a cluster behind proxies, and the waiting in between. The cluster is the fake one
// or, where TIDEGATE_WEED names a binary, a real one too: suites are instantiated over clusters().
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "fake/cluster.h"
#include "fake/proxy.h"
#include "rpc/client.h"
#include "support/run_task.h"

namespace tidegate::storage::seaweedmq {

using test::FakeCluster;
using test::Fault;
using test::FaultyProxy;
using test::Part;

class ClientRig {
 public:
  explicit ClientRig(std::unique_ptr<test::SeaweedCluster> cluster, ClientOptions options = quick())
      : cluster_(std::move(cluster)),
        master_(cluster_->port_of(Part::master)),
        filer_(cluster_->port_of(Part::filer)),
        volume_(cluster_->port_of(Part::volume)) {
    if (options.masters.empty()) options.masters = {parse_server_address(cluster_->master()).value()};
    std::vector<std::string> rules;
    for (const auto& [part, proxy] : proxies()) {
      rules.push_back("127.0.0.1:" + std::to_string(cluster_->port_of(part)) + "=" + proxy->address());
    }
    options.rewrite = AddressRewrite::parse(rules).value();
    auto made = Client::make(shards_.pool(), options, shards_.metrics(), 4711);
    EXPECT_TRUE(made);
    client_ = std::move(*made);
  }
  ~ClientRig() { stop(); }

  // A coroutine on a shard, to its end.
  template <class F>
  auto run(F make_task, unsigned shard = 0) {
    return shards_.run(std::move(make_task), shard);
  }
  static ClientOptions quick() {
    ClientOptions options;
    options.call_timeout = std::chrono::milliseconds(1500);
    options.transfer_timeout = std::chrono::milliseconds(1500);
    options.connect_timeout = std::chrono::milliseconds(500);
    options.poll_interval = std::chrono::milliseconds(200);
    return options;
  }

  void start() {
    started_ = true;
    run([this] { return client_->start(); });
  }
  void start_and_wait() {
    start();
    ASSERT_TRUE(eventually([this] { return client_->missing().empty(); })) << client_->missing();
  }
  void stop() {
    if (std::exchange(started_, false)) run([this] { return client_->stop(); });
  }

  Client& client() { return *client_; }
  test::SeaweedCluster& cluster() { return *cluster_; }
  FakeCluster& fake() { return dynamic_cast<FakeCluster&>(*cluster_); }
  FaultyProxy& proxy(Part part) { return *proxies()[static_cast<std::size_t>(part)].second; }
  test::ShardHarness& shards() { return shards_; }

  bool eventually(const std::function<bool()>& holds,
                  std::chrono::milliseconds within = std::chrono::seconds(30)) {
    const auto until = std::chrono::steady_clock::now() + within;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  // -- the calls, as plain functions
  auto lookup(const std::string& directory, const std::string& name) {
    return run([&] { return client_->filer().lookup(directory, name); });
  }
  auto list(const std::string& directory, const std::string& prefix, const std::string& after,
            std::size_t limit) {
    return run([&] { return client_->filer().list(directory, prefix, after, limit); });
  }
  auto create(const std::string& directory, const Entry& entry, bool exclusive = false) {
    return run([&] { return client_->filer().create(directory, entry, exclusive); });
  }
  auto update(const std::string& directory, const Entry& entry, const std::string& key,
              const std::optional<std::string>& expected) {
    return run([&] { return client_->filer().update(directory, entry, key, expected); });
  }
  auto transact(const FencedChange& change) {
    return run([&] { return client_->filer().transact(change); });
  }
  auto erase(const std::string& directory, const std::string& name, bool recursive) {
    return run([&] { return client_->filer().erase(directory, name, recursive); });
  }
  auto lock(const std::string& name, std::int64_t seconds, const std::string& owner,
            const std::string& token = "") {
    return run([&] { return client_->locks().lock(name, seconds, owner, token); });
  }
  auto unlock(const std::string& name, const std::string& token) {
    return run([&] { return client_->locks().unlock(name, token); });
  }
  auto lock_owner(const std::string& name) {
    return run([&] { return client_->locks().lock_owner(name); });
  }
  auto assign(const std::string& path = "/topics/kafka/t/v/0000-2520/f") {
    return run([&] { return client_->volumes().assign(path); });
  }
  auto upload(const Assigned& to, const std::string& bytes) {
    return run([&] {
      std::vector<SharedBuffer> pieces{copy(bytes)};
      return client_->volumes().upload(to, std::move(pieces));
    });
  }
  auto download(const std::string& id, std::uint64_t offset, std::uint64_t size) {
    return run([&] { return client_->volumes().download(id, offset, size); });
  }
  // Assigned and uploaded; its id.
  std::string store(const std::string& bytes) {
    const auto to = assign();
    EXPECT_TRUE(to) << (to ? "" : to.error().message);
    if (!to) return {};
    const auto done = upload(*to, bytes);
    EXPECT_TRUE(done) << (done ? "" : done.error().message);
    return to->file_id;
  }
  static SharedBuffer copy(const std::string& bytes) {
    return SharedBuffer::copy_of({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  }
  static std::string text(const SharedBuffer& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  std::vector<std::pair<Part, FaultyProxy*>> proxies() {
    return {{Part::master, &master_}, {Part::filer, &filer_}, {Part::volume, &volume_}};
  }
  std::unique_ptr<test::SeaweedCluster> cluster_;
  FaultyProxy master_;
  FaultyProxy filer_;
  FaultyProxy volume_;
  test::ShardHarness shards_{2, test::RealClock{}};
  std::unique_ptr<Client> client_;
  bool started_ = false;
};

inline Entry file(const std::string& name, const std::string& content = "") {
  Entry entry;
  entry.name = name;
  entry.content = content;
  return entry;
}

// "fake", and "real" where there is a binary.
inline std::vector<std::string> clusters() {
  std::vector<std::string> out{"fake"};
  if (test::real_weed()) out.emplace_back("real");
  return out;
}
inline std::unique_ptr<test::SeaweedCluster> make_cluster(const std::string& kind) {
  if (kind == "real") return test::start_real_cluster();
  return std::make_unique<FakeCluster>();
}

// One cluster and client for a whole suite of a kind: a real one takes seconds to come up.
class EitherCluster : public ::testing::TestWithParam<std::string> {
 public:
  void SetUp() override {
    auto& rig = rigs()[GetParam()];
    if (!rig) {
      auto cluster = make_cluster(GetParam());
      ASSERT_TRUE(cluster);
      rig = std::make_unique<ClientRig>(std::move(cluster));
      rig->start_and_wait();
    }
    rig_ = rig.get();
    // Each test in a directory of its own.
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ = std::string("/topics/kafka/") + info->name();
    for (char& c : directory_) {
      if (c == '/' && &c > directory_.data() + 12) c = '-';
    }
  }
  static void TearDownTestSuite() { rigs().clear(); }
  ClientRig& rig() { return *rig_; }
  bool real() const { return GetParam() == "real"; }
  const std::string& directory() const { return directory_; }

 private:
  static std::map<std::string, std::unique_ptr<ClientRig>>& rigs() {
    static std::map<std::string, std::unique_ptr<ClientRig>> all;
    return all;
  }
  ClientRig* rig_ = nullptr;
  std::string directory_;
};

inline std::string kind_of(const ::testing::TestParamInfo<std::string>& info) { return info.param; }

}  // namespace tidegate::storage::seaweedmq
