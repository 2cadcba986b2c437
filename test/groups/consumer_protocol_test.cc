#include "tidegate/groups/consumer_protocol.h"

#include <gtest/gtest.h>

#include <string_view>

namespace tidegate::groups {
namespace {

using Bytes = std::vector<std::uint8_t>;

ConsumerProtocolSubscription full() {
  return {.topics = {"a", "topic:b"},
          .user_data = Bytes{1, 2},
          .owned_partitions = {{"a", {0, 7}}},
          .generation_id = 5,
          .rack_id = "r1"};
}

Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }
using namespace std::string_view_literals;

TEST(ConsumerProtocol, Subscription_HasTheFieldsOfItsVersion) {
  const auto head =
      "\0\0\0\x02\0\x01"
      "a\0\x07"
      "topic:b\0\0\0\x02\x01\x02"sv;
  const auto owned =
      "\0\0\0\x01\0\x01"
      "a\0\0\0\x02\0\0\0\0\0\0\0\x07"sv;
  const auto v = [](char version) { return std::string{'\0', version}; };
  EXPECT_EQ(encode_subscription(full(), 0), bytes_of(v(0).append(head)));
  EXPECT_EQ(encode_subscription(full(), 1), bytes_of(v(1).append(head).append(owned)));
  EXPECT_EQ(encode_subscription(full(), 2), bytes_of(v(2).append(head).append(owned).append("\0\0\0\x05"sv)));
  EXPECT_EQ(encode_subscription(full(), 3),
            bytes_of(v(3).append(head).append(owned).append("\0\0\0\x05\0\x02r1"sv)));
}

TEST(ConsumerProtocol, Subscription_ComesBackAsWritten) {
  EXPECT_EQ(decode_subscription(encode_subscription(full(), 3)), full());
  auto older = full();
  older.rack_id.reset();
  EXPECT_EQ(decode_subscription(encode_subscription(full(), 2)), older);
  older.generation_id = -1;
  EXPECT_EQ(decode_subscription(encode_subscription(full(), 1)), older);
  older.owned_partitions.clear();
  EXPECT_EQ(decode_subscription(encode_subscription(full(), 0)), older);
  const ConsumerProtocolSubscription nothing;
  EXPECT_EQ(decode_subscription(encode_subscription(nothing, 3)), nothing);
}

TEST(ConsumerProtocol, Assignment_ComesBackAsWritten) {
  const ConsumerProtocolAssignment assignment{.assigned_partitions = {{"t", {3, 1}}, {"u", {}}},
                                              .user_data = Bytes{9}};
  for (std::int16_t version = 0; version <= 3; ++version) {
    const auto bytes = encode_assignment(assignment, version);
    EXPECT_EQ(consumer_protocol_version(bytes), version);
    EXPECT_EQ(decode_assignment(bytes), assignment);
  }
  EXPECT_EQ(decode_assignment({}), ConsumerProtocolAssignment{});
}

TEST(ConsumerProtocol, VersionsToCome_AreReadAsTheHighestKnown) {
  auto bytes = encode_subscription(full(), 3);
  bytes[0] = 0x12;
  bytes.insert(bytes.end(), {4, 5, 6});
  EXPECT_EQ(decode_subscription(bytes), full());
  EXPECT_EQ(consumer_protocol_version(bytes), 0x1203);
}

TEST(ConsumerProtocol, EveryTruncation_FailsCleanly) {
  const auto subscription = encode_subscription(full(), 3);
  for (std::size_t size = 0; size < subscription.size(); ++size) {
    EXPECT_FALSE(decode_subscription(ByteView(subscription).first(size))) << size;
  }
  const auto assignment = encode_assignment({{{"t", {1, 2}}}, Bytes{1}}, 1);
  for (std::size_t size = 1; size < assignment.size(); ++size) {
    EXPECT_FALSE(decode_assignment(ByteView(assignment).first(size))) << size;
  }
  EXPECT_FALSE(consumer_protocol_version(ByteView(subscription).first(1)));
}

TEST(ConsumerProtocol, Nonsense_IsRefused) {
  EXPECT_FALSE(decode_subscription(bytes_of("\xff\xff\0\0\0\0\xff\xff\xff\xff"sv))) << "version -1";
  EXPECT_FALSE(consumer_protocol_version(bytes_of("\x80\0"sv)));
  EXPECT_FALSE(decode_subscription(bytes_of("\0\0\xff\xff\xff\xff\xff\xff\xff\xff"sv))) << "null topics";
  EXPECT_FALSE(decode_subscription(bytes_of("\0\0\0\0\0\x01\xff\xff\xff\xff\xff\xff"sv))) << "null name";
  EXPECT_FALSE(decode_subscription(bytes_of("\0\0\x7f\xff\xff\xff\0\0"sv))) << "more topics than bytes";
}

}  // namespace
}  // namespace tidegate::groups
