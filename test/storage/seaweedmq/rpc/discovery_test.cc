// Finding masters and filers, and living with their coming and going.
#include <gtest/gtest.h>

#include "rpc/client_rig.h"

namespace tidegate::storage::seaweedmq {
namespace {

using namespace std::chrono_literals;

class DiscoverySuite : public ::testing::TestWithParam<std::string> {
 public:
  void SetUp() override {
    auto cluster = make_cluster(GetParam());
    ASSERT_TRUE(cluster);
    rig = std::make_unique<ClientRig>(std::move(cluster));
  }
  bool finds() {
    const auto found = rig->lookup("/topics", "none");
    return found && !*found;
  }
  std::unique_ptr<ClientRig> rig;
};
INSTANTIATE_TEST_SUITE_P(Clusters, DiscoverySuite, ::testing::ValuesIn(clusters()), kind_of);

TEST_P(DiscoverySuite, WithNothingReachable_ItStarts_SaysWhatIsMissing_AndGoesOnByItself) {
  for (const auto part : {Part::master, Part::filer, Part::volume}) rig->cluster().kill(part);
  rig->start();
  EXPECT_NE(rig->client().missing().find("no master"), std::string::npos) << rig->client().missing();
  const auto found = rig->lookup("/topics", "none");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kafka_storage_error);
  EXPECT_NE(found.error().message.find("no filer is known"), std::string::npos) << found.error().message;

  rig->cluster().start(Part::master);
  rig->cluster().start(Part::volume);
  rig->cluster().start(Part::filer);
  EXPECT_TRUE(rig->eventually([&] { return rig->client().missing().empty(); })) << rig->client().missing();
  EXPECT_TRUE(rig->eventually([&] { return finds(); }));
}

TEST_P(DiscoverySuite, MasterThatIsGone_IsMissed_WhileFilersGoOn) {
  rig->start_and_wait();
  rig->cluster().kill(Part::master);
  ASSERT_TRUE(rig->eventually([&] { return !rig->client().missing().empty(); }));
  EXPECT_NE(rig->client().missing().find("no master"), std::string::npos);
  EXPECT_TRUE(rig->eventually([&] { return finds(); }));
  rig->cluster().start(Part::master);
  EXPECT_TRUE(rig->eventually([&] { return rig->client().missing().empty(); })) << rig->client().missing();
}

// ------------------------------------------------------------------------------------- fake only

std::unique_ptr<ClientRig> fake_rig(ClientOptions options = ClientRig::quick(),
                                    test::FakeClusterOptions cluster = {}) {
  return std::make_unique<ClientRig>(std::make_unique<FakeCluster>(std::move(cluster)), std::move(options));
}

TEST(SeaweedDiscovery, RegistersUnderItsOwnName) {
  auto rig = fake_rig();
  rig->start_and_wait();
  EXPECT_TRUE(rig->eventually([&] { return rig->fake().fake_master().last_client_type() == "tidegate"; }));
}

TEST(SeaweedDiscovery, WithoutMasters_ThereIsNoClient) {
  test::ShardHarness shards(1, test::RealClock{});
  const auto client = Client::make(shards.pool(), ClientOptions{}, shards.metrics(), 1);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, ErrorCode::invalid_config);
}

TEST(SeaweedDiscovery, TlsFileThatIsNotThere_IsRefusedByName) {
  test::ShardHarness shards(1, test::RealClock{});
  auto options = ClientRig::quick();
  options.masters = {{"127.0.0.1", 1, 2}};
  options.tls = {.ca = "/nowhere/ca.crt", .certificate = "", .key = ""};
  const auto client = Client::make(shards.pool(), options, shards.metrics(), 1);
  ASSERT_FALSE(client);
  EXPECT_NE(client.error().message.find("/nowhere/ca.crt"), std::string::npos);
}

TEST(SeaweedDiscovery, FollowerSendsOnToTheLeader) {
  test::FakeMaster follower;
  auto options = ClientRig::quick();
  options.masters = {parse_server_address(follower.address()).value()};
  auto rig = fake_rig(options);
  follower.set_leader(rig->cluster().master());
  rig->start_and_wait();
  const auto leader = parse_server_address(rig->cluster().master()).value();
  EXPECT_EQ(rig->client().view().leader, leader.http());
}

TEST(SeaweedDiscovery, NewLeader_IsFollowed) {
  test::FakeMaster other;
  auto options = ClientRig::quick();
  auto cluster = std::make_unique<FakeCluster>();
  options.masters = {parse_server_address(cluster->master()).value(),
                     parse_server_address(other.address()).value()};
  const std::string filer = cluster->filer_address();
  other.set_leader(cluster->master());
  ClientRig rig(std::move(cluster), options);
  rig.start_and_wait();
  other.add_filer("", filer);
  other.set_leader(other.address());
  rig.fake().fake_master().set_leader(other.address());
  const std::string expected = parse_server_address(other.address())->http();
  EXPECT_TRUE(rig.eventually([&] { return rig.client().view().leader == expected; }));
  EXPECT_TRUE(rig.eventually([&] { return rig.client().missing().empty(); })) << rig.client().missing();
  rig.stop();
}

TEST(SeaweedDiscovery, MasterWithoutALeader_IsSaidToBeSo) {
  auto rig = fake_rig();
  rig->fake().fake_master().set_leader("");
  rig->start();
  EXPECT_TRUE(rig->eventually([&] {
    return rig->client().missing().find("knows of no leader") != std::string::npos;
  })) << rig->client().missing();
}

TEST(SeaweedDiscovery, LeaderThatIsNoAddress_IsSaidToBeSo) {
  auto rig = fake_rig();
  rig->fake().fake_master().set_leader("nonsense");
  rig->start();
  EXPECT_TRUE(rig->eventually([&] {
    return rig->client().missing().find("'nonsense'") != std::string::npos;
  })) << rig->client().missing();
}

TEST(SeaweedDiscovery, FilersOfAnotherGroup_AreNotOurs) {
  auto options = ClientRig::quick();
  options.filer_group = "kafka";
  auto rig = fake_rig(options, {.filer_group = "other"});
  rig->start();
  EXPECT_TRUE(rig->eventually([&] {
    return rig->client().missing().find("no filer in group 'kafka'") != std::string::npos;
  })) << rig->client().missing();
  // Neither by the list nor by an announcement.
  rig->fake().fake_master().add_filer("other", "127.0.0.1:1.2");
  rig->fake().fake_master().add_filer("kafka", rig->fake().filer_address());
  EXPECT_TRUE(rig->eventually([&] { return rig->client().missing().empty(); }));
  EXPECT_EQ(rig->client().view().filers.size(), 1U);
}

TEST(SeaweedDiscovery, FilersThatComeAndGo_AreKnown) {
  auto rig = fake_rig();
  rig->start_and_wait();
  rig->fake().fake_master().add_filer("", "127.0.0.1:1000.2000");
  EXPECT_TRUE(rig->eventually([&] { return rig->client().view().filers.size() == 2; }));
  rig->fake().fake_master().remove_filer("", "127.0.0.1:1000.2000");
  EXPECT_TRUE(rig->eventually([&] { return rig->client().view().filers.size() == 1; }));
}

TEST(SeaweedDiscovery, ListThatBecameEmpty_TakesNothingAway) {
  auto rig = fake_rig();
  rig->start_and_wait();
  const int asked = rig->fake().fake_master().faults().calls("ListClusterNodes");
  rig->fake().fake_master().forget_filers();
  ASSERT_TRUE(rig->eventually(
      [&] { return rig->fake().fake_master().faults().calls("ListClusterNodes") > asked + 2; }));
  EXPECT_EQ(rig->client().view().filers.size(), 1U);
}

TEST(SeaweedDiscovery, AddressThatIsNone_IsLeftOut) {
  auto rig = fake_rig();
  rig->fake().fake_master().add_filer("", "nonsense");
  rig->start_and_wait();
  EXPECT_EQ(rig->client().view().filers.size(), 1U);
}

TEST(SeaweedDiscovery, RingChange_IsTold) {
  auto rig = fake_rig();
  std::atomic<std::int64_t> told{0};
  rig->client().on_change([&](const ClusterView& view) {
    if (view.ring_version != 0) told = view.ring_version;
  });
  rig->start_and_wait();
  ASSERT_TRUE(rig->eventually([&] { return rig->fake().fake_master().streams() == 1; }));
  rig->fake().fake_master().announce_ring("other", {"x:1"}, 41);
  rig->fake().fake_master().announce_ring("", {"a:1", "b:1"}, 42);
  EXPECT_TRUE(rig->eventually([&] { return told == 42; }));
  EXPECT_EQ(rig->client().view().ring, (std::vector<std::string>{"a:1", "b:1"}));
}

// Two filers, with one store or two.
struct TwoFilers {
  explicit TwoFilers(bool one_store) : rig(fake_rig()) {
    of_its_own.signature = 815;
    rig->client().on_ring_change([this] { ++changes; });
    rig->start_and_wait();
    other = rig->fake().another_filer(one_store ? rig->fake().entries() : of_its_own);
    const std::string port = std::to_string(other->port());
    address = "127.0.0.1:" + port + "." + port;
    rig->fake().fake_master().add_filer("", address);
    EXPECT_TRUE(rig->eventually([&] { return rig->client().view().filers.size() == 2; }));
  }
  std::string first() const { return rig->fake().filer_address(); }
  // Said again and again: a client that is not connected just then is not told.
  void ring(const std::vector<std::string>& members) {
    EXPECT_TRUE(rig->eventually([&] {
      rig->fake().fake_master().announce_ring("", members, ++version);
      return rig->client().view().ring == members;
    }));
  }
  bool becomes(FilerStores::Kind kind) {
    return rig->eventually([&] { return rig->client().stores().kind() == kind; });
  }
  bool changed_from(int before) {
    return rig->eventually([&] { return changes > before; });
  }
  std::int64_t shown() {
    return rig->shards().metrics().gauge("tidegate_seaweedmq_filer_stores", "").value();
  }

  test::EntryStore of_its_own;
  std::unique_ptr<ClientRig> rig;
  std::unique_ptr<test::FakeFiler> other;
  std::string address;
  std::int64_t version = 0;
  std::atomic<int> changes{0};
};

TEST(SeaweedFilerStores, OneStore_IsNoReasonForAnything) {
  TwoFilers two(true);
  ASSERT_TRUE(two.becomes(FilerStores::Kind::one));
  EXPECT_EQ(two.shown(), 1);
  const int before = two.changes;  // until it has answered, a filer may keep a store of its own
  two.ring({two.first(), two.address});
  two.ring({two.address});
  EXPECT_EQ(two.changes, before);
}

TEST(SeaweedFilerStores, SeparateStores_AreToldAndSoAreChangesOfTheirRing) {
  TwoFilers two(false);
  ASSERT_TRUE(two.becomes(FilerStores::Kind::separate));
  EXPECT_EQ(two.shown(), 2);
  EXPECT_TRUE(two.changed_from(0)) << "one more filer";
  two.ring({two.first(), two.address});
  int before = two.changes;
  two.ring({two.address, two.first()});
  EXPECT_EQ(two.changes, before) << "the same filers in another order";
  two.ring({two.first()});
  EXPECT_TRUE(two.changed_from(before));
  before = two.changes;
  two.rig->fake().fake_master().remove_filer("", two.address);
  EXPECT_TRUE(two.changed_from(before)) << "one filer less";
  EXPECT_TRUE(two.becomes(FilerStores::Kind::one));
}

TEST(SeaweedFilerStores, FilerThatDoesNotAnswer_MayKeepAStoreOfItsOwn) {
  TwoFilers two(true);
  two.ring({two.first()});
  const int before = two.changes;
  two.ring({two.first(), "127.0.0.1:1.2"});
  EXPECT_TRUE(two.changed_from(before));
}

TEST(SeaweedDiscovery, MasterWhosePollsHang_IsGivenUpAndFoundAgain) {
  auto rig = fake_rig();
  rig->start_and_wait();
  rig->fake().fake_master().faults().set("ListClusterNodes", {.kind = Fault::Kind::hang, .times = 2});
  EXPECT_TRUE(rig->eventually([&] { return !rig->client().missing().empty(); }));
  EXPECT_TRUE(rig->eventually([&] { return rig->client().missing().empty(); })) << rig->client().missing();
}

TEST(SeaweedDiscovery, SecondFiler_TakesOver_AndTransactionsGoToTheRingsOwner) {
  auto rig = fake_rig();
  rig->start_and_wait();
  const auto other = rig->fake().another_filer(rig->fake().entries());
  rig->fake().fake_master().add_filer(
      "", "127.0.0.1:" + std::to_string(other->port()) + "." + std::to_string(other->port()));
  ASSERT_TRUE(rig->eventually([&] { return rig->client().view().filers.size() == 2; }));
  ASSERT_TRUE(rig->create("/topics/kafka/t", file("a", "x")));
  rig->proxy(Part::filer).set(FaultyProxy::Mode::refuse);
  EXPECT_TRUE(rig->eventually([&] {
    const auto found = rig->lookup("/topics/kafka/t", "a");
    return found && *found && (*found)->content == "x";
  }));
  EXPECT_TRUE(rig->client().missing().empty()) << rig->client().missing();
  EXPECT_GT(other->faults().calls("LookupDirectoryEntry"), 0);

  rig->fake().set_ring_owner(&rig->fake().filer());
  FencedChange change{
      .fence_path = "/topics/kafka/t/fence", .directory = "/topics/kafka/t", .entry = file("fence")};
  EXPECT_EQ(rig->transact(change).value(), Outcome::done);
  EXPECT_EQ(other->forwarded(), 1);
}

TEST(SeaweedDiscovery, Stop_EndsWhatIsUnderWay) {
  auto rig = fake_rig();
  rig->start_and_wait();
  rig->fake().filer().faults().set("LookupDirectoryEntry", {.kind = Fault::Kind::hang, .times = -1});
  rig->fake().fake_master().faults().set("ListClusterNodes", {.kind = Fault::Kind::hang, .times = -1});
  std::atomic<int> ended{0};
  auto one = [&]() -> Task<void> {
    const auto found = co_await rig->client().filer().lookup("/topics", "x");
    ended += found ? 0 : 1;
  };
  for (int i = 0; i < 10; ++i) {
    rig->shards().call([&] { rig->shards().shard().start(one(), "test"); });
  }
  rig->stop();
  EXPECT_TRUE(rig->eventually([&] { return ended == 10; }));
  EXPECT_FALSE(rig->lookup("/topics", "x"));
  rig->fake().filer().faults().clear();
}

}  // namespace
}  // namespace tidegate::storage::seaweedmq
