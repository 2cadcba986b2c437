#include "json_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "decimal.h"
#include "utf8.h"

namespace tidegate::schema::json_schema {

class JsonParser {
 public:
  JsonParser(JsonDocument& into, std::string_view text, std::size_t max_depth)
      : into_(into), text_(text), max_depth_(max_depth) {}

  Result<void> run() {
    std::uint32_t root = 0;
    if (value(root, 0)) {
      into_.root_ = root;
      skip_space();
      if (at_ == text_.size()) return {};
      fails("there is something behind the value");
    }
    return fail(ErrorCode::invalid_record, fmt::format("{} at byte {}", problem_, at_));
  }

 private:
  bool fails(const char* problem) {
    problem_ = problem;
    return false;
  }
  bool ends() {
    return at_ == text_.size() ? fails("the JSON text ends early") : fails("this is no JSON text");
  }
  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::uint32_t add(JsonValue value) {
    into_.values_.push_back(value);
    return static_cast<std::uint32_t>(into_.values_.size() - 1);
  }

  bool word(std::string_view word, JsonValue value, std::uint32_t& made) {
    if (!text_.substr(at_).starts_with(word)) return ends();
    at_ += word.size();
    made = add(value);
    return true;
  }
  bool digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > begin || ends();
  }
  bool number(std::uint32_t& made) {
    const std::size_t begin = at_;
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      while (at_ + 1 < text_.size() && text_[at_] == '0' && text_[at_ + 1] >= '0' && text_[at_ + 1] <= '9')
        ++at_;
      const std::size_t exponent = at_;
      if (!digits()) return false;
      if (at_ - exponent > 9) return fails("a number has an exponent of more than 9 digits");
    }
    // Comparing takes time by the length, and sorting compares often.
    if (at_ - begin > kMaxNumberBytes) return fails("a number has more than 1,000 characters");
    made = add({.kind = JsonKind::number, .text = text_.substr(begin, at_ - begin)});
    return true;
  }

  bool four(std::uint32_t& code) {
    code = 0;
    for (int i = 0; i < 4; ++i) {
      if (at_ == text_.size()) return ends();
      const char c = text_[at_];
      const bool letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
      if (!letter && (c < '0' || c > '9')) return ends();
      code = code * 16 + static_cast<std::uint32_t>(letter ? (c | 0x20) - 'a' + 10 : c - '0');
      ++at_;
    }
    return true;
  }
  bool escape(std::string& out) {
    if (at_ == text_.size()) return ends();
    constexpr std::string_view kFrom = "\"\\/bfnrt";
    constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
    const char c = text_[at_++];
    if (const auto found = kFrom.find(c); found != std::string_view::npos) {
      out += kTo[found];
      return true;
    }
    if (c != 'u') return fails("this is no JSON text");
    std::uint32_t code = 0;
    if (!four(code)) return false;
    if (code >= 0xd800 && code < 0xe000) {
      std::uint32_t low = 0;
      const bool pair =
          code < 0xdc00 && take('\\') && take('u') && four(low) && low >= 0xdc00 && low < 0xe000;
      if (!pair) return fails("a string has half a surrogate pair");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    append_utf8(out, code);
    return true;
  }
  bool string(std::string_view& made) {
    const std::size_t begin = ++at_;
    std::string* own = nullptr;
    for (;;) {
      const std::size_t run = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
             static_cast<unsigned char>(text_[at_]) >= 0x20) {
        ++at_;
      }
      if (at_ == text_.size()) return ends();
      if (text_[at_] == '\\' && own == nullptr) {
        own = &into_.unescaped_.emplace_back(text_.substr(begin, at_ - begin));
      } else if (own != nullptr) {
        own->append(text_.substr(run, at_ - run));
      }
      if (text_[at_] == '"') break;
      if (text_[at_] != '\\') return fails("a string has a control character");
      ++at_;
      if (!escape(*own)) return false;
    }
    made = own != nullptr ? std::string_view(*own) : text_.substr(begin, at_ - begin);
    ++at_;
    return true;
  }

  void sort_members(std::size_t from) {
    const auto name = [this](std::uint32_t at) { return into_.values_[at].name; };
    const auto begin = open_.begin() + static_cast<std::ptrdiff_t>(from);
    // Of equal names the later one has the larger index.
    std::sort(begin, open_.end(), [&name](std::uint32_t a, std::uint32_t b) {
      const int order = name(a).compare(name(b));
      return order != 0 ? order < 0 : a < b;
    });
    auto kept = begin;
    for (auto each = begin; each != open_.end(); ++each) {
      if (kept != begin && name(*(kept - 1)) == name(*each)) --kept;
      *kept++ = *each;
    }
    open_.erase(kept, open_.end());
  }
  bool container(bool object, std::uint32_t& made, std::size_t depth) {
    if (depth >= max_depth_) return fails("it is nested too deeply");
    ++at_;
    const char end = object ? '}' : ']';
    made = add({.kind = object ? JsonKind::object : JsonKind::array});
    const std::size_t from = open_.size();
    skip_space();
    for (bool first = true; !take(end); first = false) {
      if (!first && !take(',')) return ends();
      skip_space();
      std::string_view name;
      if (object) {
        if (at_ == text_.size() || text_[at_] != '"') return ends();
        if (!string(name)) return false;
        skip_space();
        if (!take(':')) return ends();
      }
      std::uint32_t child = 0;
      if (!value(child, depth + 1)) return false;
      into_.values_[child].name = name;
      open_.push_back(child);
      skip_space();
    }
    if (object) sort_members(from);
    JsonValue& whole = into_.values_[made];
    whole.size = static_cast<std::uint32_t>(into_.values_.size() - made);
    whole.first = static_cast<std::uint32_t>(into_.links_.size());
    whole.children = static_cast<std::uint32_t>(open_.size() - from);
    into_.links_.insert(into_.links_.end(), open_.begin() + static_cast<std::ptrdiff_t>(from), open_.end());
    open_.resize(from);
    return true;
  }
  bool value(std::uint32_t& made, std::size_t depth) {
    skip_space();
    if (at_ == text_.size()) return ends();
    switch (text_[at_]) {
      case '{':
        return container(true, made, depth);
      case '[':
        return container(false, made, depth);
      case '"': {
        std::string_view text;
        if (!string(text)) return false;
        made = add({.kind = JsonKind::string, .text = text});
        return true;
      }
      case 't':
        return word("true", {.kind = JsonKind::boolean, .truth = true}, made);
      case 'f':
        return word("false", {.kind = JsonKind::boolean}, made);
      case 'n':
        return word("null", {}, made);
      default:
        return number(made);
    }
  }

  static constexpr std::size_t kMaxNumberBytes = 1000;
  JsonDocument& into_;
  const std::string_view text_;
  const std::size_t max_depth_;
  std::size_t at_ = 0;
  std::vector<std::uint32_t> open_;  // children of what is being read
  const char* problem_ = "";
};

Result<JsonDocument> JsonDocument::parse(ByteView text, std::size_t max_depth) {
  if (!is_utf8(text)) return fail(ErrorCode::invalid_record, "the JSON text is no UTF-8");
  if (text.size() >= UINT32_MAX) return fail(ErrorCode::invalid_record, "the JSON text is too long");
  JsonDocument made;
  if (auto parsed = JsonParser(made, as_text(text), max_depth).run(); !parsed) {
    return fail(std::move(parsed.error()));
  }
  return made;
}

JsonDocument JsonDocument::of_string(std::string_view text) {
  JsonDocument made;
  made.values_.push_back({.kind = JsonKind::string, .text = text});
  return made;
}

std::optional<std::uint32_t> JsonDocument::member(std::uint32_t index, std::string_view name) const {
  if (values_[index].kind != JsonKind::object) return std::nullopt;
  const auto members = children(index);
  const auto at =
      std::ranges::lower_bound(members, name, {}, [this](std::uint32_t each) { return values_[each].name; });
  if (at == members.end() || values_[*at].name != name) return std::nullopt;
  return *at;
}

std::size_t JsonDocument::size_bytes() const {
  std::size_t size = values_.capacity() * sizeof(JsonValue) + links_.capacity() * sizeof(std::uint32_t);
  for (const std::string& each : unescaped_) size += sizeof(each) + each.capacity();
  return size;
}

int compare(const JsonDocument& a, std::uint32_t at_a, const JsonDocument& b, std::uint32_t at_b) {
  const JsonValue& left = a[at_a];
  const JsonValue& right = b[at_b];
  if (left.kind != right.kind) return left.kind < right.kind ? -1 : 1;
  switch (left.kind) {
    case JsonKind::null:
      return 0;
    case JsonKind::boolean:
      return static_cast<int>(left.truth) - static_cast<int>(right.truth);
    case JsonKind::number:
      return left.text == right.text ? 0 : compare(Decimal(left.text), Decimal(right.text));
    case JsonKind::string:
      return left.text.compare(right.text);
    case JsonKind::array:
    case JsonKind::object:
      break;
  }
  const auto of_a = a.children(at_a);
  const auto of_b = b.children(at_b);
  if (of_a.size() != of_b.size()) return of_a.size() < of_b.size() ? -1 : 1;
  for (std::size_t i = 0; i < of_a.size(); ++i) {
    if (const int order = a[of_a[i]].name.compare(b[of_b[i]].name); order != 0) return order;
    if (const int order = compare(a, of_a[i], b, of_b[i]); order != 0) return order;
  }
  return 0;
}

}  // namespace tidegate::schema::json_schema
