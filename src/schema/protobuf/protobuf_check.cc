#include "protobuf_check.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "excerpt.h"
#include "fields.h"
#include "message_path.h"
#include "required.h"
#include "utf8.h"
#include "wire.h"

namespace tidegate::schema::protobuf {
namespace {

class Checker {
 public:
  Checker(const Schema& schema, const CheckLimits& limits)
      : schema_(schema), max_depth_(std::min(limits.max_depth, kMaxMessageDepth)) {}

  std::string run(const Message& message, ByteView bytes) {
    ByteView rest = bytes;
    if (fields(&message, rest, 0, 0)) {
      if (!lacks_required_) return {};
      const std::string missing = missing_required(schema_, message, bytes);
      return missing.empty()
                 ? ""
                 : fmt::format("the required field {} is missing", excerpt(missing, kMaxPathBytes));
    }
    if (path_.starts_with('.')) path_.erase(0, 1);
    return path_.empty() ? reason_ : fmt::format("{} (at {})", reason_, path_);
  }

 private:
  // False: failed, with a reason. The path grows from its end while the calls return.
  // The fields of a message (nullptr: of a group that is not known), up to the end of `rest` or, with a
  // number, of the group with that number.
  bool fields(const Message* message, ByteView& rest, std::uint32_t group, std::size_t depth);
  bool known(const Field& field, Fit fit, ByteView& rest, std::size_t depth, std::uint64_t& number);
  bool unknown(Tag tag, ByteView& rest, std::size_t depth);
  bool packed(const Field& field, ByteView content);
  bool varint(ByteView& rest, std::uint64_t& number) {
    if (read_varint(rest, number)) return true;
    return fails("a number is cut off or longer than ten bytes");
  }
  bool fixed(ByteView& rest, std::size_t size) {
    if (rest.size() < size)
      return fails(fmt::format("{} bytes are needed and {} are left", size, rest.size()));
    rest = rest.subspan(size);
    return true;
  }
  bool sized(ByteView& rest, ByteView& content) {
    std::size_t size = 0;
    if (!read_size(rest, size)) return fails("a length is cut off or too large");
    if (size > rest.size())
      return fails(fmt::format("{} bytes are announced and {} are left", size, rest.size()));
    content = rest.first(size);
    rest = rest.subspan(size);
    return true;
  }
  bool fails(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }
  // `before` are the fields of the same message.
  bool fails_in(const Field& field, ByteView before) {
    // Of a long path the end, which is known first.
    if (path_.size() >= kMaxPathBytes) return false;
    std::string part = "." + excerpt(field.name, kMaxNameBytes);
    if (field.repeated) {
      std::size_t count = 0;
      while (!before.empty()) count += take_field(before).tag.number == field.number ? 1 : 0;
      part += fmt::format("[{}]", count);
    }
    path_ = part + path_;
    return false;
  }

  static constexpr std::size_t kMaxPathBytes = 200;
  static constexpr std::size_t kMaxNameBytes = 100;
  const Schema& schema_;
  const std::size_t max_depth_;
  bool lacks_required_ = false;  // some message, which others may make up for
  std::string reason_;
  std::string path_;
};

bool Checker::packed(const Field& field, ByteView content) {
  if (field.shape != Shape::varint) {
    const std::size_t each = field.shape == Shape::fixed32 ? 4 : 8;
    return content.size() % each == 0 ||
           fails(fmt::format("packed numbers of {} bytes take {}", each, content.size()));
  }
  for (std::uint64_t number = 0; !content.empty();) {
    if (!varint(content, number)) return false;
  }
  return true;
}

bool Checker::known(const Field& field, Fit fit, ByteView& rest, std::size_t depth, std::uint64_t& number) {
  ByteView content;
  if (fit == Fit::packed) return sized(rest, content) && packed(field, content);
  switch (field.shape) {
    case Shape::varint:
      return varint(rest, number);
    case Shape::fixed32:
      return fixed(rest, 4);
    case Shape::fixed64:
      return fixed(rest, 8);
    case Shape::bytes:
      return sized(rest, content);
    case Shape::text:
      return sized(rest, content) && (is_utf8(content) || fails("a string is no UTF-8"));
    case Shape::message:
      return sized(rest, content) && fields(&schema_.message(field.message), content, 0, depth);
    case Shape::group:
      return fields(&schema_.message(field.message), rest, field.number, depth);
  }
  return fails("an unknown shape");
}

bool Checker::unknown(Tag tag, ByteView& rest, std::size_t depth) {
  std::uint64_t number = 0;
  ByteView content;
  switch (tag.type) {
    case WireType::varint:
      return varint(rest, number);
    case WireType::fixed64:
      return fixed(rest, 8);
    case WireType::sized:
      return sized(rest, content);
    case WireType::group_begin:
      return fields(nullptr, rest, tag.number, depth);
    case WireType::fixed32:
      return fixed(rest, 4);
    case WireType::group_end:
      break;
  }
  return fails(fmt::format("field {} has wire type {}, which there is not", tag.number,
                           static_cast<unsigned>(tag.type)));
}

bool Checker::fields(const Message* message, ByteView& rest, std::uint32_t group, std::size_t depth) {
  if (depth >= max_depth_) return fails("the record is nested too deeply");
  const ByteView begin = rest;
  std::vector<bool> present(message == nullptr ? 0 : message->required_count);
  std::size_t hint = 0;
  bool is_open = group != 0;
  while (!rest.empty()) {
    const ByteView before = begin.first(begin.size() - rest.size());
    Tag tag;
    if (!read_tag(rest, tag)) return fails("a field's number is cut off or longer than five bytes");
    if (tag.type == WireType::group_end) {
      if (!is_open || tag.number != group)
        return fails(fmt::format("group {} ends and has not begun", tag.number));
      is_open = false;
      break;
    }
    if (tag.number == 0) return fails("a field has the number 0");
    const Field* field = message == nullptr ? nullptr : find_field(*message, tag.number, hint);
    const Fit fit = field == nullptr ? Fit::unknown : fit_of(*field, tag.type);
    std::uint64_t number = 0;
    if (fit == Fit::unknown) {
      if (!unknown(tag, rest, depth + 1)) return field == nullptr ? false : fails_in(*field, before);
      continue;
    }
    if (!known(*field, fit, rest, depth + 1, number)) return fails_in(*field, before);
    if (field->required != kNone && is_present(schema_, *field, number)) present[field->required] = true;
  }
  if (is_open) return fails(fmt::format("group {} does not end", group));
  if (std::ranges::find(present, false) != present.end()) lacks_required_ = true;
  return true;
}

}  // namespace

std::string check_message(const Schema& schema, std::uint32_t message, ByteView bytes,
                          const CheckLimits& limits) {
  return Checker(schema, limits).run(schema.message(message), bytes);
}

FoundMessages find_messages(const Schema& schema, ByteView bytes) {
  const MessagePath path = read_message_path(bytes, schema.nesting());
  if (!path.problem.empty()) return {.messages = {}, .bytes = {}, .problem = path.problem};
  const Schema::Named named = schema.find(path.indexes);
  if (named.first != kNone || named.other != kNone)
    return {.messages = named, .bytes = path.message, .problem = {}};
  std::string steps;
  for (const std::uint32_t index : path.indexes)
    steps += fmt::format("{}{}", steps.empty() ? "" : ", ", index);
  return {.messages = {},
          .bytes = {},
          .problem = fmt::format("its message path names no message of the schema: {}", steps)};
}

std::string check(const Schema& schema, ByteView bytes, const CheckLimits& limits) {
  const FoundMessages found = find_messages(schema, bytes);
  if (!found.problem.empty()) return found.problem;
  const Schema::Named& named = found.messages;
  std::string problem;
  for (const std::uint32_t message : {named.first, named.other}) {
    if (message == kNone) continue;
    std::string of_message = check_message(schema, message, found.bytes, limits);
    if (of_message.empty()) return {};
    if (problem.empty()) {
      problem = fmt::format("as {}: {}", excerpt(schema.message(message).name, 100), of_message);
    }
  }
  return problem;
}

}  // namespace tidegate::schema::protobuf
