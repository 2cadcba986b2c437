// For the tests of Protobuf schemas: short ways to a compiled schema and to bytes.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protobuf/protobuf_schema.h"

namespace tidegate::schema::protobuf {

inline Schema compiled(std::string_view text, const std::vector<NamedText>& references = {}) {
  auto schema = Schema::compile(text, references);
  EXPECT_TRUE(schema) << text << ": " << (schema ? "" : schema.error().message);
  return schema ? std::move(*schema) : *Schema::compile("message NotCompiled {}");
}
inline std::string compile_error(std::string_view text, const std::vector<NamedText>& references = {},
                                 const CompileLimits& limits = {}) {
  const auto schema = Schema::compile(text, references, limits);
  return schema ? "" : schema.error().message;
}
inline std::string bytes(std::initializer_list<int> each) {
  std::string out;
  for (const int byte : each) out += static_cast<char>(byte);
  return out;
}
// In a block of its own size, so that ASan sees a read behind its end.
inline std::vector<std::uint8_t> exact(std::string_view text) { return {text.begin(), text.end()}; }
// Without the signs at the end that make it a multiple of four.
inline std::string in_base64(std::string_view plain) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : plain) {
    bits = (bits << 8) | static_cast<std::uint8_t>(c);
    for (count += 8; count >= 6; count -= 6) out += kLetters[(bits >> (count - 6)) & 63];
  }
  if (count > 0) out += kLetters[(bits << (6 - count)) & 63];
  return out;
}
// `count` messages within each other, the innermost one with a field; `inside` stands in it.
inline std::string nested(int count, const std::string& inside = "optional int32 a = 1;") {
  std::string text;
  for (int i = 1; i <= count; ++i) text += "message M" + std::to_string(i) + " {";
  return text + inside + std::string(static_cast<std::size_t>(count), '}');
}

}  // namespace tidegate::schema::protobuf
