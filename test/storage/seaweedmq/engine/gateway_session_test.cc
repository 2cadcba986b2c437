// What a session says of its gateway, whose node id is whose, and gateways that find their predecessor dead.
#include <set>

#include "cluster/gateway_record.h"
#include "lease_rig.h"

namespace tidegate::test {
namespace {

using std::chrono::seconds;

constexpr const char* kSessions = "/topics/kafka/.meta/sessions/";

// So that it can be stopped: none of its calls waits for the clock then.
void come_back(LeaseRig& rig, Gateway& gateway) {
  gateway.cut_off(false);
  rig.pass(kStep * 3);
}

TEST(SeaweedGatewayRecord, Record_IsReadAsItWasWritten) {
  const seaweed::GatewayRecord record{
      .member = {.node = 7,
                 .rack = "a\"b",
                 .endpoints = {{"PLAINTEXT", "host", 9092}, {"TLS", "::1", 65535}}},
      .process = "host/boot/pid:[1]/17/5",
      .serving = true};
  const auto read = seaweed::parse_gateway(seaweed::encode_gateway(record));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->member.node, 7);
  EXPECT_EQ(read->member.rack, "a\"b");
  EXPECT_EQ(read->process, record.process);
  EXPECT_TRUE(read->serving);
  ASSERT_EQ(read->member.endpoints.size(), 2U);
  EXPECT_EQ(read->member.endpoints[1].listener, "TLS");
  EXPECT_EQ(read->member.endpoints[1].host, "::1");
  EXPECT_EQ(read->member.endpoints[1].port, 65535);
}

TEST(SeaweedGatewayRecord, Nonsense_IsRefused) {
  const std::string good = seaweed::encode_gateway({.member = {.node = 1}});
  ASSERT_TRUE(seaweed::parse_gateway(good));
  for (const auto& [from, to] :
       std::map<std::string, std::string>{{R"("node":1)", R"("node":-1)"},
                                          {R"("node":1)", R"("node":3000000000)"},
                                          {R"("node":1)", R"("node":"1")"},
                                          {R"("version":1)", R"("version":2)"},
                                          {R"("listeners":[])", R"("listeners":[{}])"},
                                          {R"("serving":false)", R"("serving":1)"}}) {
    std::string bad = good;
    const std::size_t at = bad.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    bad.replace(at, from.size(), to);
    const auto read = seaweed::parse_gateway(bad);
    ASSERT_FALSE(read) << bad;
    EXPECT_EQ(read.error().code, ErrorCode::corrupt_message);
  }
  for (const char* bad : {"", "{}", "[]", "a-session.1"}) EXPECT_FALSE(seaweed::parse_gateway(bad)) << bad;
}

TEST(SeaweedGatewaySession, Session_SaysWhoTheGatewayIs) {
  LeaseRig rig;
  rig.options.process = "this process";
  auto gateway = rig.gateway();
  const auto paths = rig.cluster.paths(kSessions);
  ASSERT_EQ(paths.size(), 1U);
  const auto record = seaweed::parse_gateway(rig.cluster.entry(paths[0])->content);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->member.node, 1);
  ASSERT_EQ(record->member.endpoints.size(), 1U);
  EXPECT_EQ(record->member.endpoints[0].host, "gateway");
  EXPECT_EQ(record->process, "this process");
  EXPECT_TRUE(record->serving);
}

TEST(SeaweedGatewaySession, NodeIdOfALiveGateway_IsNotGivenTwice) {
  LeaseRig rig;
  auto one = rig.gateway();
  auto twin = rig.unstarted(1);
  const auto refused = twin->start();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kafka_storage_error) << "which the daemon waits for";
  EXPECT_NE(refused.error().message.find("node.id 1"), std::string::npos) << refused.error().message;
  for (const auto& path : rig.cluster.paths(kSessions)) {
    const auto record = seaweed::parse_gateway(rig.cluster.entry(path)->content);
    ASSERT_TRUE(record);
    const bool of_one =
        rig.cluster.entry("/topics/kafka/.meta/nodes/1")->content == path.substr(path.rfind('/') + 1);
    EXPECT_EQ(record->serving, of_one) << "nobody is told of the twin";
  }
  one->stop();
  EXPECT_TRUE(twin->start()) << "free at once after a clean end";
}

TEST(SeaweedGatewaySession, NodeIdOfASilentGateway_IsFreeAfterALease) {
  LeaseRig rig;
  auto one = rig.gateway();
  one->cut_off(true);
  auto next = rig.unstarted(1);
  EXPECT_FALSE(next->start());
  Duration waited(0);
  while (!next->start() && waited < seconds(5)) {
    rig.pass(kStep);
    waited += kStep;
  }
  EXPECT_GE(waited, kTestLease);
  EXPECT_LE(waited, kTestLease * 8 / 5);
  come_back(rig, *one);
}

TEST(SeaweedGatewaySession, NodeIdTakenWhileAway_KeepsTheGatewayFromServing) {
  LeaseRig rig;
  auto paused = rig.gateway(true);
  ASSERT_TRUE(paused->append_values({"one"}));
  paused->cut_off(true);
  auto next = rig.unstarted(1);
  for (int i = 0; i < 30 && !next->start(); ++i) rig.pass(kStep);
  EXPECT_TRUE(serves(*next));
  paused->cut_off(false);
  rig.pass(seconds(3), [&] { EXPECT_FALSE(serves(*paused)); });
  EXPECT_TRUE(serves(*next));
}

TEST(SeaweedGatewaySession, PredecessorWhoseProcessIsGone_IsReplacedAtOnce) {
  LeaseRig rig;
  std::set<std::string> gone;
  rig.options.process_has_ended = [&gone](const std::string& process) { return gone.contains(process); };
  rig.options.process = "first";
  auto first = rig.gateway(true);
  ASSERT_TRUE(first->append_values({"one"}));
  first->cut_off(true);
  rig.options.process = "second";
  auto second = rig.unstarted(1);
  ASSERT_FALSE(second->start()) << "it may be alive, for all that is known";
  gone.insert("first");
  ASSERT_TRUE(second->start());
  EXPECT_EQ(second->append_values({"two"})->base_offset, 1);
  EXPECT_EQ(second->values(), (Values{"one", "two"}));
  come_back(rig, *first);
}

TEST(SeaweedGatewaySession, OtherGatewayWhoseProcessIsGone_IsReplacedAtTheNextRenewal) {
  LeaseRig rig;
  std::set<std::string> gone;
  rig.options.process_has_ended = [&gone](const std::string& process) { return gone.contains(process); };
  auto other = rig.gateway();
  rig.options.process = "first";
  auto first = rig.gateway(true);
  ASSERT_TRUE(first->append_values({"one"}));
  other->stop();
  other = rig.gateway();
  first->cut_off(true);
  gone.insert("first");
  rig.pass(kTestLease / 5 + kStep);
  EXPECT_EQ(other->append_values({"two"})->base_offset, 1);
  come_back(rig, *first);
}

}  // namespace
}  // namespace tidegate::test
