// The Protobuf compiler: what becomes a schema, what is refused with which reason, every limit; and message
// paths.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include "protobuf/known_files.h"
#include "protobuf/message_path.h"
#include "protobuf_cases.h"

namespace tidegate::schema::protobuf {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kP3 = R"(syntax = "proto3"; )";

std::vector<std::string> fields_of(const Schema& schema, std::uint32_t index) {
  std::vector<std::string> names;
  for (const Field& each : schema.message(index).fields) names.push_back(each.name);
  return names;
}
std::string named(const Schema& schema, std::vector<std::uint32_t> path) {
  const auto found = schema.find(path);
  std::string text = found.first == kNone ? "none" : schema.message(found.first).name;
  if (found.other != kNone) text += " or " + schema.message(found.other).name;
  return text;
}

TEST(ProtobufCompile, FieldsTypesAndNumbers_AreKept) {
  const Schema schema = compiled(kP3 + R"(package shop.v1;
    message Order { string note = 9; int64 id = 1; repeated Item items = 3; map<string, double> prices = 4;
      optional Order before = 5; oneof way { fixed32 a = 6; bytes b = 7; } Kind kind = 8; }
    message Item { sint32 count = 1; } enum Kind { NONE = 0; SOME = 1; })");
  const Schema::Named root = schema.find(std::vector<std::uint32_t>{0});
  const Message& order = schema.message(root.first);
  EXPECT_EQ(order.name, "shop.v1.Order");
  EXPECT_THAT(fields_of(schema, root.first),
              ElementsAre("id", "items", "prices", "before", "a", "b", "kind", "note"));
  std::vector<Shape> shapes;
  for (const Field& each : order.fields) shapes.push_back(each.shape);
  EXPECT_THAT(shapes, ElementsAre(Shape::varint, Shape::message, Shape::message, Shape::message,
                                  Shape::fixed32, Shape::bytes, Shape::varint, Shape::text));
  EXPECT_EQ(order.fields[3].message, root.first) << "recursion is a number";
  EXPECT_TRUE(schema.message(order.fields[2].message).is_map_entry);
  EXPECT_EQ(order.fields[4].choice, order.fields[5].choice);
  EXPECT_NE(order.fields[4].choice, kNone);
  EXPECT_EQ(order.fields[6].symbols, kNone) << "enumerations of proto3 are open";
  EXPECT_FALSE(order.reaches_required);
  EXPECT_GT(schema.size_bytes(), sizeof(Schema));
}

TEST(ProtobufCompile, Proto2_HasRequiredFieldsGroupsExtensionsAndClosedEnumerations) {
  const Schema schema = compiled(R"(message A { required int32 x = 1; optional E e = 2; optional string s = 3;
      optional group G = 4 { optional int32 y = 1; } extensions 100 to 199; }
    enum E { E0 = 0; E5 = 5; } extend A { optional A more = 100; repeated B b = 101; }
    message B { repeated A a = 1; } message C { optional B b = 1; } message D {})");
  const Message& a = schema.message(schema.find(std::vector<std::uint32_t>{0}).first);
  EXPECT_THAT(fields_of(schema, 0), ElementsAre("x", "e", "s", "g", "[more]", "[b]"));
  EXPECT_EQ(a.required_count, 1U);
  EXPECT_EQ(a.fields[0].required, 0U);
  EXPECT_EQ(a.fields[2].shape, Shape::bytes) << "strings of proto2 may be anything";
  EXPECT_EQ(a.fields[3].shape, Shape::group);
  EXPECT_TRUE(schema.has_symbol(a.fields[1].symbols, 5));
  EXPECT_FALSE(schema.has_symbol(a.fields[1].symbols, 4));
  for (const std::uint32_t top : {0U, 1U, 2U}) {
    EXPECT_TRUE(schema.message(schema.find(std::vector{top}).first).reaches_required) << top;
  }
  EXPECT_FALSE(schema.message(schema.find(std::vector{3U}).first).reaches_required);
}

TEST(ProtobufCompile, WhatIsNoSchema_IsRefusedWithItsPlace) {
  EXPECT_THAT(compile_error(kP3 + "\nmessage M { int32 a = ; }"), StartsWith("2:23: Expected"));
  EXPECT_THAT(compile_error(kP3 + "message M { Nowhere a = 1; }"), HasSubstr("\"Nowhere\" is not defined"));
  EXPECT_THAT(compile_error(kP3 + "message M { int32 a = 1; int32 b = 1; }"), HasSubstr("number 1"));
  EXPECT_THAT(compile_error(kP3 + "message M { required int32 a = 1; }"), HasSubstr("Required"));
  EXPECT_THAT(compile_error("edition = \"2023\"; message M {}"), HasSubstr("1:1: "));
  EXPECT_THAT(compile_error("syntax = \"proto4\"; message M {}"), HasSubstr("proto4"));
  EXPECT_THAT(compile_error(kP3 + "message M { string s = 1"), HasSubstr("Expected"));
  EXPECT_THAT(compile_error(kP3 + "message \xff {}"), HasSubstr("1:"));
  EXPECT_THAT(compile_error(kP3 + "enum E { A = 0; }"), HasSubstr("defines no message"));
  EXPECT_NE(compile_error(""), "");
  EXPECT_NE(compile_error("}"), "");
  EXPECT_THAT(compile_error("message M { extensions 4 to 8, 8 to 10; }"), HasSubstr("overlap"));
  EXPECT_THAT(compile_error("message M { extensions 8 to 4; }"), HasSubstr("is empty"));
  EXPECT_THAT(compile_error("message M { extensions 4 to 8; optional int32 a = 8; }"),
              HasSubstr("number of an extension"));
  EXPECT_EQ(compile_error("message M { extensions 4 to 8; optional int32 a = 9; }"), "");
  EXPECT_THAT(compile_error("message M { option message_set_wire_format = true; extensions 4 to max; }"),
              HasSubstr("MessageSet"));
  EXPECT_LT(compile_error(kP3 + "message " + std::string(100'000, 'a') + " { " + std::string(100'000, 'b') +
                          " x = 1; }")
                .size(),
            1000U);
}

TEST(ProtobufCompile, OptionsServicesAndWhatTheyNeed_AreNotLookedAt) {
  EXPECT_EQ(compile_error(kP3 + R"(option (some.file) = {a: 1 b <c: [1, 2]>}; option java_package = "x";
    message M { option (some.message).x = 1; string s = 1 [(rules).string.min_len = 5, debug_redact = true];
      repeated int32 i = 2 [packed = false, json_name = "s"]; reserved 5, 7 to 9, 7; reserved "s"; }
    enum E { option allow_alias = true; A = 0; B = 0 [(text) = "b"]; }
    service S { rpc Call(Nobody) returns (stream Knows) { option (http) = {get: "/"}; } })"),
            "");
  EXPECT_NE(compile_error(kP3 + "message M {} enum E { A = 0; B = 0; }"), "")
      << "no alias without the option";
}

TEST(ProtobufCompile, DescriptorsInBase64_AreSchemasToo) {
  // What Confluent's Python serializer registers.
  google::protobuf::FileDescriptorProto file;
  file.set_name("whatever.proto");
  file.set_syntax("proto3");
  file.add_message_type()->set_name("Abc");
  auto* field = file.mutable_message_type(0)->add_field();
  field->set_name("f");
  field->set_number(3);
  field->set_type(google::protobuf::FieldDescriptorProto::TYPE_STRING);
  const std::string text = in_base64(file.SerializeAsString());
  const Schema schema = compiled(text);
  EXPECT_EQ(named(schema, {0}), "Abc");
  EXPECT_THAT(fields_of(schema, 0), ElementsAre("f"));
  EXPECT_THAT(compile_error("AAAA"), HasSubstr("neither a .proto file nor"));
  EXPECT_THAT(compile_error("Cg53aGF0ZXZlci5wcm90bw=="), HasSubstr("defines no message"));
  EXPECT_THAT(compile_error(kP3 + "import \"w\"; message M { Abc a = 1; }", {{"w", text}}), "");
}

TEST(ProtobufCompile, Imports_AreReferencesByName) {
  const NamedText a{"x/a.proto", kP3 + "package x; import \"b.proto\"; message A { B b = 1; }"};
  const NamedText b{"b.proto", kP3 + "package x; message B { string s = 1; }"};
  const std::string root =
      kP3 + "import \"x/a.proto\"; import \"b.proto\"; message R { x.A a = 1; x.B b = 2; }";
  const Schema schema = compiled(root, {b, a});
  EXPECT_EQ(schema.message(schema.message(0).fields[0].message).name, "x.A");
  EXPECT_EQ(compile_error(root, {a, b}), "") << "in any order";
  EXPECT_THAT(compile_error(root, {a}), HasSubstr("its import of b.proto is none of its references"));
  EXPECT_THAT(compile_error(root, {a, b, {"b.proto", kP3}}),
              HasSubstr("two of its references are named b.proto"));
  EXPECT_EQ(compile_error(root, {a, b, b}), "");
  EXPECT_THAT(compile_error(root, {a, {"b.proto", "message {"}}), StartsWith("in b.proto: 1:9: Expected"));
  EXPECT_THAT(compile_error(root, {a, {"b.proto", kP3 + "import \"x/a.proto\";"}}),
              HasSubstr("its import of x/a.proto goes in a circle"));
  EXPECT_THAT(compile_error(root, {a, {"b.proto", kP3 + "package x; message A {} message B {}"}}),
              AllOf(StartsWith("in x/a.proto: x.A: "), HasSubstr("already defined")));
  EXPECT_THAT(compile_error(kP3 + "import \"<schema>\"; message M {}"), HasSubstr("goes in a circle"));
  const std::string through = kP3 + "import \"p.proto\"; message R { x.B b = 1; }";
  EXPECT_EQ(compile_error(through, {b, {"p.proto", kP3 + "import public \"b.proto\";"}}), "");
  EXPECT_THAT(compile_error(through, {b, {"p.proto", kP3 + "import \"b.proto\";"}}), HasSubstr("not"));
}

TEST(ProtobufCompile, KnownFiles_NeedNoReference) {
  const std::vector<std::pair<std::string, std::string>> known = {
      {"google/protobuf/any.proto", "google.protobuf.Any"},
      {"google/protobuf/api.proto", "google.protobuf.Api"},
      {"google/protobuf/descriptor.proto", "google.protobuf.FileOptions"},
      {"google/protobuf/duration.proto", "google.protobuf.Duration"},
      {"google/protobuf/empty.proto", "google.protobuf.Empty"},
      {"google/protobuf/field_mask.proto", "google.protobuf.FieldMask"},
      {"google/protobuf/source_context.proto", "google.protobuf.SourceContext"},
      {"google/protobuf/struct.proto", "google.protobuf.Struct"},
      {"google/protobuf/timestamp.proto", "google.protobuf.Timestamp"},
      {"google/protobuf/type.proto", "google.protobuf.Type"},
      {"google/protobuf/wrappers.proto", "google.protobuf.StringValue"},
      {"google/type/calendar_period.proto", "google.type.CalendarPeriod"},
      {"google/type/color.proto", "google.type.Color"},
      {"google/type/date.proto", "google.type.Date"},
      {"google/type/datetime.proto", "google.type.DateTime"},
      {"google/type/dayofweek.proto", "google.type.DayOfWeek"},
      {"google/type/decimal.proto", "google.type.Decimal"},
      {"google/type/expr.proto", "google.type.Expr"},
      {"google/type/fraction.proto", "google.type.Fraction"},
      {"google/type/interval.proto", "google.type.Interval"},
      {"google/type/latlng.proto", "google.type.LatLng"},
      {"google/type/localized_text.proto", "google.type.LocalizedText"},
      {"google/type/money.proto", "google.type.Money"},
      {"google/type/month.proto", "google.type.Month"},
      {"google/type/phone_number.proto", "google.type.PhoneNumber"},
      {"google/type/postal_address.proto", "google.type.PostalAddress"},
      {"google/type/quaternion.proto", "google.type.Quaternion"},
      {"google/type/timeofday.proto", "google.type.TimeOfDay"},
      {"confluent/meta.proto", "confluent.Meta"},
      {"confluent/type/decimal.proto", "confluent.type.Decimal"},
      {"confluent/types/decimal.proto", "confluent.type.Decimal"},
      {"confluent/type/variant.proto", "confluent.type.Variant"}};
  for (const auto& [file, type] : known) {
    EXPECT_EQ(compile_error(kP3 + "import \"" + file + "\"; message M { " + type + " a = 1; }"), "") << file;
  }
  EXPECT_FALSE(known_file("google/protobuf/nothing.proto"));
  // A reference of such a name: Protobuf's own files stay what they are.
  const std::string own = kP3 + "package google.protobuf; message Timestamp { string s = 9; }";
  const std::string root = kP3 +
                           "import \"google/protobuf/timestamp.proto\"; "
                           "message M { google.protobuf.Timestamp t = 1; }";
  const Schema schema = compiled(root, {{"google/protobuf/timestamp.proto", own}});
  EXPECT_THAT(fields_of(schema, schema.message(0).fields[0].message), ElementsAre("seconds", "nanos"));
  const Schema other =
      compiled(kP3 + "import \"google/type/date.proto\"; message M { google.type.Date d = 1; }",
               {{"google/type/date.proto", kP3 + "package google.type; message Date { string s = 9; }"}});
  EXPECT_THAT(fields_of(other, other.message(0).fields[0].message), ElementsAre("s"));
}

TEST(ProtobufCompile, DepthOfDefinitions_IsLimited) {
  const CompileLimits limits{.max_depth = 5};
  EXPECT_EQ(compile_error(nested(5), {}, limits), "");
  EXPECT_THAT(compile_error(nested(6), {}, limits), HasSubstr("the schema is nested too deeply"));
  EXPECT_THAT(compile_error(nested(5, "enum E { A = 0; }"), {}, limits), HasSubstr("nested too deeply"));
  const std::string value = "option (x) = {a {a {a {a {a {}}}}}}; message M {}";
  EXPECT_THAT(compile_error(value, {}, limits), HasSubstr("nested too deeply"));
  EXPECT_EQ(compile_error(nested(31)), "");
  EXPECT_THAT(compile_error(nested(32)), HasSubstr("limit for nested messages")) << "of libprotobuf's own";
  EXPECT_THAT(compile_error(nested(65)), HasSubstr("the schema is nested too deeply"));
  // Of which the parser would overflow its stack.
  EXPECT_THAT(compile_error(nested(100'000)), HasSubstr("nested too deeply"));
  EXPECT_THAT(compile_error("option (x) = {a " + std::string(1'000'000, '<')),
              HasSubstr("nested too deeply"));
  // In comments and strings they do not count.
  EXPECT_EQ(
      compile_error("/*{{{{{{*/ message M { optional string s = 1 [default = \"{{{{{{{\"]; } // {{{{{{{", {},
                    limits),
      "");
  EXPECT_THAT(compile_error("package a" + std::string(500, '.') + "b; message M {}"), HasSubstr("1:"));
  std::string dots;
  for (int i = 0; i < 100'000; ++i) dots += ".a";
  EXPECT_THAT(compile_error("package a" + dots + "; message M {}"), HasSubstr("package is too long"));
}

TEST(ProtobufCompile, DepthOfADescriptor_IsLimited) {
  google::protobuf::FileDescriptorProto file;
  auto* at = file.add_message_type();
  at->set_name("M");
  for (int i = 0; i < 6; ++i) {
    at = at->add_nested_type();
    at->set_name("M");
  }
  EXPECT_EQ(compile_error(in_base64(file.SerializeAsString())), "");
  EXPECT_THAT(compile_error(in_base64(file.SerializeAsString()), {}, {.max_depth = 6}),
              HasSubstr("nested too deeply"));
}

TEST(ProtobufCompile, NumberOfDefinitions_IsLimited) {
  const NamedText other{"o.proto", "message O { optional int32 a = 1; } enum P { Q = 0; }"};
  const std::string root =
      R"(import "o.proto"; message M { map<int32, int32> m = 1; message N {} optional O o = 2; })";
  EXPECT_EQ(compile_error(root, {other}, {.max_types = 5}), "") << "M, its map's entry, N, O, P";
  EXPECT_THAT(compile_error(root, {other}, {.max_types = 4}), HasSubstr("too many types"));
  EXPECT_EQ(compile_error(root, {other}, {.max_fields = 6}), "") << "two of M, key and value, a, Q";
  EXPECT_THAT(compile_error(root, {other}, {.max_fields = 5}), HasSubstr("too many fields"));
  EXPECT_THAT(compile_error("message M { oneof o { int32 a = 1; } extensions 2, 3; }", {}, {.max_fields = 3}),
              HasSubstr("too many fields"));
  std::string many = "message M {";
  for (int i = 0; i < 100'000; ++i) many += ";";
  EXPECT_THAT(compile_error(many + "}"), HasSubstr("too many fields")) << "before anything is made of them";
  EXPECT_THAT(compile_error(std::string(2'000'000, 'I')), HasSubstr("too many fields"))
      << "a large descriptor";
}

TEST(ProtobufCompile, LengthOfAllNames_IsLimited) {
  std::string text = "message " + std::string(10'000, 'M') + " {";
  for (int i = 1; i <= 500; ++i)
    text += "optional int32 f" + std::to_string(i) + " = " + std::to_string(i) + ";";
  EXPECT_THAT(compile_error(text + "}"), HasSubstr("full names")) << "5 MB from 30 KB";
  EXPECT_EQ(compile_error(text + "}", {}, {.max_name_bytes = 6'000'000}), "");
}

TEST(ProtobufPath, NamesMessagesOfTheFile) {
  const Schema schema = compiled(kP3 + "message A { message B { message C {} } message D {} } message E {}");
  EXPECT_EQ(schema.nesting(), 3U);
  EXPECT_EQ(named(schema, {0}), "A");
  EXPECT_EQ(named(schema, {1}), "E");
  EXPECT_EQ(named(schema, {0, 0, 0}), "A.B.C");
  EXPECT_EQ(named(schema, {0, 1}), "A.D");
  EXPECT_EQ(named(schema, {2}), "none");
  EXPECT_EQ(named(schema, {1, 0}), "none");
  EXPECT_EQ(named(schema, {0, 0, 0, 0}), "none");
  EXPECT_EQ(named(schema, {UINT32_MAX}), "none");
}

TEST(ProtobufPath, MapsAndGroupsMayCountOrNot) {
  // Descriptors have a message for each map and group, where the field stands; some serializers count them.
  const Schema maps = compiled(kP3 + "message A { map<int32, int32> m = 1; message B {} message C {} }");
  EXPECT_EQ(named(maps, {0, 0}), "none or A.B") << "an entry is no record";
  EXPECT_EQ(named(maps, {0, 1}), "A.B or A.C");
  EXPECT_EQ(named(maps, {0, 2}), "A.C");
  const Schema groups = compiled("message A { repeated group G = 1 {} message B {} }");
  EXPECT_EQ(named(groups, {0, 0}), "A.G or A.B");
  EXPECT_EQ(named(groups, {0, 1}), "A.B");
}

std::string path_of(const std::string& text, std::size_t max_length = 10) {
  const auto block = exact(text);
  const MessagePath path = read_message_path(block, max_length);
  if (!path.problem.empty()) return path.problem;
  std::string told;
  for (const std::uint32_t index : path.indexes) told += std::to_string(index) + ",";
  return told + std::string(as_text(path.message));
}

TEST(ProtobufPath, IsReadInBothSpellings) {
  EXPECT_EQ(path_of(bytes({0}) + "x"), "0,x");
  EXPECT_EQ(path_of(bytes({2, 0}) + "x"), "0,x");
  EXPECT_EQ(path_of(bytes({2, 2}) + "x"), "1,x") << "the second message";
  EXPECT_EQ(path_of(bytes({4, 2, 0}) + "x"), "1,0,x") << "one nested in it";
  EXPECT_EQ(path_of(bytes({2, 0x80, 0x02})), "128,");
  EXPECT_EQ(path_of(bytes({0x84, 0, 0x82, 0x80, 0, 0}) + "x"), "1,0,x") << "longer than they need to be";
  EXPECT_EQ(path_of(bytes({2, 0xfe, 0xff, 0xff, 0xff, 0x0f})), "2147483647,");
}

TEST(ProtobufPath, HostileOnes_AreRefused) {
  EXPECT_THAT(path_of(""), HasSubstr("ends before its message path"));
  EXPECT_THAT(path_of(bytes({0x80})), HasSubstr("no readable length"));
  EXPECT_THAT(path_of(bytes({1})), HasSubstr("length of its message path is negative"));
  EXPECT_THAT(path_of(bytes({0xff, 0xff, 0xff, 0xff, 0x0f})), HasSubstr("negative"));
  EXPECT_THAT(path_of(bytes({0xfe, 0xff, 0xff, 0xff, 0x0f})), HasSubstr("has 2147483647 steps"));
  EXPECT_THAT(path_of(bytes({0xfe, 0xff, 0xff, 0xff, 0x1f})), HasSubstr("no readable length"));
  EXPECT_THAT(path_of(bytes({0x80, 0x80, 0x80, 0x80, 0x80, 0})), HasSubstr("no readable length"));
  EXPECT_THAT(path_of(bytes({22, 0})), HasSubstr("has 11 steps, and the schema nests messages 10 deep"));
  EXPECT_THAT(path_of(bytes({4, 0})), HasSubstr("step 1 of its message path is cut off"));
  EXPECT_THAT(path_of(bytes({4, 0, 0x80})), HasSubstr("step 1 of its message path is cut off"));
  EXPECT_THAT(path_of(bytes({2, 1})), HasSubstr("step 0 of its message path is negative"));
}

}  // namespace
}  // namespace tidegate::schema::protobuf
