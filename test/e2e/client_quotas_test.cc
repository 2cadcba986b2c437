// Client quotas over sockets: every answer that has the field says how long to be quiet, and the connection
// is not read for that time.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>

#include "every_api.h"
#include "support/daemon.h"
#include "support/wire_client.h"

namespace tidegate {
namespace {

using namespace protocol;  // NOLINT: a test over all of them
using std::chrono::steady_clock;

// Of the default user.
bool set_quota(test::DaemonProcess& daemon, std::string key, double value, bool remove = false) {
  AlterClientQuotasRequest request;
  auto& entry = request.entries.emplace_back();
  entry.entity.push_back({"user", std::nullopt});
  entry.ops.push_back({std::move(key), value, remove});
  test::WireClient client(daemon.kafka_port());
  const auto answer = client.call<AlterClientQuotasResponse>(request, 1);
  return answer && answer->entries.size() == 1 && answer->entries[0].error_code == ErrorCode::none;
}

TEST(ClientQuotas, EveryAnswerThatHasTheField_SaysHowLongToBeQuiet) {
  test::DaemonProcess daemon;
  ASSERT_TRUE(daemon.ready());
  // A billionth of a thread: any request is over it.
  ASSERT_TRUE(set_quota(daemon, "request_percentage", 1e-7));
  int told = 0;
  test::for_each_api([&]<class Request, class Response>(Request request) {
    SCOPED_TRACE(Request::kApiKey);
    test::WireClient client(daemon.kafka_port());
    const auto answer = client.call<Response>(request, Request::versions.max);
    ASSERT_TRUE(answer);
    if constexpr (requires { answer->throttle_time_ms; }) {
      EXPECT_GT(answer->throttle_time_ms, 0);
      EXPECT_LE(answer->throttle_time_ms, 1000);
      ++told;
    }
  });
  EXPECT_GT(told, 30);
}

TEST(ClientQuotas, ConnectionIsNotReadForTheTimeAndOthersAre) {
  test::DaemonProcess daemon;
  ASSERT_TRUE(daemon.ready());
  test::WireClient client(daemon.kafka_port());
  ASSERT_TRUE(client.call<MetadataResponse>(MetadataRequest{}, 12));
  ASSERT_TRUE(set_quota(daemon, "request_percentage", 1e-7));
  const auto first = client.call<MetadataResponse>(MetadataRequest{}, 12);
  const auto told_at = steady_clock::now();
  ASSERT_TRUE(first);
  ASSERT_GT(first->throttle_time_ms, 0);
  // Meanwhile somebody else takes the quota away: this one still waits out what it was told.
  ASSERT_TRUE(set_quota(daemon, "request_percentage", 0, true));
  const auto second = client.call<MetadataResponse>(MetadataRequest{}, 12);
  const auto waited = steady_clock::now() - told_at;
  ASSERT_TRUE(second);
  EXPECT_EQ(second->throttle_time_ms, 0);
  // The server's clock started a little before ours.
  EXPECT_GE(waited, std::chrono::milliseconds(first->throttle_time_ms) - std::chrono::milliseconds(100));
}

TEST(ClientQuotas, WithoutQuotas_NoAnswerHasATime) {
  test::DaemonProcess daemon;
  ASSERT_TRUE(daemon.ready());
  test::for_each_api([&]<class Request, class Response>(Request request) {
    SCOPED_TRACE(Request::kApiKey);
    test::WireClient client(daemon.kafka_port());
    const auto answer = client.call<Response>(request, Request::versions.max);
    ASSERT_TRUE(answer);
    if constexpr (requires { answer->throttle_time_ms; }) EXPECT_EQ(answer->throttle_time_ms, 0);
  });
}

}  // namespace
}  // namespace tidegate
