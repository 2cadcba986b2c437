#include "legacy_offsets.h"

#include <gtest/gtest.h>

#include "tidegate/base/rng.h"

namespace tidegate::app {
namespace {

TEST(LegacyKey, SplitsAtTheLastColon) {
  const auto plain = parse_legacy_key("orders:7");
  ASSERT_TRUE(plain);
  EXPECT_EQ(*plain, (TopicPartition{"orders", 7}));
  const auto colons = parse_legacy_key("a:b:0");
  ASSERT_TRUE(colons);
  EXPECT_EQ(*colons, (TopicPartition{"a:b", 0}));
  const auto odd = parse_legacy_key(":x::2147483647");
  ASSERT_TRUE(odd);
  EXPECT_EQ(*odd, (TopicPartition{":x:", 2147483647}));
}

TEST(LegacyKey, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> bad[] = {
      {"orders", "no colon"},        {"", "no colon"},
      {":3", "empty topic"},         {"orders:", "no partition"},
      {"orders:-1", "negative"},     {"orders:one", "not a number"},
      {"orders:1x", "not a number"}, {"orders:+1", "not a number"},
      {"orders: 1", "not a number"}, {"orders:2147483648", "not a number"},
  };
  for (const auto& [key, why] : bad) {
    const auto parsed = parse_legacy_key(key);
    ASSERT_FALSE(parsed) << key;
    EXPECT_EQ(parsed.error().code, ErrorCode::invalid_request);
    EXPECT_NE(parsed.error().message.find(why), std::string::npos) << parsed.error().message;
  }
}

TEST(LegacyKey, RoundTrips) {
  SeededRng rng(7);
  for (int i = 0; i < 1000; ++i) {
    TopicPartition key;
    for (auto left = 1 + rng.below(20); left > 0; --left) key.topic.push_back(":ab.-_9"[rng.below(7)]);
    key.partition = static_cast<std::int32_t>(rng.below(INT32_MAX));
    const auto back = parse_legacy_key(format_legacy_key(key));
    ASSERT_TRUE(back) << format_legacy_key(key);
    EXPECT_EQ(*back, key);
  }
}

TEST(OffsetText, IsDigitsAlone) {
  EXPECT_EQ(parse_offset("0").value_or(-1), 0);
  EXPECT_EQ(parse_offset("9223372036854775807").value_or(-1), INT64_MAX);
  for (const char* bad : {"", "-0", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "9223372036854775808",
                          "\"1\"", "1,\"metadata\":\"m\""}) {
    EXPECT_FALSE(parse_offset(bad)) << bad;
  }
}

TEST(PositionFile, RoundTrips) {
  const LegacyOffset cases[] = {
      {0, "", -1}, {42, "it's \"me\"\n", 1'700'000'000'123}, {INT64_MAX, "\xc3\xa9", 0}};
  for (const auto& offset : cases) {
    const auto back = parse_position_file(format_position_file(offset));
    ASSERT_TRUE(back) << format_position_file(offset);
    EXPECT_EQ(*back, offset);
  }
}

TEST(PositionFile, TakesWhatTheGatewayOfSeaweedWrites) {
  const auto parsed =
      parse_position_file(R"({"type":"offset","value":17,"committed_at":1764000000000,"metadata":"m"})");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, (LegacyOffset{17, "m", 1'764'000'000'000}));
  EXPECT_TRUE(parse_position_file(R"({"type":"offset","value":17})"));
}

TEST(PositionFile, RefusesOthers) {
  for (const char* bad :
       {"", "17", "[]", "{", R"({"value":17})", R"({"type":"timestamp","value":17})", R"({"type":"offset"})",
        R"({"type":"offset","value":"17"})", R"({"type":"offset","value":1.5})",
        R"({"type":"offset","value":-1})", R"({"type":"offset","value":18446744073709551615})",
        R"({"type":"offset","value":1,"metadata":3})",
        R"({"type":"offset","value":1,"committed_at":"now"})"}) {
    const auto parsed = parse_position_file(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, ErrorCode::invalid_request);
  }
}

TEST(OffsetFile, IsEightBytesBigEndian) {
  const auto parsed = parse_offset_file(as_bytes(std::string_view("\0\0\0\0\0\0\1\2", 8)));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->offset, 258);
  for (const std::int64_t offset : {std::int64_t{0}, std::int64_t{1} << 40, INT64_MAX}) {
    const auto back = parse_offset_file(as_bytes(format_offset_file(offset)));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->offset, offset);
  }
  EXPECT_FALSE(parse_offset_file(as_bytes("1234567")));
  EXPECT_FALSE(parse_offset_file(as_bytes("123456789")));
  EXPECT_FALSE(parse_offset_file(as_bytes("")));
  EXPECT_FALSE(parse_offset_file(as_bytes("\xff\xff\xff\xff\xff\xff\xff\xff")));
}

TEST(PartitionDir, IsTheNumberTwice) {
  EXPECT_EQ(parse_partition_dir("0003-0003").value_or(-1), 3);
  EXPECT_EQ(parse_partition_dir("12345-12345").value_or(-1), 12345);
  for (const char* bad : {"0000-0315", "3-3", "0003", "0003-", "-0003", "abcd-abcd", ""}) {
    EXPECT_FALSE(parse_partition_dir(bad)) << bad;
  }
}

}  // namespace
}  // namespace tidegate::app
