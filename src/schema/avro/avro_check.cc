#include "avro_check.h"

#include <algorithm>

#include <fmt/format.h>

#include "excerpt.h"
#include "utf8.h"

namespace tidegate::schema::avro {
namespace {

class Checker {
 public:
  Checker(const Schema& schema, ByteView datum, const CheckLimits& limits)
      : schema_(schema), rest_(datum), limits_(limits), empty_left_(limits.max_empty_values + datum.size()) {}

  std::string run();

 private:
  // False: failed, with a reason. The path grows from its end while the calls return.
  bool value(std::uint32_t index, std::size_t depth);
  bool record(const Type& type, std::size_t depth);
  bool choice(const Type& type, std::size_t depth);
  bool blocks(const Type& type, std::size_t depth);
  bool items(const Type& type, std::uint64_t count, std::uint64_t first, std::size_t depth);
  bool string();
  bool length(std::size_t& size);
  bool skip(std::size_t size);
  bool varint(std::int64_t& number);
  // Time is paid for in bytes: counts cost nothing where items take none, and neither do records of
  // records of nulls.
  bool pays(std::size_t before) {
    if (rest_.size() != before) return true;
    if (empty_left_ == 0) return fails("too many values that take no bytes");
    --empty_left_;
    return true;
  }
  bool fails(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }
  bool fails_in(const std::string& part) {
    // Of a long path the end, which is known first.
    if (path_.size() < kMaxPathBytes) path_ = part + path_;
    return false;
  }

  static constexpr std::size_t kMaxPathBytes = 200;
  static constexpr std::size_t kMaxNameBytes = 100;
  const Schema& schema_;
  ByteView rest_;
  const CheckLimits& limits_;
  std::size_t empty_left_;
  std::string reason_;
  std::string path_;
};

bool Checker::varint(std::int64_t& number) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < rest_.size(); ++i) {
    const std::uint8_t byte = rest_[i];
    if (i == 9 && byte > 1) return fails("a number is longer than 64 bits");
    bits |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      rest_ = rest_.subspan(i + 1);
      number = static_cast<std::int64_t>(bits >> 1) ^ -static_cast<std::int64_t>(bits & 1);
      return true;
    }
  }
  return fails("the record ends within a number");
}

bool Checker::skip(std::size_t size) {
  if (size > rest_.size())
    return fails(fmt::format("{} bytes are announced and {} are left", size, rest_.size()));
  rest_ = rest_.subspan(size);
  return true;
}

bool Checker::length(std::size_t& size) {
  std::int64_t number = 0;
  if (!varint(number)) return false;
  if (number < 0) return fails("a length is negative");
  size = static_cast<std::size_t>(number);
  return true;
}

bool Checker::string() {
  std::size_t size = 0;
  if (!length(size)) return false;
  const ByteView text = rest_.first(std::min(size, rest_.size()));
  if (!skip(size)) return false;
  return is_utf8(text) || fails("a string is no UTF-8");
}

bool Checker::record(const Type& type, std::size_t depth) {
  for (std::size_t i = 0; i < type.parts.size(); ++i) {
    const std::size_t before = rest_.size();
    if (!value(type.parts[i], depth)) return fails_in("." + excerpt(type.labels[i], kMaxNameBytes));
    if (!pays(before)) return false;
  }
  return true;
}

bool Checker::choice(const Type& type, std::size_t depth) {
  std::int64_t branch = 0;
  if (!varint(branch)) return false;
  if (branch < 0 || static_cast<std::uint64_t>(branch) >= type.parts.size()) {
    return fails(fmt::format("there is no branch {} in a union of {}", branch, type.parts.size()));
  }
  return value(type.parts[static_cast<std::size_t>(branch)], depth);
}

bool Checker::items(const Type& type, std::uint64_t count, std::uint64_t first, std::size_t depth) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::size_t before = rest_.size();
    if (type.kind == Kind::map && !string()) return fails_in(fmt::format("[{}]", first + i));
    if (!value(type.parts.front(), depth)) return fails_in(fmt::format("[{}]", first + i));
    if (!pays(before)) return false;
  }
  return true;
}

// Blocks of items: a count, negative when the size of the block in bytes follows, until a count of 0.
bool Checker::blocks(const Type& type, std::size_t depth) {
  std::uint64_t total = 0;
  for (;;) {
    std::int64_t count = 0;
    if (!varint(count)) return false;
    if (count == 0) return true;
    if (count > 0) {
      if (!items(type, static_cast<std::uint64_t>(count), total, depth)) return false;
      total += static_cast<std::uint64_t>(count);
      continue;
    }
    if (count == INT64_MIN) return fails("a block has no such count");
    std::size_t size = 0;
    if (!length(size)) return false;
    if (size > rest_.size()) return fails("a block is larger than the record");
    const std::size_t behind = rest_.size() - size;
    const auto items_of_block = static_cast<std::uint64_t>(-count);
    if (!items(type, items_of_block, total, depth)) return false;
    if (rest_.size() != behind) return fails("a block has another size than it says");
    total += items_of_block;
  }
}

bool Checker::value(std::uint32_t index, std::size_t depth) {
  const Type& type = schema_.type(index);
  std::int64_t number = 0;
  switch (type.kind) {
    case Kind::null:
      return true;
    case Kind::boolean:
      if (rest_.empty()) return fails("the record ends before a boolean");
      if (rest_.front() > 1) return fails("a boolean is neither 0 nor 1");
      return skip(1);
    case Kind::int32:
      if (!varint(number)) return false;
      return (number >= INT32_MIN && number <= INT32_MAX) || fails("an int does not fit 32 bits");
    case Kind::int64:
      return varint(number);
    case Kind::float32:
      return skip(4);
    case Kind::float64:
      return skip(8);
    case Kind::bytes: {
      std::size_t size = 0;
      return length(size) && skip(size);
    }
    case Kind::string:
      return string();
    case Kind::fixed:
      return skip(type.size);
    case Kind::enumeration:
      if (!varint(number)) return false;
      return (number >= 0 && static_cast<std::uint64_t>(number) < type.labels.size()) ||
             fails(fmt::format("there is no symbol {} in an enum of {}", number, type.labels.size()));
    case Kind::choice:
      return choice(type, depth);
    case Kind::record:
    case Kind::array:
    case Kind::map:
      if (depth >= limits_.max_depth) return fails("the record is nested too deeply");
      return type.kind == Kind::record ? record(type, depth + 1) : blocks(type, depth + 1);
  }
  return fails("an unknown type");
}

std::string Checker::run() {
  if (value(schema_.root(), 0)) {
    if (rest_.empty()) return {};
    return fmt::format("{} bytes are left behind the record", rest_.size());
  }
  if (path_.starts_with('.')) path_.erase(0, 1);
  return path_.empty() ? reason_ : fmt::format("{} (at {})", reason_, path_);
}

}  // namespace

std::string check(const Schema& schema, ByteView datum, const CheckLimits& limits) {
  return Checker(schema, datum, limits).run();
}

}  // namespace tidegate::schema::avro
