// What ApiVersions says and what the daemon accepts are the same, for every key and for every version
// from -1 to one above the highest: an advertised version is answered with bytes that decode, any other
// ends the connection. The two exceptions are pinned here.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "every_api.h"
#include "support/daemon.h"
#include "support/wire_client.h"

namespace tidegate {
namespace {

using namespace protocol;  // NOLINT: a test over all of them

struct Range {
  std::int16_t min = 0;
  std::int16_t max = -1;
};
using Advertised = std::map<std::int16_t, Range>;

test::DaemonProcess& daemon() {
  static test::DaemonProcess process;
  return process;
}

Advertised advertised() {
  test::WireClient client(daemon().kafka_port());
  Advertised out;
  const auto answer = client.call<ApiVersionsResponse>(ApiVersionsRequest{}, 0);
  if (!answer) return out;
  for (const auto& api : answer->api_keys) out[api.api_key] = {api.min_version, api.max_version};
  return out;
}

// Key and version with nothing decodable behind them.
bool ends_connection(std::int16_t key, std::int16_t version) {
  test::WireClient client(daemon().kafka_port());
  std::string frame;
  const auto put16 = [&](std::int16_t v) {
    frame.push_back(static_cast<char>(v >> 8));
    frame.push_back(static_cast<char>(v));
  };
  put16(key);
  put16(version);
  frame.append(4, '\0');
  put16(-1);
  frame.append(64, '\0');
  return client.send_frame(frame) && client.closed_by_peer();
}

std::set<std::int16_t>& swept() {
  static std::set<std::int16_t> keys;
  return keys;
}

template <class Request, class Response>
void sweep(const Advertised& table, Request request = {}) {
  swept().insert(Request::kApiKey);
  const auto row = table.find(Request::kApiKey);
  for (std::int16_t version = -1; version <= Request::versions.max + 1; ++version) {
    SCOPED_TRACE("key " + std::to_string(Request::kApiKey) + " version " + std::to_string(version));
    const bool listed = row != table.end() && version >= row->second.min && version <= row->second.max;
    if (Request::kApiKey == ApiVersionsRequest::kApiKey && !listed) continue;  // its own test below
    if (Request::kApiKey == ProduceRequest::kApiKey && version >= 0 && version < 3) continue;
    if (!listed) {
      EXPECT_TRUE(ends_connection(Request::kApiKey, version));
      continue;
    }
    ASSERT_TRUE(version >= Request::versions.min && version <= Request::versions.max);
    test::WireClient client(daemon().kafka_port());
    EXPECT_TRUE(client.call<Response>(request, version));
    EXPECT_TRUE(client.call<Response>(request, version)) << "the connection goes on";
  }
}

TEST(VersionSweep, EveryKeyThatIsNotListed_EndsTheConnection) {
  ASSERT_TRUE(daemon().ready());
  const auto table = advertised();
  ASSERT_FALSE(table.empty());
  for (std::int16_t key = -1; key <= 100; ++key) {
    if (!table.contains(key)) EXPECT_TRUE(ends_connection(key, 0)) << key;
  }
}

TEST(VersionSweep, WhatIsListed_IsAnsweredAndNothingElse) {
  ASSERT_TRUE(daemon().ready());
  const auto table = advertised();
  ASSERT_FALSE(table.empty());
  test::for_each_api([&]<class Request, class Response>(Request request) {
    sweep<Request, Response>(table, std::move(request));
  });
  for (const auto& [key, range] : table)
    EXPECT_TRUE(swept().contains(key)) << "key " << key << " is not in this test";
}

TEST(VersionSweep, Produce0To2_IsListedAndEndsTheConnection) {
  ASSERT_TRUE(daemon().ready());
  EXPECT_EQ(advertised()[ProduceRequest::kApiKey].min, 0);
  for (std::int16_t version = 0; version < 3; ++version)
    EXPECT_TRUE(ends_connection(ProduceRequest::kApiKey, version));
}

TEST(VersionSweep, ApiVersionsAboveTheHighest_IsAnsweredWith35InTheVersion0Body) {
  ASSERT_TRUE(daemon().ready());
  test::WireClient client(daemon().kafka_port());
  // Key 18, version 6, correlation 7, and a body of a version that does not exist yet.
  ASSERT_TRUE(client.send_frame(std::string("\0\x12\0\x06\0\0\0\x07\xff\xff", 10) + std::string(30, '\x05')));
  const auto frame = client.receive_frame();
  ASSERT_TRUE(frame);
  auto decoded = decode_response<ApiVersionsResponse>(*frame, 0);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->correlation_id, 7);
  EXPECT_EQ(decoded->response.error_code, ErrorCode::unsupported_version);
  bool found = false;
  for (const auto& api : decoded->response.api_keys) {
    if (api.api_key == 18)
      found = api.min_version == 0 && api.max_version == ApiVersionsRequest::versions.max;
  }
  EXPECT_TRUE(found);
  EXPECT_TRUE(client.call<ApiVersionsResponse>(ApiVersionsRequest{}, 0)) << "the connection stays";
}

}  // namespace
}  // namespace tidegate
