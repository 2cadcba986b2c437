// FindCoordinator: where a group is, and what there is no coordinator for.
#include <gtest/gtest.h>

#include "support/api_harness.h"
#include "tidegate/protocol/messages/find_coordinator.h"

namespace tidegate {
namespace {

using protocol::FindCoordinatorRequest;
using protocol::FindCoordinatorResponse;

class FindCoordinator : public ::testing::Test {
 protected:
  FindCoordinatorResponse::Coordinator find(std::int8_t type, std::int16_t version, std::string key = "g") {
    FindCoordinatorRequest request;
    request.key_type = type;
    if (version >= 4) {
      request.coordinator_keys = {key};
    } else {
      request.key = key;
    }
    auto response = api.call<FindCoordinatorResponse>(request, version);
    if (version >= 4) {
      EXPECT_EQ(response.coordinators.at(0).key, key);
      return response.coordinators.at(0);
    }
    return {.key = key,
            .node_id = response.node_id,
            .host = response.host,
            .port = response.port,
            .error_code = response.error_code};
  }

  test::ApiHarness api{{.node = 7}};
};

TEST_F(FindCoordinator, OfAGroup_IsThisNodeOnTheClientsListener) {
  for (std::int16_t version = 0; version <= 6; ++version) {
    const auto found = find(0, version);
    EXPECT_EQ(found.error_code, ErrorCode::none) << version;
    EXPECT_EQ(found.node_id, 7);
    EXPECT_EQ(found.host, "broker.example");
    EXPECT_EQ(found.port, 19092);
  }
}

TEST_F(FindCoordinator, ManyKeys_AreAnsweredInOrder) {
  FindCoordinatorRequest request;
  request.coordinator_keys = {"b", "a", "b"};
  const auto response = api.call<FindCoordinatorResponse>(request);
  ASSERT_EQ(response.coordinators.size(), 3U);
  EXPECT_EQ(response.coordinators[0].key, "b");
  EXPECT_EQ(response.coordinators[1].key, "a");
  EXPECT_EQ(response.coordinators[2].key, "b");
}

TEST_F(FindCoordinator, OfATransaction_IsRefused) {
  for (std::int16_t version = 1; version <= 6; ++version) {
    const auto found = find(1, version);
    EXPECT_EQ(found.error_code, ErrorCode::transactional_id_authorization_failed) << version;
    EXPECT_EQ(found.node_id, -1);
    EXPECT_EQ(found.host, "");
    EXPECT_EQ(found.port, -1);
  }
}

TEST_F(FindCoordinator, OfAnythingElse_IsAnInvalidRequest) {
  EXPECT_EQ(find(2, 6).error_code, ErrorCode::invalid_request);
  EXPECT_EQ(find(3, 6).error_code, ErrorCode::invalid_request);
  EXPECT_EQ(find(-1, 3).error_code, ErrorCode::invalid_request);
}

}  // namespace
}  // namespace tidegate
