// A client's first contact: accepted, answered, refused when it should be.
#include <gtest/gtest.h>

#include "support/daemon.h"
#include "support/wire_client.h"
#include "tidegate/protocol/messages/api_versions.h"
#include "tidegate/protocol/messages/metadata.h"

namespace tidegate {
namespace {

using namespace protocol;  // NOLINT: a test that speaks the protocol

TEST(Connection, FirstContact_IsAnsweredWithTheAdvertisedAddress) {
  test::DaemonProcess daemon;
  ASSERT_TRUE(daemon.ready());
  test::WireClient client(daemon.kafka_port());
  ASSERT_TRUE(client.connected());
  ASSERT_TRUE(client.call<ApiVersionsResponse>(ApiVersionsRequest{}, 0));
  const auto metadata = client.call<MetadataResponse>(MetadataRequest{}, 8);
  ASSERT_TRUE(metadata);
  ASSERT_EQ(metadata->brokers.size(), 1U);
  EXPECT_EQ(metadata->brokers[0].host, "127.0.0.1");
  EXPECT_EQ(metadata->brokers[0].port, daemon.kafka_port());
  EXPECT_EQ(metadata->controller_id, metadata->brokers[0].node_id);
}

TEST(Connection, AStoppedDaemon_RefusesAtOnce) {
  test::DaemonProcess daemon;
  ASSERT_TRUE(daemon.ready());
  EXPECT_EQ(daemon.stop(SIGTERM), 0);
  test::WireClient client(daemon.kafka_port());
  EXPECT_FALSE(client.connected());
}

TEST(Connection, OverTheLimit_TheNewConnectionIsClosedAndTheOldOnesGoOn) {
  test::DaemonProcess daemon({"--set", "max.connections.per.ip=2"});
  ASSERT_TRUE(daemon.ready());
  test::WireClient first(daemon.kafka_port());
  test::WireClient second(daemon.kafka_port());
  ASSERT_TRUE(first.call<ApiVersionsResponse>(ApiVersionsRequest{}, 0));
  ASSERT_TRUE(second.call<ApiVersionsResponse>(ApiVersionsRequest{}, 0));
  test::WireClient third(daemon.kafka_port());
  EXPECT_FALSE(third.call<ApiVersionsResponse>(ApiVersionsRequest{}, 0));
  EXPECT_TRUE(first.call<ApiVersionsResponse>(ApiVersionsRequest{}, 0));
  EXPECT_TRUE(second.call<ApiVersionsResponse>(ApiVersionsRequest{}, 0));
}

TEST(Connection, AFrameOverTheLimit_ClosesThatConnectionOnly) {
  test::DaemonProcess daemon(
      {"--set", "socket.request.max.bytes=100000", "--set", "message.max.bytes=50000"});
  ASSERT_TRUE(daemon.ready());
  test::WireClient healthy(daemon.kafka_port());
  test::WireClient large(daemon.kafka_port());
  ASSERT_TRUE(large.send_bytes(std::string("\x00\x10\x00\x00", 4)));
  EXPECT_TRUE(large.closed_by_peer());
  EXPECT_TRUE(healthy.call<ApiVersionsResponse>(ApiVersionsRequest{}, 0));
}

}  // namespace
}  // namespace tidegate
