#include "proto_file.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "excerpt.h"

namespace tidegate::schema::protobuf {
namespace {

namespace pb = google::protobuf;

constexpr std::size_t kMaxPackageBytes = 1000;
constexpr std::size_t kMaxReasonBytes = 200;
// Options, services and punctuation in lists beside each field.
constexpr std::size_t kStatementsForAField = 4;
constexpr std::size_t kFurtherStatements = 1000;
constexpr std::size_t kDescriptorBytesForAField = 64;

std::unexpected<Error> refused(std::string reason) {
  return fail(ErrorCode::invalid_record, std::move(reason));
}

// Keeps the first error.
class FirstError final : public pb::io::ErrorCollector {
 public:
  void AddError(int line, pb::io::ColumnNumber column, const std::string& message) override {
    if (!text.empty()) return;
    if (line == 0) column -= std::min(column, inserted);
    text = fmt::format("{}:{}: {}", line + 1, column + 1, excerpt(message, kMaxReasonBytes));
  }
  int inserted = 0;  // bytes in front of the first line, which are not the text's
  std::string text;
};

// What the parser makes of a text, from its tokens alone.
struct Outline {
  bool has_syntax = false;
  std::size_t depth = 0;
  std::size_t statements = 0;
};
// Each kind of bracket for itself: a recursion is never deeper than their sum.
Outline outline_of(std::string_view text) {
  pb::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  FirstError ignored;
  pb::io::Tokenizer tokens(&stream, &ignored);
  Outline outline;
  constexpr std::string_view kOpening = "{[<";
  constexpr std::string_view kClosing = "}]>";
  std::array<std::size_t, kOpening.size()> open{};
  for (bool first = true; tokens.Next(); first = false) {
    const std::string& token = tokens.current().text;
    if (first) outline.has_syntax = token == "syntax";
    if (tokens.current().type != pb::io::Tokenizer::TYPE_SYMBOL) continue;
    if (const auto at = kOpening.find(token); at != std::string_view::npos) {
      outline.depth = std::max(outline.depth, ++open[at]);
    } else if (const auto closed = kClosing.find(token); closed != std::string_view::npos) {
      if (open[closed] > 0) --open[closed];
    }
    if (token == ";" || token == "," || token == "{") ++outline.statements;
  }
  return outline;
}

Result<void> parse_text(std::string_view text, const Budget& budget, pb::FileDescriptorProto& file) {
  const Outline outline = outline_of(text);
  if (outline.depth > budget.depth) return refused("the schema is nested too deeply");
  if (outline.statements > kStatementsForAField * budget.fields + kFurtherStatements) {
    return refused("the schema has too many fields");
  }
  // Without a syntax the parser takes proto2, and complains on standard error.
  const std::string_view syntax = outline.has_syntax ? "" : R"(syntax = "proto2"; )";
  pb::io::ArrayInputStream head(syntax.data(), static_cast<int>(syntax.size()));
  pb::io::ArrayInputStream body(text.data(), static_cast<int>(text.size()));
  std::array<pb::io::ZeroCopyInputStream*, 2> parts = {&head, &body};
  pb::io::ConcatenatingInputStream stream(parts.data(), static_cast<int>(parts.size()));
  FirstError error;
  error.inserted = static_cast<int>(syntax.size());
  pb::io::Tokenizer tokens(&stream, &error);
  pb::compiler::Parser parser;
  parser.RecordErrorsTo(&error);
  if (parser.Parse(&tokens, &file) && error.text.empty()) return {};
  return refused(error.text.empty() ? "it cannot be parsed" : error.text);
}

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// No .proto file but the empty one is Base64: each has a space, a brace or a semicolon.
bool is_base64(std::string_view text) {
  if (text.empty()) return false;
  while (text.ends_with('=')) text.remove_suffix(1);
  return text.find_first_not_of(kBase64) == std::string_view::npos;
}

std::string from_base64(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = (bits << 6) | static_cast<std::uint32_t>(kBase64.find(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count);
  }
  return bytes;
}

Result<void> parse_descriptor(std::string_view text, const Budget& budget, pb::FileDescriptorProto& file) {
  const std::string bytes = from_base64(text);
  if (bytes.size() > kDescriptorBytesForAField * budget.fields + kFurtherStatements) {
    return refused("the schema has too many fields");
  }
  if (file.ParsePartialFromString(bytes)) return {};
  return refused("it is neither a .proto file nor a file descriptor in Base64");
}

// Takes a file's definitions from the budget, and from the file what does not concern encoded messages:
// options of the future, or of files that nobody has, would only be in the way.
class Trimmer {
 public:
  explicit Trimmer(Budget& budget) : budget_(budget) {}

  bool file(pb::FileDescriptorProto& file) {
    file.clear_source_code_info();
    file.clear_options();
    file.clear_service();
    if (file.package().size() > kMaxPackageBytes) return fails("the name of its package is too long");
    const std::size_t scope = file.package().size();
    return takes(budget_.name_bytes, scope, kLongNames) && fields(*file.mutable_extension(), scope) &&
           each(*file.mutable_message_type(), [&](auto& one) { return message(one, scope, 1); }) &&
           each(*file.mutable_enum_type(), [&](auto& one) { return enumeration(one, scope); });
  }
  const std::string& reason() const { return reason_; }

 private:
  static constexpr auto kLongNames = "the full names in the schema are too long together";

  template <class List, class Visit>
  static bool each(List& list, Visit visit) {
    return std::ranges::all_of(list, visit);
  }
  bool fails(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }
  bool takes(std::size_t& left, std::size_t count, const char* reason) {
    if (left < count) return fails(reason);
    left -= count;
    return true;
  }
  bool takes_name(std::size_t scope, const std::string& name) {
    return takes(budget_.name_bytes, scope + 1 + name.size(), kLongNames);
  }
  bool takes_fields(std::size_t count) {
    return takes(budget_.fields, count, "the schema has too many fields");
  }

  template <class Fields>
  bool fields(Fields& all, std::size_t scope) {
    if (!takes_fields(static_cast<std::size_t>(all.size()))) return false;
    return each(all, [&](pb::FieldDescriptorProto& field) {
      field.clear_options();
      field.clear_default_value();
      field.clear_json_name();
      return takes_name(scope, field.name());
    });
  }

  bool enumeration(pb::EnumDescriptorProto& one, std::size_t scope) {
    bool aliases = one.options().allow_alias();
    for (const auto& option : one.options().uninterpreted_option()) {
      aliases = aliases || (option.name_size() == 1 && option.name(0).name_part() == "allow_alias" &&
                            option.identifier_value() == "true");
    }
    one.clear_options();
    if (aliases) one.mutable_options()->set_allow_alias(true);
    one.clear_reserved_range();
    one.clear_reserved_name();
    if (!takes(budget_.types, 1, "the schema has too many types") || !takes_name(scope, one.name()) ||
        !takes_fields(static_cast<std::size_t>(one.value_size()))) {
      return false;
    }
    // Values are named beside their enumeration.
    return each(*one.mutable_value(), [&](pb::EnumValueDescriptorProto& value) {
      value.clear_options();
      return takes_name(scope, value.name());
    });
  }

  bool message(pb::DescriptorProto& one, std::size_t scope, std::size_t depth) {
    if (depth > budget_.depth) return fails("the schema is nested too deeply");
    bool is_set = one.options().message_set_wire_format();
    for (const auto& option : one.options().uninterpreted_option()) {
      is_set =
          is_set || (option.name_size() == 1 && option.name(0).name_part() == "message_set_wire_format" &&
                     option.identifier_value() == "true");
    }
    if (is_set) return fails("it has a MessageSet, which cannot be checked");
    const bool is_map_entry = one.options().map_entry();
    one.clear_options();
    if (is_map_entry) one.mutable_options()->set_map_entry(true);
    one.clear_reserved_range();
    one.clear_reserved_name();
    for (auto& oneof : *one.mutable_oneof_decl()) oneof.clear_options();
    if (!takes(budget_.types, 1, "the schema has too many types") || !takes_name(scope, one.name()) ||
        !takes_fields(static_cast<std::size_t>(one.oneof_decl_size() + one.extension_range_size()))) {
      return false;
    }
    scope += 1 + one.name().size();
    return fields(*one.mutable_field(), scope) && fields(*one.mutable_extension(), scope) &&
           each(*one.mutable_oneof_decl(), [&](auto& oneof) { return takes_name(scope, oneof.name()); }) &&
           extension_ranges(one) &&
           each(*one.mutable_nested_type(), [&](auto& inner) { return message(inner, scope, depth + 1); }) &&
           each(*one.mutable_enum_type(), [&](auto& inner) { return enumeration(inner, scope); });
  }

  // A pool compares each range with each other and reports each pair.
  bool extension_ranges(pb::DescriptorProto& one) {
    std::vector<std::pair<int, int>> ranges;
    for (auto& range : *one.mutable_extension_range()) {
      range.clear_options();
      if (range.start() < 1 || range.end() <= range.start()) return fails("a range of extensions is empty");
      ranges.emplace_back(range.start(), range.end());
    }
    std::ranges::sort(ranges);
    for (std::size_t i = 1; i < ranges.size(); ++i) {
      if (ranges[i].first < ranges[i - 1].second) return fails("ranges of extensions overlap");
    }
    return each(one.field(), [&](const pb::FieldDescriptorProto& field) {
      auto behind =
          std::ranges::upper_bound(ranges, field.number(), {}, [](auto& range) { return range.first; });
      return behind == ranges.begin() || field.number() >= std::prev(behind)->second ||
             fails(fmt::format("field {} has the number of an extension",
                               excerpt(field.name(), kMaxReasonBytes)));
    });
  }

  Budget& budget_;
  std::string reason_;
};

}  // namespace

Result<pb::FileDescriptorProto> read_proto_file(const std::string& name, std::string_view text,
                                                Budget& budget) {
  pb::FileDescriptorProto file;
  if (text.size() > INT32_MAX) return refused("it is too large");
  auto parsed = is_base64(text) ? parse_descriptor(text, budget, file) : parse_text(text, budget, file);
  if (!parsed) return fail(std::move(parsed.error()));
  file.set_name(name);
  Trimmer trimmer(budget);
  if (!trimmer.file(file)) return refused(trimmer.reason());
  return file;
}

}  // namespace tidegate::schema::protobuf
