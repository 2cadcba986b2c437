// Verdicts on JSON text that the official suite does not have: numbers, draft 2020-12, patterns, references,
// limits, and what reasons say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json_schema/json_check.h"
#include "json_schema/uri.h"

namespace tidegate::schema::json_schema {
namespace {

using ::testing::HasSubstr;

std::string verdict(const std::string& schema, const std::string& text,
                    const std::vector<NamedSchema>& references = {}, const CheckLimits& limits = {}) {
  const auto compiled = Schema::compile(schema, references);
  if (!compiled) return "unusable: " + compiled.error().message;
  return check(*compiled, as_bytes(text), limits);
}
std::string modern(const std::string& keywords) {
  return R"({"$schema":"https://json-schema.org/draft/2020-12/schema",)" + keywords + "}";
}
void fits(const std::string& schema, const std::string& text) {
  EXPECT_EQ(verdict(schema, text), "") << schema << " " << text;
}
void fails(const std::string& schema, const std::string& text, const std::string& reason) {
  EXPECT_THAT(verdict(schema, text), HasSubstr(reason)) << schema << " " << text;
}

TEST(JsonCheckTest, Numbers_AreExact) {
  fits(R"({"const":9007199254740993})", "9007199254740993.0");
  fails(R"({"const":9007199254740993})", "9007199254740992", "constant");
  fits(R"({"enum":[1.10]})", "11e-1");
  fits(R"({"const":0})", "-0.0e5");
  fails(R"({"maximum":9007199254740992})", "9007199254740993", "more than the maximum");
  fails(R"({"exclusiveMinimum":-0.1})", "-0.10", "not above");
  fits(R"({"minimum":-1e400})", "-9e399");
  fits(R"({"multipleOf":0.01})", "19.99");
  fits(R"({"multipleOf":0.0001})", "123456789012345678901234567890.0075");
  fails(R"({"multipleOf":0.01})", "19.999", "multiple");
  fits(R"({"multipleOf":7})", "7e999999999");
  fails(R"({"multipleOf":7})", "1e999999999", "multiple");
  fits(R"({"type":"integer"})", "1e3");
  fits(R"({"type":"integer"})", "12345678901234567890123.0");
  fails(R"({"type":"integer"})", "1e-1", "a number is of no type");
  fails(R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"integer"})", "1.0", "of no type");
  fails("true", "1e1234567890", "exponent");
  fits("true", std::string(1000, '7'));
  fails("true", std::string(1001, '7'), "a number has more than 1,000 characters");
}

TEST(JsonCheckTest, Text_HasToBeOneJsonValue) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "[1,]",
                           "{\"a\":1,}",
                           "01",
                           "1.",
                           ".5",
                           "+1",
                           "nul",
                           "\"\\x\"",
                           "\"",
                           "1 2",
                           "NaN",
                           "'a'",
                           "[1",
                           "\"\\ud800\"",
                           "\"\\udc00\"",
                           "\"\t\"",
                           "\"\xff\"",
                           "{1:2}",
                           "{\"a\"}",
                           "\xef\xbb\xbf"
                           "1"}) {
    EXPECT_NE(verdict("true", text), "") << text;
  }
  fits("true", " {\"a\" : [1, -0.5e+07 , \"\\u00e9\\ud83d\\ude00\\n\"] , \"b\":null}\r\n");
  fits(R"({"const":"\ud83d\ude00é"})", "\"😀\\u00e9\"");
  fits(R"({"maxLength":1})", "\"😀\"");
  fits(R"({"properties":{"a":{"const":2}}})", R"({"a":1,"a":2})");
  fits(R"({"const":{"a":1,"b":[2]}})", R"({"b":[2.0],"a":1})");
}

TEST(JsonCheckTest, Reasons_SayWhere) {
  constexpr auto kSchema =
      R"({"properties":{"items":{"items":{"properties":{"name":{"type":"string"},"a/b~c":false},
          "required":["name"]}}}})";
  EXPECT_EQ(verdict(kSchema, R"({"items":[{"name":"a"},{"name":7}]})"),
            "a number is of no type that the schema allows (at /items/1/name)");
  EXPECT_EQ(verdict(kSchema, R"({"items":[{}]})"), "name is missing (at /items/0)");
  fails(kSchema, R"({"items":[{"name":"a","a/b~c":1}]})", "(at /items/0/a~1b~0c)");
  fails(R"({"anyOf":[{"type":"null"},{"properties":{"a":{"type":"null"}},"type":"object"}]})", R"({"a":1})",
        "none of the 2 schemas of anyOf");
  fails(R"({"propertyNames":{"maxLength":1}})", R"({"ab":1})", "the name ab is not allowed: a string has 2");
}

TEST(JsonCheckTest, Draft2020_HasItsKeywords) {
  fails(modern(R"("prefixItems":[{"type":"string"}],"items":{"type":"number"})"), R"(["a",1,"b"])",
        "(at /2)");
  fits(modern(R"("contains":{"const":1},"minContains":0,"maxContains":2)"), "[]");
  fails(modern(R"("contains":{"const":1},"minContains":2,"maxContains":2)"), "[1,1,1]", "3 items");
  fails(modern(R"("contains":{"const":1},"minContains":2)"), "[1]", "1 items");
  fails(modern(R"("dependentRequired":{"a":["b"]})"), R"({"a":1})", "b is missing, which a needs");
  fails(modern(R"("dependentSchemas":{"a":{"required":["c"]}})"), R"({"a":1})", "c is missing");
  fits(modern(R"("$ref":"#/$defs/a","$defs":{"a":{"type":"integer"}},"maximum":5)"), "5");
  fails(modern(R"("$ref":"#/$defs/a","$defs":{"a":{"type":"integer"}},"maximum":5)"), "6", "maximum");
  fails(modern(R"("$ref":"#here","$defs":{"a":{"$anchor":"here","type":"integer"}})"), "\"a\"", "no type");
}

TEST(JsonCheckTest, Unevaluated_SeesWhatFittingSchemasSaw) {
  const auto members =
      modern(R"("properties":{"a":true},"anyOf":[{"properties":{"b":{"const":1}},"required":["b"]},
      {"properties":{"c":{"const":1}},"required":["c"]}],"unevaluatedProperties":false)");
  fits(members, R"({"a":1,"b":1})");
  fits(members, R"({"a":1,"b":1,"c":1})");
  fails(members, R"({"b":1,"c":2})", "(at /c)");
  // Of one allOf branch the other ones see nothing.
  fails(modern(R"("allOf":[{"properties":{"a":true}},{"unevaluatedProperties":false}])"), R"({"a":1})",
        "(at /a)");
  fits(modern(R"("if":{"properties":{"a":{"const":1}}},"else":{"properties":{"b":true,"a":true}},
      "unevaluatedProperties":{"type":"string"})"),
       R"({"a":1,"b":"x"})");
  fails(modern(R"("not":{"not":{"properties":{"a":true}}},"unevaluatedProperties":false)"), R"({"a":1})",
        "(at /a)");
  const auto items = modern(R"("prefixItems":[true],"contains":{"type":"string"},"unevaluatedItems":false)");
  fits(items, R"([1,"a","b"])");
  fails(items, R"([1,"a",2])", "(at /2)");
  fits(modern(R"("$ref":"#/$defs/a","$defs":{"a":{"items":true}},"unevaluatedItems":false)"), "[1,2]");
}

TEST(JsonCheckTest, DynamicReferences_LeadToTheOutermostSchema) {
  const auto tree =
      modern(R"("$id":"http://x/strict","$dynamicAnchor":"node","$ref":"tree","unevaluatedProperties":false,
      "$defs":{"tree":{"$id":"tree","$dynamicAnchor":"node","type":"object",
        "properties":{"data":true,"children":{"items":{"$dynamicRef":"#node"}}}}})");
  fits(tree, R"({"children":[{"data":1,"children":[{}]}]})");
  fails(tree, R"({"children":[{"daat":1}]})", "(at /children/0/daat)");
}

TEST(JsonCheckTest, References_GoByNameAndId) {
  const std::string order = R"({"$id":"http://x/order.json","properties":{"item":{"$ref":"item.json"}}})";
  const std::string by_name = R"({"properties":{"item":{"$ref":"item.json#/definitions/i"}}})";
  const std::vector<NamedSchema> item{
      {"item.json", R"({"type":"object","definitions":{"i":{"type":"object"}}})"}};
  const std::vector<NamedSchema> with_id{{"i", R"({"$id":"http://x/item.json","type":"object"})"}};
  EXPECT_THAT(verdict(order, R"({"item":1})", item), HasSubstr("(at /item)"));
  EXPECT_THAT(verdict(order, R"({"item":1})", with_id), HasSubstr("(at /item)"));
  EXPECT_THAT(verdict(by_name, R"({"item":1})", item), HasSubstr("(at /item)"));
  EXPECT_EQ(verdict(by_name, R"({"item":{}})", item), "");
  EXPECT_THAT(verdict(order, "{}"), HasSubstr("unusable: its $ref item.json leads nowhere"));
  EXPECT_THAT(verdict(order, "{}", {item[0], item[0]}),
              HasSubstr("unusable: in item.json: two of its references"));
}

TEST(JsonCheckTest, Patterns_AreThoseOfEcma262) {
  fits(R"({"pattern":"^\\d{2}\\s[^\\]]\\u00e9[\\b\\cA]?$"})", "\"12\u00a0aé\"");
  fails(R"({"pattern":"a$"})", R"("a\n")", "pattern");
  fits(R"({"pattern":"^[[a]+$"})", R"("[a")");
  fails(R"({"pattern":"^.$"})", R"("\n")", "pattern");
  fails(R"({"pattern":"[]"})", R"("a")", "pattern");
  fits(R"({"pattern":"^[^]$"})", R"("\n")");
  fits(R"({"pattern":"^[\\S]+$"})", R"("ab")");
  fails(R"({"pattern":"^[\\S]+$"})", "\"a\u2003b\"", "pattern");
  fits(R"({"pattern":"^(?<y>\\p{Lu})\\x41$"})", R"("ÉA")");
  fails(R"({"pattern":"^(a+)+$"})", "\"" + std::string(5000, 'a') + "b\"", "pattern");
  for (const char* pattern : {"(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(a)\\\\1", "\\\\a", "\\\\Z", "(", "[a",
                              "(?i)a", "a{2000}", "\\\\p{Nonsense}", "((a{100}){100}){100}", "\\\\ud800"}) {
    fails(R"({"pattern":")" + std::string(pattern) + "\"}", "1", "unusable: its pattern");
  }
}

TEST(JsonCheckTest, SchemasThatCannotBeHonoured_SayWhy) {
  const std::pair<const char*, const char*> kCases[] = {
      {"7", "neither an object nor a boolean"},
      {"{", "no JSON Schema: the JSON text ends early"},
      {R"({"$schema":"https://json-schema.org/draft/2019-09/schema"})", "none of draft 4, 6, 7 and 2020-12"},
      {R"({"$recursiveRef":"#"})", "$recursiveRef"},
      {R"({"type":"text"})", "its type is none of the seven"},
      {R"({"properties":7})", "its properties is no object"},
      {R"({"properties":{"a":7}})", "its properties is no schema"},
      {R"({"allOf":[]})", "empty list"},
      {R"({"allOf":{}})", "no list of schemas"},
      {R"({"minimum":"1"})", "its minimum is no number"},
      {R"({"maxLength":-1})", "its maxLength is no number from 0"},
      {R"({"multipleOf":0})", "not above 0"},
      {R"({"multipleOf":1234567890123456789})", "more than 18 digits"},
      {R"({"required":"a"})", "no list of names"},
      {R"({"$ref":"#"})", "go in a circle"},
      {R"({"anyOf":[{"$ref":"#/definitions/a"}],"definitions":{"a":{"not":{"$ref":"#"}}}})",
       "go in a circle"},
      {R"({"$ref":"#/definitions/a"})", "leads nowhere"},
      {R"({"$ref":"#a"})", "leads nowhere"},
      {R"({"$ref":7})", "its $ref is no string"},
      {R"({"definitions":{"a":{"$id":"http://x/a"},"b":{"$id":"http://x/a"}}})", "two schemas have the id"},
  };
  for (const auto& [schema, reason] : kCases) {
    fails(schema, "1", "unusable: ");
    fails(schema, "1", reason);
  }
}

TEST(JsonCheckTest, KeywordsOfOtherDrafts_AreNotPassedOver) {
  const auto with = [](const char* uri, const std::string& keyword) {
    return verdict(std::string("{\"$schema\":\"") + uri + "\"," + keyword + "}", "1");
  };
  constexpr auto k4 = "http://json-schema.org/draft-04/schema#";
  constexpr auto k6 = "http://json-schema.org/draft-06/schema#";
  constexpr auto k7 = "http://json-schema.org/draft-07/schema#";
  constexpr auto k2020 = "https://json-schema.org/draft/2020-12/schema";
  EXPECT_EQ(with(k4, R"("const":2)"), "unusable: its keyword const is none of draft 4");
  EXPECT_EQ(with(k6, R"("const":1)"), "");
  EXPECT_EQ(with(k6, R"("if":{})"), "unusable: its keyword if is none of draft 6");
  EXPECT_EQ(with(k7, R"("if":{})"), "");
  EXPECT_EQ(with(k7, R"("prefixItems":[{}])"), "unusable: its keyword prefixItems is none of draft 7");
  EXPECT_EQ(with(k2020, R"("prefixItems":[{}])"), "");
  EXPECT_EQ(with(k2020, R"("dependencies":{})"),
            "unusable: its keyword dependencies is none of draft 2020-12");
  EXPECT_EQ(with(k7, R"("dependencies":{})"), "");
  EXPECT_EQ(verdict(R"({"minContains":1})", "1"), "unusable: its keyword minContains is none of draft 7");
  EXPECT_EQ(with(k7, R"("properties":{"prefixItems":{}},"x-ours":{"minContains":1})"), "")
      << "names of members, and what is no keyword of any";
  EXPECT_EQ(verdict(R"({"$schema":1})", "1"), "unusable: its $schema is no string");
}

TEST(JsonCheckTest, Limits_Hold) {
  const auto deep = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  fits(R"({"items":{"$ref":"#"}})", deep(64));
  for (const std::size_t depth : {129U, 1000U, 1'000'000U}) fails("true", deep(depth), "nested too deeply");
  EXPECT_EQ(verdict(R"({"items":{"$ref":"#"}})", deep(3), {}, {.max_depth = 3}), "");
  // Each level doubles the work.
  constexpr auto kDouble =
      R"({"anyOf":[{"items":{"$ref":"#"}},{"items":{"$ref":"#"}},false],"not":{"type":"null"}})";
  fails(kDouble, std::string(60, '[') + "null" + std::string(60, ']'), "too many steps");
  EXPECT_EQ(verdict(R"({"items":{"type":"number"}})", "[1,2]", {}, {.max_steps = 3}), "");
  EXPECT_THAT(verdict(R"({"items":{"type":"number"}})", "[1,2,3]", {}, {.max_steps = 3}),
              HasSubstr("too many steps"));
  // A "not" around it does not make it good.
  EXPECT_THAT(verdict(R"({"not":{"items":{"type":"number"}}})", "[1,2,3]", {}, {.max_steps = 3}),
              HasSubstr("too many steps"));

  const auto compiled = [](const std::string& schema, const CompileLimits& limits) {
    const auto made = Schema::compile(schema, {}, limits);
    return made ? "" : made.error().message;
  };
  const auto lists = R"({"items":{"items":{}}})";
  EXPECT_EQ(compiled(lists, {.max_types = 3, .max_depth = 2}), "");
  EXPECT_THAT(compiled(lists, {.max_types = 2}), HasSubstr("too many types"));
  EXPECT_THAT(compiled(lists, {.max_depth = 1}), HasSubstr("the schema is nested too deeply"));
  EXPECT_THAT(compiled(deep(1'000'000), {}), HasSubstr("the schema is nested too deeply"));
  EXPECT_EQ(compiled(R"({"pattern":"[a-z]{50}"})", {.max_pattern_bytes = 65'536}), "");
  EXPECT_THAT(compiled(R"({"pattern":"[a-z]{500}"})", {.max_pattern_bytes = 4096}), HasSubstr("its pattern"));
}

TEST(JsonCheckTest, Uris_AreResolved) {
  const auto base = "http://a/b/c/d?q";
  EXPECT_EQ(resolve_uri(base, "g"), "http://a/b/c/g");
  EXPECT_EQ(resolve_uri(base, "./g/"), "http://a/b/c/g/");
  EXPECT_EQ(resolve_uri(base, "/g"), "http://a/g");
  EXPECT_EQ(resolve_uri(base, "//g"), "http://g");
  EXPECT_EQ(resolve_uri(base, "#s"), "http://a/b/c/d?q#s");
  EXPECT_EQ(resolve_uri(base, "../../../g"), "http://a/g");
  EXPECT_EQ(resolve_uri(base, ".."), "http://a/b/");
  EXPECT_EQ(resolve_uri(base, "urn:x:y#z"), "urn:x:y#z");
  EXPECT_EQ(resolve_uri("", "item.json#/a"), "item.json#/a");
}

}  // namespace
}  // namespace tidegate::schema::json_schema
