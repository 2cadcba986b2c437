#include "pattern.h"

#include <charconv>

#include <fmt/format.h>
#include <re2/re2.h>

#include "excerpt.h"

namespace tidegate::schema::json_schema {
namespace {

constexpr std::size_t kMaxReasonBytes = 100;
// White space of ECMA-262, and all else.
constexpr std::string_view kSpace =
    R"(\x{9}-\x{d}\x{20}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff})";
constexpr std::string_view kNoSpace =
    R"(\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e})"
    R"(\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff})";

class Translator {
 public:
  explicit Translator(std::string_view ecma) : rest_(ecma) {}

  Result<std::string> run() {
    while (!rest_.empty() && problem_.empty()) step();
    if (problem_.empty() && in_class_) problem_ = "a class has no end";
    if (!problem_.empty()) return fail(ErrorCode::invalid_record, problem_);
    return std::move(out_);
  }

 private:
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  void step() {
    if (take("\\")) return escape();
    if (in_class_) {
      if (take("]")) {
        in_class_ = false;
        out_ += ']';
      } else if (take("[")) {
        out_ += "\\[";
      } else {
        copy();
      }
      return;
    }
    if (take("[^]")) {
      out_ += R"([\x{0}-\x{10ffff}])";
    } else if (take("[]")) {
      out_ += R"([^\x{0}-\x{10ffff}])";
    } else if (take("[^")) {
      in_class_ = true;
      out_ += "[^";
    } else if (take("[")) {
      in_class_ = true;
      out_ += '[';
      if (take("^")) out_ += "\\^";
    } else if (take("(?")) {
      group();
    } else if (take(".")) {
      out_ += R"([^\n\r\x{2028}\x{2029}])";
    } else if (take("^")) {
      out_ += "\\A";
    } else if (take("$")) {
      out_ += "\\z";
    } else {
      copy();
    }
  }
  void copy() {
    out_ += rest_.front();
    rest_.remove_prefix(1);
  }
  void group() {
    if (rest_.starts_with('=') || rest_.starts_with('!') || rest_.starts_with("<=") ||
        rest_.starts_with("<!")) {
      problem_ = "lookahead and lookbehind are not supported";
      return;
    }
    if (take("<")) {
      const auto end = rest_.find('>');
      if (end == 0 || end == std::string_view::npos) {
        problem_ = "a group has no name";
        return;
      }
      rest_.remove_prefix(end + 1);
      out_ += "(?:";
      return;
    }
    if (!take(":")) {
      problem_ = "this kind of group is not of ECMA-262";
      return;
    }
    out_ += "(?:";
  }

  bool hex(std::size_t digits, std::uint32_t& code) {
    if (rest_.size() < digits) return false;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + digits, code, 16);
    if (error != std::errc() || end != rest_.data() + digits) return false;
    rest_.remove_prefix(digits);
    return true;
  }
  void code_point(std::uint32_t code) {
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
      problem_ = "an escape is no Unicode character";
    } else {
      out_ += fmt::format("\\x{{{:x}}}", code);
    }
  }
  void unicode() {
    std::uint32_t code = 0;
    if (take("{")) {
      const auto end = rest_.find('}');
      if (end == std::string_view::npos || end == 0 || end > 8 || !hex(end, code) || !take("}")) {
        problem_ = "an escape is no Unicode character";
        return;
      }
      return code_point(code);
    }
    if (!hex(4, code)) {
      problem_ = "an escape is no Unicode character";
      return;
    }
    std::uint32_t low = 0;
    if (code >= 0xd800 && code < 0xdc00 && take("\\u") && hex(4, low) && low >= 0xdc00 && low < 0xe000) {
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    code_point(code);
  }
  void property(bool negated) {
    const auto end = rest_.find('}');
    if (!rest_.starts_with('{') || end == std::string_view::npos) {
      problem_ = "an escape \\p has no {name}";
      return;
    }
    std::string_view name = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    for (const std::string_view kind : {"Script=", "sc=", "General_Category=", "gc="}) {
      if (name.starts_with(kind)) name.remove_prefix(kind.size());
    }
    if (name == "Letter") name = "L";
    if (name == "Number") name = "N";
    if (name == "Punctuation" || name == "punct") name = "P";
    out_ += fmt::format("\\{}{{{}}}", negated ? 'P' : 'p', name);
  }
  void escape() {
    if (rest_.empty()) {
      problem_ = "it ends with a backslash";
      return;
    }
    const char c = rest_.front();
    rest_.remove_prefix(1);
    std::uint32_t code = 0;
    switch (c) {
      case 's':
      case 'S': {
        const std::string_view set = c == 's' ? kSpace : kNoSpace;
        out_ += in_class_ ? std::string(set) : fmt::format("[{}]", set);
        return;
      }
      case 'd':
      case 'D':
      case 'w':
      case 'W':
      case 't':
      case 'n':
      case 'v':
      case 'f':
      case 'r':
        out_ += '\\';
        out_ += c;
        return;
      case 'b':
        out_ += in_class_ ? "\\x{8}" : "\\b";
        return;
      case 'B':
        if (in_class_) break;
        out_ += "\\B";
        return;
      case '0':
        if (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') break;
        return code_point(0);
      case 'c':
        if (rest_.empty() || ((rest_.front() | 0x20) < 'a' || (rest_.front() | 0x20) > 'z')) break;
        code = static_cast<std::uint32_t>(rest_.front() & 0x1f);
        rest_.remove_prefix(1);
        return code_point(code);
      case 'x':
        if (!hex(2, code)) break;
        return code_point(code);
      case 'u':
        return unicode();
      case 'p':
      case 'P':
        return property(c == 'P');
      default:
        if (c >= '1' && c <= '9') {
          problem_ = "backreferences are not supported";
          return;
        }
        if (std::string_view("^$\\.*+?()[]{}|/-:;,=!<>@#%&_~`'\" ").find(c) != std::string_view::npos) {
          code_point(static_cast<std::uint32_t>(c));
          return;
        }
    }
    problem_ = fmt::format("there is no escape \\{}", static_cast<unsigned char>(c) < 0x80 ? c : '?');
  }

  std::string_view rest_;
  std::string out_;
  std::string problem_;
  bool in_class_ = false;
};

}  // namespace

Result<std::string> re2_pattern(std::string_view ecma) { return Translator(ecma).run(); }

Result<Pattern> Pattern::compile(std::string_view ecma, std::size_t max_bytes) {
  const auto refused = [ecma](std::string_view reason) {
    return fail(ErrorCode::invalid_record,
                fmt::format("its pattern {} cannot be used: {}", excerpt(ecma, kMaxReasonBytes),
                            excerpt(reason, kMaxReasonBytes)));
  };
  auto translated = re2_pattern(ecma);
  if (!translated) return refused(translated.error().message);
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_max_mem(static_cast<std::int64_t>(max_bytes));
  Pattern made;
  auto compiled = std::make_shared<const re2::RE2>(*translated, options);
  if (!compiled->ok()) return refused(compiled->error());
  made.size_ = static_cast<std::size_t>(compiled->ProgramSize());
  made.compiled_ = std::move(compiled);
  return made;
}

bool Pattern::found_in(std::string_view text) const { return re2::RE2::PartialMatch(text, *compiled_); }

}  // namespace tidegate::schema::json_schema
