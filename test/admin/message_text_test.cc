#include "message_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tidegate/protocol/record_batch.h"

namespace tidegate::admin {
namespace {

using Json = nlohmann::json;

SharedBuffer batch(std::vector<protocol::NewRecord> records, Offset base,
                   protocol::Compression codec = protocol::Compression::none) {
  return protocol::build_batch(records, {.compression = codec, .base_offset = base}).value().bytes;
}

Json parsed(const MessagePage& page) { return Json::parse("[" + page.messages + "]"); }

TEST(MessageText, NullEmptyTextAndBinaryDiffer) {
  const std::vector<SharedBuffer> chunks{
      batch({{.key = std::nullopt, .value = ""}, {.key = "k\xff", .value = "<b>\xc3\xa4"}}, 7)};
  const auto page = read_messages(chunks, {.from = 7});
  const auto rows = parsed(page);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_TRUE(rows[0]["key"].is_null());
  EXPECT_EQ(rows[0]["value"]["text"], "");
  EXPECT_EQ(rows[1]["offset"], 8);
  EXPECT_EQ(rows[1]["key"]["hex"], "6bff");
  EXPECT_EQ(rows[1]["value"]["text"], "<b>\xc3\xa4");
  EXPECT_EQ(page.next, 9);
}

TEST(MessageText, SchemaIdIsTold_AndJsonBehindItIsText) {
  const std::string framed("\0\0\0\1\2{\"a\":1}", 12);
  const auto rows = parsed(read_messages(std::vector{batch({{.value = framed}}, 0)}, {}));
  EXPECT_EQ(rows[0]["value"]["schema_id"], 258);
  EXPECT_EQ(rows[0]["value"]["text"], "{\"a\":1}");
}

TEST(MessageText, BatchesMayBeCutAnywhere) {
  const SharedBuffer whole = batch({{.value = std::string(1000, 'x')}}, 3, protocol::Compression::gzip);
  const std::vector<SharedBuffer> chunks{whole.slice(0, 70), whole.slice(70, whole.size() - 70)};
  const auto page = read_messages(chunks, {.from = 3});
  EXPECT_EQ(parsed(page).size(), 1U);
  EXPECT_EQ(page.problem, "");
}

TEST(MessageText, LongValuesAreCutBetweenCharacters) {
  std::string value;
  while (value.size() < 2 * kShownBytes) value += "\xe2\x82\xac";
  const auto rows = parsed(read_messages(std::vector{batch({{.value = value}}, 0)}, {}));
  EXPECT_EQ(rows[0]["value"]["cut"], true);
  EXPECT_EQ(rows[0]["value"]["size"], value.size());
  EXPECT_LE(rows[0]["value"]["text"].get<std::string>().size(), kShownBytes);
}

TEST(MessageText, FilterAndLimitLeaveAPlaceToGoOnFrom) {
  std::vector<protocol::NewRecord> records;
  for (int i = 0; i < 10; ++i) records.push_back({.value = i % 2 != 0 ? "odd" : "even"});
  const std::vector<SharedBuffer> chunks{batch(std::move(records), 0)};
  const auto page = read_messages(chunks, {.records = 2, .filter = "odd"});
  const auto rows = parsed(page);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1]["offset"], 3);
  EXPECT_EQ(page.next, 4);
  EXPECT_EQ(parsed(read_messages(chunks, {.from = page.next, .filter = "odd"})).size(), 3U);
}

TEST(MessageText, DamageAndBombsEndThePageWithAWord) {
  const auto bomb = batch({{.value = std::string(kInflatedBytes + 1, 'x')}}, 5, protocol::Compression::gzip);
  const auto page = read_messages(std::vector{bomb}, {.from = 5});
  EXPECT_NE(page.problem, "");
  EXPECT_EQ(page.next, 6);
  const std::vector<std::uint8_t> junk(200, 0xEE);
  EXPECT_NE(read_messages(std::vector{SharedBuffer::copy_of(junk)}, {}).problem, "");
}

}  // namespace
}  // namespace tidegate::admin
