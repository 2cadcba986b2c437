// The Avro compiler and the check of encoded records: what is good, every way to be bad, every limit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "avro/avro_check.h"
#include "tidegate/base/rng.h"

namespace tidegate::schema::avro {
namespace {

using ::testing::HasSubstr;

Schema compiled(std::string_view text, std::vector<std::string> references = {}) {
  auto schema = Schema::compile(text, references);
  EXPECT_TRUE(schema) << text << ": " << (schema ? "" : schema.error().message);
  return schema ? std::move(*schema) : *Schema::compile("\"null\"");
}
std::string compile_error(std::string_view text, std::vector<std::string> references = {},
                          const CompileLimits& limits = {}) {
  const auto schema = Schema::compile(text, references, limits);
  return schema ? "" : schema.error().message;
}
std::string bytes(std::initializer_list<int> each) {
  std::string out;
  for (const int byte : each) out += static_cast<char>(byte);
  return out;
}
std::string verdict(const Schema& schema, std::string_view datum) {
  // In a block of its own size, so that ASan sees a read behind its end.
  const std::vector<std::uint8_t> exact(datum.begin(), datum.end());
  return check(schema, exact);
}
std::string verdict(std::string_view schema, std::string_view datum) {
  return verdict(compiled(schema), datum);
}

constexpr std::string_view kGoldenSchema = R"({"type":"record","name":"Node","fields":[
  {"name":"v","type":["null","long","string",{"type":"array","items":["null","long","string"]}]},
  {"name":"next","type":["null","Node"]},
  {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}]})";
// What Confluent's serializer writes, behind its 5 bytes, for v ["x",null,7], amount -3.50, next {v 5,
// amount 1.25}.
const std::string kGolden = bytes({0x06, 0x06, 0x04, 0x02, 0x78, 0x00, 0x02, 0x0e, 0x00, 0x02, 0x02, 0x0a,
                                   0x00, 0x02, 0x7d, 0x04, 0xfe, 0xa2});

TEST(AvroCheck, RecursiveRecordWithUnionsAndDecimal_IsRead) {
  EXPECT_EQ(verdict(kGoldenSchema, kGolden), "");
}

TEST(AvroCheck, EveryCutAndEveryTrailingByte_IsRefused) {
  const Schema schema = compiled(kGoldenSchema);
  for (std::size_t size = 0; size < kGolden.size(); ++size) {
    EXPECT_NE(verdict(schema, std::string_view(kGolden).substr(0, size)), "") << size;
  }
  EXPECT_THAT(verdict(schema, kGolden + "x"), HasSubstr("1 bytes are left behind"));
}

TEST(AvroCheck, Primitives) {
  EXPECT_EQ(verdict("\"null\"", ""), "");
  EXPECT_EQ(verdict("\"boolean\"", bytes({1})), "");
  EXPECT_NE(verdict("\"boolean\"", bytes({2})), "");
  EXPECT_NE(verdict("\"boolean\"", ""), "");
  EXPECT_EQ(verdict("\"int\"", bytes({0xff, 0xff, 0xff, 0xff, 0x0f})), "");
  EXPECT_EQ(verdict("\"int\"", bytes({0xfe, 0xff, 0xff, 0xff, 0x0f})), "");
  EXPECT_THAT(verdict("\"int\"", bytes({0x80, 0x80, 0x80, 0x80, 0x10})), HasSubstr("32 bits"));
  EXPECT_EQ(verdict("\"int\"", bytes({0x82, 0x80, 0x00})), "") << "longer than it has to be, and legal";
  EXPECT_EQ(verdict("\"long\"", bytes({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})), "");
  EXPECT_THAT(verdict("\"long\"", bytes({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02})),
              HasSubstr("64 bits"));
  EXPECT_THAT(verdict("\"long\"", std::string(11, '\x80')), HasSubstr("64 bits"));
  EXPECT_THAT(verdict("\"long\"", std::string(3, '\x80')), HasSubstr("ends within"));
  EXPECT_EQ(verdict("\"float\"", "abcd"), "");
  EXPECT_NE(verdict("\"float\"", "abc"), "");
  EXPECT_EQ(verdict("\"double\"", "abcdefgh"), "");
  EXPECT_NE(verdict("\"double\"", "abcdefg"), "");
  EXPECT_EQ(verdict("\"bytes\"", bytes({4, 0xff, 0xff})), "");
  EXPECT_THAT(verdict("\"bytes\"", bytes({1})), HasSubstr("negative"));
  EXPECT_THAT(verdict("\"bytes\"", bytes({0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})),
              HasSubstr("announced"));
  EXPECT_EQ(verdict(R"({"type":"fixed","name":"F","size":3})", "abc"), "");
  EXPECT_NE(verdict(R"({"type":"fixed","name":"F","size":3})", "ab"), "");
  EXPECT_EQ(verdict(R"({"type":"fixed","name":"F","size":0})", ""), "");
  EXPECT_THAT(verdict(R"({"type":"fixed","name":"F","size":18446744073709551615})", "abc"),
              HasSubstr("announced"));
  EXPECT_EQ(verdict("string", bytes({2, 'x'})), "") << "a bare name";
}

TEST(AvroCheck, Strings_AreUtf8) {
  for (const char* good :
       {"", "plain", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"}) {
    const std::string text(good);
    EXPECT_EQ(verdict("\"string\"", static_cast<char>(text.size() * 2) + text), "") << text;
  }
  for (const char* bad : {"\xff", "\xc0\x80", "\xc3", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                          "\xe0\x80\x80", "\xf0\x80\x80\x80", "\x80", "a\xc3z"}) {
    const std::string text(bad);
    EXPECT_THAT(verdict("\"string\"", static_cast<char>(text.size() * 2) + text), HasSubstr("UTF-8")) << text;
  }
}

TEST(AvroCheck, EnumsAndUnions_KnowTheirIndexes) {
  constexpr auto kEnum = R"({"type":"enum","name":"E","symbols":["A","B"]})";
  EXPECT_EQ(verdict(kEnum, bytes({0})), "");
  EXPECT_EQ(verdict(kEnum, bytes({2})), "");
  EXPECT_THAT(verdict(kEnum, bytes({4})), HasSubstr("no symbol 2"));
  EXPECT_THAT(verdict(kEnum, bytes({1})), HasSubstr("no symbol -1"));
  EXPECT_EQ(verdict(R"(["null","int"])", bytes({2, 7})), "");
  EXPECT_EQ(verdict(R"(["null","int"])", bytes({0})), "");
  EXPECT_THAT(verdict(R"(["null","int"])", bytes({4})), HasSubstr("no branch 2"));
  EXPECT_THAT(verdict(R"(["null","int"])", bytes({1})), HasSubstr("no branch -1"));
}

TEST(AvroCheck, Blocks_MayBeManyAndMayTellTheirSize) {
  constexpr auto kArray = R"({"type":"array","items":"int"})";
  EXPECT_EQ(verdict(kArray, bytes({0})), "");
  EXPECT_EQ(verdict(kArray, bytes({2, 1, 4, 2, 3, 0})), "");
  EXPECT_EQ(verdict(kArray, bytes({3, 4, 1, 2, 0})), "") << "-2 items in 2 bytes";
  EXPECT_THAT(verdict(kArray, bytes({3, 6, 1, 2, 0})), HasSubstr("another size"));
  EXPECT_THAT(verdict(kArray, bytes({3, 2, 1, 2, 0})), HasSubstr("another size"));
  EXPECT_THAT(verdict(kArray, bytes({3, 40, 1, 2, 0})), HasSubstr("larger than the record"));
  EXPECT_THAT(verdict(kArray, bytes({3, 1, 1, 2, 0})), HasSubstr("negative"));
  EXPECT_NE(verdict(kArray, bytes({2, 1})), "") << "no end";
  const std::string least = bytes({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01});
  EXPECT_THAT(verdict(kArray, least + bytes({0, 0})), HasSubstr("no such count"));
  constexpr auto kMap = R"({"type":"map","values":"boolean"})";
  EXPECT_EQ(verdict(kMap, bytes({2, 2, 'k', 1, 0})), "");
  EXPECT_EQ(verdict(kMap, bytes({1, 6, 2, 'k', 1, 0})), "");
  EXPECT_THAT(verdict(kMap, bytes({1, 8, 2, 'k', 1, 0})), HasSubstr("another size"));
}

TEST(AvroCheck, ReasonsTellWhere) {
  constexpr auto kSchema = R"({"type":"record","name":"R","fields":[{"name":"a","type":"int"},
      {"name":"b","type":{"type":"array","items":{"type":"record","name":"S","fields":[{"name":"c","type":"boolean"}]}}}]})";
  EXPECT_THAT(verdict(kSchema, bytes({2, 4, 1, 9, 0})), HasSubstr("(at b[1].c)"));
}

TEST(AvroCheck, ValuesThatTakeNoBytes_AreLimited) {
  constexpr auto kNulls = R"({"type":"array","items":"null"})";
  EXPECT_EQ(verdict(kNulls, bytes({0xd6, 0x0f, 0})), "") << "1,003: the limit and one a byte";
  EXPECT_THAT(verdict(kNulls, bytes({0xd8, 0x0f, 0})), HasSubstr("take no bytes")) << "1,004";
  const std::string endless = bytes({0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0});
  EXPECT_THAT(verdict(kNulls, endless), HasSubstr("take no bytes"));
  // Records of records, each with two of the next: 2^60 values in no bytes.
  std::string doubling = "\"null\"";
  std::vector<std::string> references;
  for (int i = 0; i < 60; ++i) {
    const std::string before = i == 0 ? "null" : "R" + std::to_string(i - 1);
    references.push_back(R"({"type":"record","name":"R)" + std::to_string(i) +
                         R"(","fields":[{"name":"a","type":")" + before + R"("},{"name":"b","type":")" +
                         before + "\"}]}");
  }
  EXPECT_THAT(verdict(compiled("\"R59\"", references), ""), HasSubstr("take no bytes"));
}

TEST(AvroCheck, ValuesThatTakeNoBytes_ArePaidForByOthersThatDo) {
  constexpr auto kPairs = R"({"type":"array","items":{"type":"record","name":"R","fields":[
      {"name":"a","type":"boolean"},{"name":"b","type":"null"}]}})";
  EXPECT_EQ(verdict(kPairs, bytes({0xa0, 0x9c, 0x01}) + std::string(10'000, '\x01') + bytes({0})), "");
  // A union has its index: 5,000 optional fields take 5,000 bytes.
  std::string wide = R"({"type":"record","name":"W","fields":[)";
  for (int i = 0; i < 5000; ++i)
    wide += (i == 0 ? "" : ",") + (R"({"name":"f)" + std::to_string(i)) + R"(","type":["null","int"]})";
  EXPECT_EQ(verdict(wide + "]}", std::string(5000, '\0')), "");
}

TEST(AvroCheck, Depth_IsLimited) {
  const Schema list =
      compiled(R"({"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]})");
  const auto nested = [](std::size_t depth) { return std::string(depth - 1, '\x02') + std::string(1, '\0'); };
  EXPECT_EQ(verdict(list, nested(64)), "");
  EXPECT_EQ(verdict(list, nested(128)), "");
  EXPECT_THAT(verdict(list, nested(129)), HasSubstr("nested too deeply"));
  EXPECT_THAT(verdict(list, nested(1'000)), HasSubstr("nested too deeply"));
  EXPECT_THAT(verdict(list, nested(1'000'000)), HasSubstr("nested too deeply"));
  EXPECT_THAT(verdict(R"({"type":"record","name":"A","fields":[{"name":"a","type":"A"}]})", ""),
              HasSubstr("nested too deeply"))
      << "a type without end";
}

TEST(AvroCompile, Names_AreLookedUpInTheirNamespace) {
  const Schema schema = compiled(R"({"type":"record","name":"a.b.Outer","fields":[
    {"name":"x","type":{"type":"fixed","name":"Inner","size":1}},
    {"name":"y","type":"Inner"},
    {"name":"z","type":"a.b.Inner"},
    {"name":"u","type":{"type":"enum","name":"E","namespace":"c","symbols":["S"]}},
    {"name":"v","type":"c.E"}]})");
  EXPECT_EQ(schema.name(), "a.b.Outer");
  EXPECT_EQ(verdict(schema, bytes({'x', 'y', 'z', 0, 0})), "");
  EXPECT_THAT(compile_error(R"({"type":"record","name":"a.R","fields":[
    {"name":"x","type":{"type":"fixed","name":"b.F","size":1}},{"name":"y","type":"F"}]})"),
              HasSubstr("no type F"));
}

TEST(AvroCompile, References_GiveNames) {
  const std::vector<std::string> references = {
      R"({"type":"fixed","name":"a.F","size":2})",
      R"({"type":"record","name":"a.R","fields":[{"name":"f","type":"F"}]})"};
  const Schema schema =
      compiled(R"({"type":"record","name":"b.T","fields":[{"name":"r","type":"a.R"}]})", references);
  EXPECT_EQ(schema.name(), "b.T");
  EXPECT_EQ(verdict(schema, "xy"), "");
  EXPECT_THAT(compile_error("\"int\"", {"{"}), HasSubstr("in a reference"));
}

TEST(AvroCompile, LogicalTypes_AreTheirBase) {
  for (const char* each : {"date", "time-millis", "of-nobody"}) {
    const std::string schema = std::string(R"({"type":"int","logicalType":")") + each + "\"}";
    EXPECT_EQ(verdict(schema, bytes({2})), "") << each;
    EXPECT_THAT(verdict(schema, bytes({0x80, 0x80, 0x80, 0x80, 0x10})), HasSubstr("32 bits")) << each;
  }
  for (const char* each : {"time-micros", "timestamp-millis", "timestamp-micros", "timestamp-nanos",
                           "local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos"}) {
    const std::string schema = std::string(R"({"type":{"type":"long","logicalType":")") + each + "\"}}";
    EXPECT_EQ(verdict(schema, bytes({0x80, 0x80, 0x80, 0x80, 0x10})), "") << each;
  }
  EXPECT_EQ(verdict(R"({"type":"string","logicalType":"uuid"})", bytes({2, 'x'})), "");
  constexpr auto kDuration = R"({"type":"fixed","name":"D","size":12,"logicalType":"duration"})";
  EXPECT_EQ(verdict(kDuration, std::string(12, 'x')), "");
  EXPECT_NE(verdict(kDuration, std::string(11, 'x')), "");
  constexpr auto kDecimal = R"({"type":"fixed","name":"D","size":2,"logicalType":"decimal","precision":4})";
  EXPECT_EQ(verdict(kDecimal, "xy"), "");
  EXPECT_EQ(verdict(R"({"type":"bytes","logicalType":"decimal","precision":1,"scale":2})", bytes({2, 'x'})),
            "")
      << "one that makes no sense is ignored";
  EXPECT_NE(compile_error(R"([{"type":"int","logicalType":"date"},"int"])"), "") << "one type, twice";
}

TEST(AvroCompile, AliasesAndDefaults_DoNotMatterHere) {
  const Schema schema = compiled(R"({"type":"record","name":"R","aliases":["Old"],"doc":"d","fields":[
    {"name":"a","aliases":["b"],"type":["null","int"],"default":null},
    {"name":"e","type":{"type":"enum","name":"E","symbols":["A"],"default":"A"},"default":"A","order":"ignore"}]})");
  EXPECT_EQ(verdict(schema, bytes({2, 7, 0})), "");
  EXPECT_NE(verdict(schema, bytes({2, 7})), "") << "a field that has a default has to be there";
  EXPECT_THAT(compile_error(R"([{"type":"fixed","name":"F","aliases":["G"],"size":1},"G"])"),
              HasSubstr("no type G"));
}

TEST(AvroCompile, NamesThatJavaTakes_AreTaken) {
  EXPECT_EQ(compile_error(R"({"type":"fixed","name":"F","namespace":"com.my-company.x$y","size":1})"), "");
  EXPECT_EQ(compile_error("{\"type\":\"fixed\",\"name\":\"Gr\xc3\xb6\xc3\x9f"
                          "e\",\"size\":1}"),
            "");
  EXPECT_NE(compile_error(R"({"type":"fixed","name":"my-type","size":1})"), "");
  EXPECT_NE(compile_error(R"({"type":"fixed","name":"F","namespace":"a b","size":1})"), "");
}

TEST(AvroCompile, EmptyNamespace_IsNone) {
  EXPECT_EQ(verdict(R"({"type":"record","name":"a.R","fields":[
    {"name":"x","type":{"type":"fixed","name":"F","namespace":"","size":1}},{"name":"y","type":"F"}]})",
                    "xy"),
            "");
}

TEST(AvroCompile, WhatIsNoSchema_IsRefusedWithAReason) {
  for (const char* bad :
       {"",
        "{",
        "7",
        "null!",
        "[]",
        "{}",
        R"("unknown")",
        R"({"type":"record"})",
        R"({"type":"record","name":"R"})",
        R"({"type":"record","name":"1R","fields":[]})",
        R"({"type":"record","name":"R","fields":[{"name":"a"}]})",
        R"({"type":"record","name":"R","fields":[{"name":"a-b","type":"int"}]})",
        R"({"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]})",
        R"({"type":"enum","name":"E","symbols":[]})",
        R"({"type":"enum","name":"E"})",
        R"({"type":"enum","name":"E","symbols":["A","A"]})",
        R"({"type":"enum","name":"E","symbols":["A-B"]})",
        R"({"type":"enum","name":"E","symbols":[7]})",
        R"({"type":"fixed","name":"F"})",
        R"({"type":"fixed","name":"F","size":-1})",
        R"({"type":"fixed","name":"F","size":1.5})",
        R"({"type":"array"})",
        R"({"type":"map"})",
        R"(["int","int"])",
        R"(["null",["int","string"]])",
        R"([{"type":"map","values":"int"},{"type":"map","values":"string"}])",
        R"({"type":"fixed","name":"int","size":1})",
        R"({"type":"fixed","name":"a..b","size":1})",
        R"([{"type":"fixed","name":"F","size":1},{"type":"fixed","name":"F","size":2}])"}) {
    EXPECT_NE(compile_error(bad), "") << bad;
  }
  EXPECT_EQ(compile_error(R"([{"type":"fixed","name":"F","size":1},{"type":"fixed","name":"G","size":1}])"),
            "");
}

TEST(AvroCompile, Limits_AreKept) {
  std::string deep = "\"int\"";
  for (int i = 0; i < 64; ++i) deep = R"({"type":"array","items":)" + deep + "}";
  EXPECT_EQ(compile_error(deep), "");
  EXPECT_THAT(compile_error(R"({"type":"array","items":)" + deep + "}"), HasSubstr("nested too deeply"));
  EXPECT_THAT(compile_error(std::string(100'000, '[')), HasSubstr("nested too deeply"));
  std::string record = R"({"type":"record","name":"R","fields":[)";
  for (int i = 0; i < 20; ++i)
    record += (i == 0 ? "" : ",") + (R"({"name":"f)" + std::to_string(i)) +
              R"(","type":{"type":"array","items":"int"}})";
  EXPECT_EQ(compile_error(record + "]}", {}, {.max_types = 21}), "");
  EXPECT_THAT(compile_error(record + "]}", {}, {.max_types = 20}), HasSubstr("too many types"));
}

TEST(AvroCheck, RandomBytes_DoNoHarm) {
  const Schema schema = compiled(kGoldenSchema);
  SeededRng rng(20'261'122);
  for (int round = 0; round < 20'000; ++round) {
    std::string datum = kGolden;
    for (std::uint64_t edits = rng.below(4) + 1; edits > 0; --edits) {
      datum[rng.below(datum.size())] = static_cast<char>(rng.next());
    }
    verdict(schema, datum);
  }
}

}  // namespace
}  // namespace tidegate::schema::avro
