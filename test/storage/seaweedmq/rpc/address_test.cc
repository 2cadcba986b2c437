#include "rpc/address.h"

#include <gtest/gtest.h>

namespace tidegate::storage::seaweedmq {
namespace {

TEST(SeaweedAddress, WithoutAGrpcPort_ItIsTenThousandAbove) {
  const auto at = parse_server_address("filer-1:8888");
  ASSERT_TRUE(at);
  EXPECT_EQ(at->http(), "filer-1:8888");
  EXPECT_EQ(at->grpc(), "filer-1:18888");
}

TEST(SeaweedAddress, WithOne_ItIsTaken) {
  const auto at = parse_server_address("10.0.0.7:8888.4711");
  ASSERT_TRUE(at);
  EXPECT_EQ(at->http(), "10.0.0.7:8888");
  EXPECT_EQ(at->grpc(), "10.0.0.7:4711");
}

TEST(SeaweedAddress, Ipv6_KeepsItsBrackets) {
  const auto at = parse_server_address("[::1]:9333");
  ASSERT_TRUE(at);
  EXPECT_EQ(at->host, "::1");
  EXPECT_EQ(at->grpc(), "[::1]:19333");
}

TEST(SeaweedAddress, WhatIsNone_IsRefusedByName) {
  for (const char* text : {"", "host", ":9333", "host:", "host:0", "host:x", "host:70000", "host:1.0",
                           "::1:9333", "[::1:9333", "host:60000", "host:1.2.3"}) {
    const auto at = parse_server_address(text);
    ASSERT_FALSE(at) << text;
    EXPECT_EQ(at.error().code, ErrorCode::invalid_config);
    EXPECT_NE(at.error().message.find("'" + std::string(text) + "'"), std::string::npos);
  }
}

TEST(SeaweedAddressRewrite, FirstRuleThatFits_Wins) {
  const auto rewrite =
      AddressRewrite::parse({"volume-1:8080=localhost:18080", "volume-1=10.0.0.1", "*=127.0.0.1"});
  ASSERT_TRUE(rewrite);
  EXPECT_EQ(rewrite->apply("volume-1:8080"), "localhost:18080");
  EXPECT_EQ(rewrite->apply("volume-1:8081"), "10.0.0.1:8081");
  EXPECT_EQ(rewrite->apply("other:1"), "127.0.0.1:1");
  EXPECT_EQ(rewrite->apply("[::1]:1"), "127.0.0.1:1");
}

TEST(SeaweedAddressRewrite, WithoutARule_NothingChanges) {
  EXPECT_EQ(AddressRewrite().apply("volume-1:8080"), "volume-1:8080");
  const auto rewrite = AddressRewrite::parse({"a=b"});
  ASSERT_TRUE(rewrite);
  EXPECT_EQ(rewrite->apply("c:1"), "c:1");
}

TEST(SeaweedAddressRewrite, BadRule_IsRefused) {
  for (const char* rule : {"a", "=b", "a=", "a:0=b", "a=b:99999", "a=b:c:d"}) {
    EXPECT_FALSE(AddressRewrite::parse({rule})) << rule;
  }
}

}  // namespace
}  // namespace tidegate::storage::seaweedmq
