// From an encoded record to columns.
#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "avro_columns.h"
#include "column_kinds.h"

namespace tidegate::schema::avro {
namespace {

// JSON text of one datum: names may be long, and what has them no bytes.
constexpr std::size_t kMaxTextBytes = 64U << 10;
constexpr std::size_t kMaxTextPerByte = 8;

void put_json_string(std::string& out, ByteView bytes, bool is_text) {
  out.push_back('"');
  for (const std::uint8_t byte : bytes) {
    if (byte == '"' || byte == '\\') {
      out.push_back('\\');
      out.push_back(static_cast<char>(byte));
    } else if (byte < 0x20 || (!is_text && byte >= 0x7f)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out.push_back(static_cast<char>(byte));
    }
  }
  out.push_back('"');
}

}  // namespace

class ColumnPlan::Reader {
 public:
  Reader(const ColumnPlan& plan, ByteView datum)
      : plan_(plan), rest_(datum), text_left_(kMaxTextBytes + kMaxTextPerByte * datum.size()) {}

  ColumnValue value(std::uint32_t at);
  ColumnRecord fields(const Node& node);
  // All of it was read, and nothing is missing in columns.
  bool is_all() const { return good_ && exact_ && rest_.empty(); }

 private:
  std::int64_t number();
  ByteView take(std::uint64_t size);
  ByteView sized() { return take(static_cast<std::uint64_t>(number())); }
  ColumnValue scalar(const Type& type);
  ColumnValue list(const Node& node);
  ColumnValue choice(const Node& node);
  std::int64_t branch(std::size_t count);
  // Of any type, as JSON text.
  void put_json(std::uint32_t index, std::string& out);
  void put_json_items(const Type& type, std::string& out);
  // Of blocks; calls `item` for each.
  template <class Item>
  void blocks(Item item);

  const ColumnPlan& plan_;
  ByteView rest_;
  bool good_ = true;
  bool exact_ = true;
  std::size_t text_left_;
  bool text_too_long_ = false;
};

std::int64_t ColumnPlan::Reader::number() {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
    bits |= static_cast<std::uint64_t>(rest_[i] & 0x7f) << (7 * i);
    if (rest_[i] >= 0x80) continue;
    rest_ = rest_.subspan(i + 1);
    return static_cast<std::int64_t>(bits >> 1) ^ -static_cast<std::int64_t>(bits & 1);
  }
  good_ = false;
  return 0;
}

ByteView ColumnPlan::Reader::take(std::uint64_t size) {
  if (size > rest_.size()) {
    good_ = false;
    return {};
  }
  const ByteView taken = rest_.first(static_cast<std::size_t>(size));
  rest_ = rest_.subspan(taken.size());
  return taken;
}

template <class Item>
void ColumnPlan::Reader::blocks(Item item) {
  while (good_) {
    const std::int64_t count = number();
    if (count == 0 || count == std::numeric_limits<std::int64_t>::min()) return;
    if (count < 0) static_cast<void>(number());
    for (std::int64_t i = 0; i < (count < 0 ? -count : count) && good_; ++i) item();
  }
}

ColumnValue ColumnPlan::Reader::scalar(const Type& type) {
  ColumnValue made{.kind = kind_of(type)};
  switch (type.kind) {
    case Kind::boolean: {
      const ByteView byte = take(1);
      made.number = byte.empty() ? 0 : byte.front();
      return made;
    }
    case Kind::int32:
    case Kind::int64:
      made.number = number();
      return made;
    case Kind::float32:
    case Kind::float64: {
      const ByteView bytes = take(type.kind == Kind::float32 ? 4 : 8);
      std::uint64_t bits = 0;
      for (std::size_t i = bytes.size(); i-- > 0;) bits = bits << 8 | bytes[i];
      made.number = static_cast<std::int64_t>(bits);
      return made;
    }
    case Kind::enumeration: {
      const auto symbol = static_cast<std::uint64_t>(number());
      if (symbol >= type.labels.size()) {
        good_ = false;
        return {};
      }
      made.bytes = type.labels[symbol];
      return made;
    }
    default:
      made.bytes = std::string(as_text(type.kind == Kind::fixed ? take(type.size) : sized()));
      if (type.logical == Logical::decimal) {
        made.bytes = decimal_text(as_bytes(made.bytes), type.scale);
        // What does not fit is in no column.
        if (made.bytes.empty()) {
          exact_ = false;
          return {};
        }
      }
      return made;
  }
}

ColumnValue ColumnPlan::Reader::list(const Node& node) {
  ColumnValue made{.kind = ColumnKind::list};
  const Type& item = plan_.schema_.type(plan_.nodes_[node.parts.front()].type);
  blocks([&] {
    // Those that take no bytes (fixed of none) are counted only, and counts are anybody's word.
    if (item.kind == Kind::fixed && item.size == 0) {
      exact_ = false;
      return;
    }
    made.parts.push_back({.name = {}, .value = scalar(item)});
  });
  return made;
}

std::int64_t ColumnPlan::Reader::branch(std::size_t count) {
  const std::int64_t at = number();
  if (at >= 0 && static_cast<std::uint64_t>(at) < count) return at;
  good_ = false;
  return 0;
}

ColumnValue ColumnPlan::Reader::choice(const Node& node) {
  const std::int64_t at = branch(node.parts.size());
  if (!good_ || at == node.null_branch) return {};
  const auto place = static_cast<std::size_t>(at);
  ColumnValue made{.kind = ColumnKind::record};
  made.parts.push_back({.name = node.names[place], .value = value(node.parts[place])});
  return made;
}

ColumnRecord ColumnPlan::Reader::fields(const Node& node) {
  ColumnRecord record;
  for (std::size_t i = 0; i < node.parts.size() && good_; ++i) {
    ColumnValue one = value(node.parts[i]);
    if (one.kind) record.push_back({.name = node.names[i], .value = std::move(one)});
  }
  return record;
}

ColumnValue ColumnPlan::Reader::value(std::uint32_t at) {
  const Node& node = plan_.nodes_[at];
  if (!good_) return {};
  switch (node.how) {
    case How::nothing:
      // A union of null alone tells its branch.
      if (plan_.schema_.type(node.type).kind == Kind::choice) static_cast<void>(branch(node.parts.size()));
      if (plan_.schema_.type(node.type).kind == Kind::record) {
        for (const std::uint32_t part : node.parts) static_cast<void>(value(part));
      }
      return {};
    case How::scalar:
      return scalar(plan_.schema_.type(node.type));
    case How::list:
      return list(node);
    case How::record:
      return {.kind = ColumnKind::record, .bytes = {}, .parts = fields(node)};
    case How::nullable:
      return branch(2) == node.null_branch ? ColumnValue{} : value(node.parts.front());
    case How::single:
      static_cast<void>(branch(1));
      return value(node.parts.front());
    case How::choice:
      return choice(node);
    case How::text: {
      ColumnValue made{.kind = ColumnKind::string};
      exact_ = false;
      text_too_long_ = false;
      put_json(node.type, made.bytes);
      if (text_too_long_) return {};
      text_left_ -= std::min(text_left_, made.bytes.size());
      return made;
    }
  }
  return {};
}

void ColumnPlan::Reader::put_json_items(const Type& type, std::string& out) {
  const bool is_map = type.kind == Kind::map;
  out.push_back(is_map ? '{' : '[');
  bool first = true;
  blocks([&] {
    if (!std::exchange(first, false)) out.push_back(',');
    if (is_map) {
      put_json_string(out, sized(), true);
      out.push_back(':');
    }
    put_json(type.parts.front(), out);
  });
  out.push_back(is_map ? '}' : ']');
}

void ColumnPlan::Reader::put_json(std::uint32_t index, std::string& out) {
  if (!good_) return;
  if (out.size() > text_left_) {
    text_too_long_ = true;
    out.clear();
  }
  const Type& type = plan_.schema_.type(index);
  switch (type.kind) {
    case Kind::null:
      out += "null";
      return;
    case Kind::boolean: {
      const ByteView byte = take(1);
      out += !byte.empty() && byte.front() != 0 ? "true" : "false";
      return;
    }
    case Kind::int32:
    case Kind::int64:
      out += std::to_string(number());
      return;
    case Kind::float32:
    case Kind::float64: {
      const ColumnValue bits = scalar(type);
      const double real =
          type.kind == Kind::float32
              ? static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits.number)))
              : std::bit_cast<double>(bits.number);
      const bool is_number = real - real == 0;
      out += is_number ? fmt::format("{}", real) : fmt::format("\"{}\"", real);
      return;
    }
    case Kind::enumeration:
      put_json_string(out, as_bytes(scalar(type).bytes), true);
      return;
    case Kind::string:
      put_json_string(out, sized(), true);
      return;
    case Kind::bytes:
    case Kind::fixed:
      put_json_string(out, type.kind == Kind::fixed ? take(type.size) : sized(), false);
      return;
    case Kind::record:
      out.push_back('{');
      for (std::size_t i = 0; i < type.parts.size(); ++i) {
        if (i > 0) out.push_back(',');
        put_json_string(out, as_bytes(type.labels[i]), true);
        out.push_back(':');
        put_json(type.parts[i], out);
      }
      out.push_back('}');
      return;
    case Kind::array:
    case Kind::map:
      put_json_items(type, out);
      return;
    case Kind::choice:
      put_json(type.parts[static_cast<std::size_t>(branch(type.parts.size()))], out);
      return;
  }
}

bool ColumnPlan::read(ByteView datum, ColumnRecord& record) const {
  record.clear();
  if (!usable_) return false;
  Reader reader(*this, datum);
  if (root_is_record_) {
    record = reader.fields(nodes_[root_]);
  } else {
    ColumnValue value = reader.value(root_);
    if (value.kind) record.push_back({.name = std::string(kRootColumn), .value = std::move(value)});
  }
  return reader.is_all();
}

}  // namespace tidegate::schema::avro
