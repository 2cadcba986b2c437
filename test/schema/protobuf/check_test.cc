// The check of encoded Protobuf messages: golden bytes, every way to be bad, every limit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protobuf/protobuf_check.h"
#include "protobuf_cases.h"

namespace tidegate::schema::protobuf {
namespace {

using ::testing::HasSubstr;

// Of the schema's first message, without a path.
std::string verdict(const Schema& schema, std::string_view message, const CheckLimits& limits = {}) {
  const auto block = exact(message);
  return check_message(schema, schema.find(std::vector<std::uint32_t>{0}).first, block, limits);
}
std::string verdict(std::string_view schema, std::string_view message) {
  return verdict(compiled(schema), message);
}

constexpr std::string_view kOrder = R"(syntax = "proto3"; package shop;
  message Order {
    int64 id = 1; string note = 2; repeated int32 sizes = 3; map<string, Item> items = 4; Order before = 5;
    oneof way { fixed32 post = 6; double air = 7; } State state = 8; sint64 delta = 9; bytes raw = 10;
    message Item { string name = 1; repeated Item parts = 2; }
    enum State { NEW = 0; PAID = 1; } }
  message Other { bool flag = 1; message Inner { string s = 1; } })";
// id 7, note "hü", sizes [1, 300], items {"a": {name "b", parts [{}, {name "c"}]}}, before {id 8}, air 1.5,
// state PAID, delta -2, raw 0xff: what Python's protobuf writes.
const std::string kGolden = bytes(
    {0x08, 0x07, 0x12, 0x03, 'h', 0xc3, 0xbc, 0x1a, 0x03, 0x01, 0xac, 0x02, 0x22, 0x0f, 0x0a, 0x01, 'a',
     0x12, 0x0a, 0x0a, 0x01, 'b', 0x12, 0x00, 0x12, 0x03, 0x0a, 0x01, 'c',  0x2a, 0x02, 0x08, 0x08, 0x39,
     0,    0,    0,    0,    0,   0,    0xf8, 0x3f, 0x40, 0x01, 0x48, 0x03, 0x52, 0x01, 0xff});

TEST(ProtobufCheck, EveryKindOfField_IsRead) {
  const Schema schema = compiled(kOrder);
  EXPECT_EQ(verdict(schema, kGolden), "");
  EXPECT_EQ(verdict(schema, ""), "") << "all fields are absent";
  EXPECT_EQ(verdict(schema, kGolden + kGolden), "") << "messages that are put together";
}

TEST(ProtobufCheck, CutsWithinAField_AreRefused) {
  const Schema schema = compiled(kOrder);
  const std::vector<std::size_t> between = {0, 2, 7, 12, 29, 33, 42, 44, 46, 49};
  for (std::size_t size = 0; size < kGolden.size(); ++size) {
    const bool is_between = std::ranges::find(between, size) != between.end();
    EXPECT_EQ(verdict(schema, std::string_view(kGolden).substr(0, size)).empty(), is_between) << size;
  }
}

TEST(ProtobufCheck, ThePathNamesTheMessage) {
  const Schema schema = compiled(kOrder);
  const auto of = [&](const std::string& framed) { return check(schema, exact(framed)); };
  EXPECT_EQ(of(bytes({0}) + kGolden), "");
  EXPECT_EQ(of(bytes({2, 0}) + kGolden), "");
  EXPECT_EQ(of(bytes({2, 2, 8, 1})), "") << "Other";
  EXPECT_EQ(of(bytes({4, 2, 0, 10, 1, 'x'})), "") << "Other.Inner";
  EXPECT_EQ(of(bytes({4, 2, 0, 10, 1, 0xff})), "as shop.Other.Inner: a string is no UTF-8 (at s)");
  EXPECT_EQ(of(bytes({4, 2, 2})), "its message path names no message of the schema: 1, 1");
  EXPECT_THAT(of(bytes({8, 0, 0, 0, 0})), HasSubstr("has 4 steps, and the schema nests messages 2 deep"));
  EXPECT_EQ(of(""), "the record ends before its message path");
  EXPECT_EQ(of(bytes({0})), "") << "a message of no bytes";
  // Order's map has a message of its own, which not every serializer counts: Item is 0 or 1.
  for (const int item : {0, 2}) EXPECT_EQ(of(bytes({4, 0, item, 10, 1, 'x'})), "") << item;
  const Schema maps = compiled(R"(syntax = "proto3"; message A { map<int32, int32> m = 1;
    message B { string s = 1; } message C { bytes s = 1; } })");
  const std::string text = bytes({10, 1, 0xff});
  EXPECT_EQ(check(maps, exact(bytes({4, 0, 2}) + text)), "") << "B or C";
  EXPECT_EQ(check(maps, exact(bytes({4, 0, 0}) + text)), "as A.B: a string is no UTF-8 (at s)");
  EXPECT_EQ(check(maps, exact(bytes({4, 0, 4}) + text)), "") << "C";
}

TEST(ProtobufCheck, ReasonsNameTheField) {
  const Schema schema = compiled(kOrder);
  EXPECT_EQ(verdict(schema, bytes({0x12, 1, 0xff})), "a string is no UTF-8 (at note)");
  EXPECT_EQ(verdict(schema, bytes({0x22, 0, 0x22, 3, 0x0a, 1, 0xc3})),
            "a string is no UTF-8 (at items[1].key)");
  EXPECT_EQ(verdict(schema, bytes({0x22, 9, 0x12, 7, 0x12, 0, 0x12, 3, 0x0a, 1, 0xff})),
            "a string is no UTF-8 (at items[0].value.parts[1].name)");
  EXPECT_EQ(verdict(schema, bytes({0x2a, 5, 0x08})), "5 bytes are announced and 1 are left (at before)");
  EXPECT_EQ(verdict(schema, bytes({0x2a, 1, 0x08})),
            "a number is cut off or longer than ten bytes (at before.id)");
  EXPECT_EQ(verdict(schema, bytes({0x08})), "a number is cut off or longer than ten bytes (at id)");
  std::string deep = bytes({0x12, 1, 0xff});
  for (int i = 0; i < 90; ++i)
    deep =
        bytes({0x2a, static_cast<int>(deep.size() & 0x7f) | 0x80, static_cast<int>(deep.size() >> 7)}) + deep;
  EXPECT_THAT(verdict(schema, deep), HasSubstr("before.before.note)"));
  EXPECT_LT(verdict(schema, deep).size(), 350U);
}

TEST(ProtobufCheck, UnknownFieldsAndOtherWireTypes_AreFine_AsLongAsTheyAreWhole) {
  const std::string_view schema = R"(syntax = "proto3"; message M { int32 a = 1; string s = 2; })";
  EXPECT_EQ(verdict(schema, bytes({0x50, 1, 0x55, 1, 2, 3, 4, 0x51, 1, 2, 3, 4, 5, 6, 7, 8, 0x52, 1, 0xff})),
            "");
  EXPECT_EQ(verdict(schema, bytes({0x53, 0x08, 1, 0x5b, 0x5c, 0x54})), "") << "groups";
  EXPECT_EQ(verdict(schema, bytes({0x0a, 1, 0xff})), "") << "a as bytes: libprotobuf keeps it as unknown";
  EXPECT_EQ(verdict(schema, bytes({0x0a, 3, 1, 2, 3})), "") << "a packed, which is not repeated";
  EXPECT_EQ(verdict(schema, bytes({0x10, 1})), "") << "s as a number";
  EXPECT_EQ(verdict(schema, bytes({0x13, 0x14})), "") << "s as a group";
  EXPECT_EQ(verdict(schema, bytes({0x0a, 3, 1})), "3 bytes are announced and 1 are left (at a)");
  EXPECT_THAT(verdict(schema, bytes({0x55, 1, 2, 3})), HasSubstr("4 bytes are needed and 3 are left"));
  EXPECT_THAT(verdict(schema, bytes({0x51, 1, 2, 3})), HasSubstr("8 bytes are needed"));
  EXPECT_THAT(verdict(schema, bytes({0x53, 0x08, 1})), HasSubstr("group 10 does not end"));
  EXPECT_THAT(verdict(schema, bytes({0x53, 0x5c})), HasSubstr("group 11 ends and has not begun"));
  EXPECT_THAT(verdict(schema, bytes({0x54})), HasSubstr("group 10 ends and has not begun"));
  EXPECT_NE(verdict(schema, bytes({0x04})), "") << "a group without a number";
  EXPECT_THAT(verdict(schema, bytes({0x56})), HasSubstr("wire type 6"));
  EXPECT_THAT(verdict(schema, bytes({0x0f})), HasSubstr("wire type 7"));
  EXPECT_THAT(verdict(schema, bytes({0})), HasSubstr("number 0")) << "a byte 0 behind the message";
  EXPECT_THAT(verdict(schema, bytes({0x02, 0})), HasSubstr("number 0"));
}

TEST(ProtobufCheck, NumbersMayBeLongerThanNeeded_ButNotEndless) {
  const std::string_view schema = R"(syntax = "proto3"; message M { int32 a = 1; string s = 2; })";
  EXPECT_EQ(verdict(schema, bytes({0x08}) + std::string(9, '\xff') + bytes({0x7f})), "");
  EXPECT_NE(verdict(schema, bytes({0x08}) + std::string(10, '\xff') + bytes({0x01})), "");
  EXPECT_EQ(verdict(schema, bytes({0x88, 0x80, 0x80, 0x80, 0x00, 1})), "");
  EXPECT_THAT(verdict(schema, bytes({0x88, 0x80, 0x80, 0x80, 0x80, 0x00, 1})),
              HasSubstr("longer than five bytes"));
  EXPECT_EQ(verdict(schema, bytes({0x12, 0x80, 0x80, 0x80, 0x80, 0x00})), "");
  EXPECT_THAT(verdict(schema, bytes({0x12, 0x80, 0x80, 0x80, 0x80, 0x08})), HasSubstr("a length is"));
  EXPECT_THAT(verdict(schema, bytes({0x12, 0xff, 0xff, 0xff, 0xff, 0x07})),
              HasSubstr("2147483647 bytes are announced"));
}

TEST(ProtobufCheck, PackedNumbers_AreWhole) {
  const std::string_view schema = R"(syntax = "proto3"; message M { repeated int32 v = 1 [packed = false];
    repeated float f = 2; repeated sfixed64 d = 3; repeated bool b = 4; })";
  EXPECT_EQ(verdict(schema, bytes({0x0a, 3, 1, 0x80, 1, 0x08, 1, 0x0a, 0})), "") << "packed and not";
  EXPECT_NE(verdict(schema, bytes({0x0a, 2, 1, 0x80, 1})), "") << "a number may not go beyond";
  EXPECT_EQ(verdict(schema, bytes({0x12, 4, 1, 2, 3, 4, 0x15, 1, 2, 3, 4})), "");
  EXPECT_THAT(verdict(schema, bytes({0x12, 5, 1, 2, 3, 4, 5})),
              HasSubstr("packed numbers of 4 bytes take 5"));
  EXPECT_THAT(verdict(schema, bytes({0x1a, 4, 1, 2, 3, 4})), HasSubstr("packed numbers of 8 bytes take 4"));
  EXPECT_EQ(verdict(schema, bytes({0x22, 2, 0, 77})), "") << "any number but 0 is true";
}

TEST(ProtobufCheck, Utf8_IsForStringsOfProto3Alone) {
  const std::vector<std::pair<std::string, bool>> texts = {
      {"\xc3\xbc", true},      {"\xf4\x8f\xbf\xbf", true},  {"\xc3", false}, {"\xc0\x80", false},
      {"\xed\xa0\x80", false}, {"\xf4\x90\x80\x80", false}, {"\x80", false}};
  for (const auto& [text, good] : texts) {
    const std::string message = bytes({0x0a, static_cast<int>(text.size())}) + text;
    EXPECT_EQ(verdict(R"(syntax = "proto3"; message M { string s = 1; })", message).empty(), good);
    EXPECT_EQ(verdict(R"(syntax = "proto3"; message M { bytes s = 1; })", message), "");
    EXPECT_EQ(verdict("message M { optional string s = 1; }", message), "");
  }
}

TEST(ProtobufCheck, Groups_AreMessages) {
  const std::string_view schema =
      R"(message M { repeated group G = 1 { required int32 a = 1; optional M m = 2; } })";
  EXPECT_EQ(verdict(schema, bytes({0x0b, 0x08, 1, 0x0c, 0x0b, 0x08, 1, 0x0c})), "");
  EXPECT_EQ(verdict(schema, bytes({0x0b, 0x12, 4, 0x0b, 0x08, 1, 0x0c, 0x08, 1, 0x0c})), "");
  EXPECT_EQ(verdict(schema, bytes({0x0b, 0x08, 1, 0x0c, 0x0b, 0x0c})), "the required field g.a is missing");
  EXPECT_THAT(verdict(schema, bytes({0x0b, 0x08, 1})), HasSubstr("group 1 does not end (at g[0])"));
  EXPECT_THAT(verdict(schema, bytes({0x0b, 0x08, 1, 0x14})),
              HasSubstr("group 2 ends and has not begun (at g[0])"));
  EXPECT_THAT(verdict(schema, bytes({0x0b, 0x12, 1, 0x0c})), HasSubstr("group 1 ends and has not begun"))
      << "within a message of the group";
}

TEST(ProtobufCheck, RequiredFields_AreThereWhenAllPiecesArePutTogether) {
  const std::string_view schema = R"(message M { optional A one = 1; repeated A many = 2;
      oneof way { A x = 3; int32 y = 4; E z = 8; } map<int32, A> map = 5; optional W w = 6; required E e = 7; }
    message A { required int32 p = 1; required int32 q = 2; } message W { optional A a = 1; }
    enum E { E0 = 0; E1 = 1; })";
  const std::string e = bytes({0x38, 1});
  const auto part = [](int field, std::initializer_list<int> content) {
    return bytes({field << 3 | 2, static_cast<int>(content.size())}) + bytes(content);
  };
  EXPECT_EQ(verdict(schema, e), "");
  EXPECT_EQ(verdict(schema, ""), "the required field e is missing");
  EXPECT_EQ(verdict(schema, bytes({0x38, 9})), "the required field e is missing") << "9 is no E";
  EXPECT_EQ(verdict(schema, bytes({0x3a, 1, 1})), "the required field e is missing")
      << "of another wire type";
  EXPECT_EQ(verdict(schema, e + part(1, {8, 1})), "the required field one.q is missing");
  EXPECT_EQ(verdict(schema, part(1, {8, 1}) + e + part(1, {16, 1})), "");
  EXPECT_EQ(verdict(schema, e + part(2, {8, 1}) + part(2, {16, 1})), "the required field many.q is missing");
  EXPECT_EQ(verdict(schema, e + part(2, {8, 1, 16, 1})), "");
  EXPECT_EQ(verdict(schema, e + part(6, {10, 2, 8, 1}) + part(6, {10, 2, 16, 1})), "");
  EXPECT_EQ(verdict(schema, e + part(6, {10, 2, 8, 1}) + part(6, {})), "the required field w.a.q is missing");
  EXPECT_EQ(verdict(schema, e + part(5, {8, 1, 18, 2, 8, 1})), "the required field map.value.q is missing");
  EXPECT_EQ(verdict(schema, e + part(5, {8, 1})), "") << "an entry without a value";
  // The last member of a oneof makes the others go.
  EXPECT_EQ(verdict(schema, e + part(3, {8, 1})), "the required field x.q is missing");
  EXPECT_EQ(verdict(schema, e + part(3, {8, 1}) + bytes({0x20, 1})), "");
  EXPECT_EQ(verdict(schema, e + part(3, {8, 1}) + bytes({0x20, 1}) + part(3, {16, 1})),
            "the required field x.p is missing");
  EXPECT_EQ(verdict(schema, e + part(3, {8, 1}) + part(3, {16, 1})), "");
  EXPECT_NE(verdict(schema, e + part(3, {8, 1}) + bytes({0x22, 1, 1})), "")
      << "y of another wire type is unknown";
  EXPECT_NE(verdict(schema, e + part(3, {8, 1}) + bytes({0x40, 9})), "") << "9 is no E";
  EXPECT_EQ(verdict(schema, e + part(3, {8, 1}) + bytes({0x40, 1})), "");
}

TEST(ProtobufCheck, Extensions_OfTheSchemasFilesAreKnown) {
  const Schema schema =
      compiled(R"(import "x.proto"; message M { extensions 10 to 20; } message A { required int32 p = 1; }
    extend M { optional A a = 10; })",
               {{"x.proto", R"(syntax = "proto3"; message X {})"}});
  EXPECT_EQ(verdict(schema, bytes({0x52, 2, 8, 1})), "");
  EXPECT_EQ(verdict(schema, bytes({0x52, 0})), "the required field [a].p is missing");
  EXPECT_EQ(verdict(schema, bytes({0x5a, 1, 0xff})), "") << "an unknown one";
}

std::string messages_in(std::size_t depth) {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i) {
    std::string length;
    for (std::size_t size = text.size();; size >>= 7) {
      length += static_cast<char>((size & 0x7f) | (size > 0x7f ? 0x80 : 0));
      if (size <= 0x7f) break;
    }
    text = "\x0a" + length + text;
  }
  return text;
}

TEST(ProtobufCheck, DepthOfRecords_IsLimited) {
  const Schema schema = compiled(R"(syntax = "proto3"; message M { M m = 1; })");
  EXPECT_EQ(verdict(schema, messages_in(64)), "");
  EXPECT_EQ(verdict(schema, messages_in(100)), "");
  EXPECT_THAT(verdict(schema, messages_in(101)), HasSubstr("the record is nested too deeply"));
  EXPECT_THAT(verdict(schema, messages_in(101), {.max_depth = 1000}), HasSubstr("nested too deeply"))
      << "libprotobuf would not read it";
  EXPECT_THAT(verdict(schema, messages_in(1000)), HasSubstr("nested too deeply"));
  EXPECT_THAT(verdict(schema, std::string(1'000'000, '\x53')), HasSubstr("nested too deeply")) << "groups";
  EXPECT_EQ(verdict(schema, messages_in(2), {.max_depth = 3}), "");
  EXPECT_THAT(verdict(schema, messages_in(3), {.max_depth = 3}), HasSubstr("nested too deeply"));
  EXPECT_EQ(verdict(schema, std::string(100, '\x53') + std::string(100, '\x54')), "");
  EXPECT_NE(verdict(schema, std::string(101, '\x53') + std::string(101, '\x54')), "");
}

}  // namespace
}  // namespace tidegate::schema::protobuf
