#include <gtest/gtest.h>

#include "data_plane.h"
#include "tidegate/protocol/messages/api_versions.h"

namespace tidegate {
namespace {

using test::DataPlane;

class ApiVersions : public ::testing::Test {
 protected:
  protocol::ApiVersionsResponse ask(protocol::ApiVersionsRequest request, std::int16_t version = 5) {
    return plane.api.call<protocol::ApiVersionsResponse>(request, version);
  }
  static protocol::ApiVersionsRequest good() {
    protocol::ApiVersionsRequest request;
    request.client_software_name = "apache-kafka-java";
    request.client_software_version = "4.4.0";
    return request;
  }
  DataPlane plane;
};

TEST_F(ApiVersions, EveryVersion_ListsTheTable) {
  for (std::int16_t version = 0; version <= 5; ++version) {
    const auto answer = ask(good(), version);
    EXPECT_EQ(answer.error_code, ErrorCode::none);
    ASSERT_EQ(answer.api_keys.size(), api::api_table().size());
    for (const auto& listed : answer.api_keys) {
      const api::ApiRow* row = api::find_api(listed.api_key);
      ASSERT_NE(row, nullptr);
      EXPECT_EQ(listed.min_version, listed.api_key == 0 ? 0 : row->min_version);
      EXPECT_EQ(listed.max_version, row->max_version);
    }
    EXPECT_EQ(answer.finalized_features_epoch, version >= 3 ? 0 : -1);
  }
  EXPECT_EQ(plane.api.session().software_name, "apache-kafka-java");
  EXPECT_EQ(plane.api.session().software_version, "4.4.0");
}

TEST_F(ApiVersions, Features_HaveNoMinimumOfZeroInVersionThree) {
  for (const auto& feature : ask(good(), 3).supported_features) EXPECT_GT(feature.min_version, 0);
}

TEST_F(ApiVersions, AboveOurs_IsAnsweredInVersionZeroWithoutLookingAtTheBody) {
  const auto reply = plane.api.invoke(18, 6, SharedBuffer::copy_of(as_bytes("anything at all")));
  EXPECT_TRUE(reply.send);
  EXPECT_FALSE(reply.close);
  const auto answer =
      protocol::decode_response<protocol::ApiVersionsResponse>(test::ApiHarness::joined(reply), 0);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.error_code, ErrorCode::unsupported_version);
  ASSERT_EQ(answer->response.api_keys.size(), 1U);
  EXPECT_EQ(answer->response.api_keys[0].api_key, 18);
  EXPECT_EQ(answer->response.api_keys[0].min_version, 0);
  EXPECT_EQ(answer->response.api_keys[0].max_version, 5);
}

TEST_F(ApiVersions, SoftwareNames_FollowTheirRule) {
  for (const char* bad : {"", "-a", "a-", ".a", "a b", "a_b", "ä"}) {
    auto request = good();
    request.client_software_name = bad;
    EXPECT_EQ(ask(request).error_code, ErrorCode::invalid_request) << bad;
    request = good();
    request.client_software_version = bad;
    EXPECT_EQ(ask(request, 3).error_code, ErrorCode::invalid_request) << bad;
    EXPECT_EQ(ask(request, 2).error_code, ErrorCode::none);
  }
  auto request = good();
  request.client_software_name = "a";
  EXPECT_EQ(ask(request).error_code, ErrorCode::none);
}

TEST_F(ApiVersions, AnotherClusterOrNode_HasToBootstrapAgain) {
  auto request = good();
  request.cluster_id = "test-cluster";
  request.node_id = 1;
  EXPECT_EQ(ask(request).error_code, ErrorCode::none);
  request.node_id = 2;
  EXPECT_EQ(ask(request).error_code, ErrorCode::rebootstrap_required);
  request.node_id = 1;
  request.cluster_id = "elsewhere";
  EXPECT_EQ(ask(request).error_code, ErrorCode::rebootstrap_required);
  request.node_id = -1;  // only both together mean anything
  EXPECT_EQ(ask(request).error_code, ErrorCode::none);
}

}  // namespace
}  // namespace tidegate
