#include "protocol/visitors/json_text.h"

#include <fmt/format.h>

#include <cctype>

namespace tidegate::protocol::testkit {

void JsonText::comma() {
  if (!out_.empty() && out_.back() != '{' && out_.back() != '[') out_.push_back(',');
}

void JsonText::open(char bracket) { out_.push_back(bracket); }
void JsonText::close(char bracket) { out_.push_back(bracket); }

void JsonText::key(std::string_view snake_case) {
  comma();
  out_.push_back('"');
  bool upper = false;
  for (const char c : snake_case) {
    if (c != '_') out_.push_back(upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c);
    upper = c == '_';
  }
  out_ += "\":";
}

void JsonText::element() { comma(); }
void JsonText::number(std::int64_t value) { out_ += fmt::format("{}", value); }
// The shortest text that reads back as the same number.
void JsonText::real(double value) { out_ += fmt::format("{}", value); }
void JsonText::boolean(bool value) { out_ += value ? "true" : "false"; }
void JsonText::null() { out_ += "null"; }

void JsonText::string(std::string_view utf8) {
  out_.push_back('"');
  for (const char c : utf8) {
    if (c == '"' || c == '\\') {
      out_.push_back('\\');
      out_.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out_ += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out_.push_back(c);
    }
  }
  out_.push_back('"');
}

void JsonText::base64(ByteView bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  out_.push_back('"');
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (i + j < bytes.size() ? bytes[i + j] : 0U);
    for (std::size_t j = 0; j < 4; ++j) {
      out_.push_back(i + j > bytes.size() ? '=' : kAlphabet[group >> (18 - 6 * j) & 63]);
    }
  }
  out_.push_back('"');
}

}  // namespace tidegate::protocol::testkit
