// From columns to an encoded record.
#include <algorithm>
#include <utility>

#include "avro_columns.h"
#include "column_kinds.h"

namespace tidegate::schema::avro {

class ColumnPlan::Writer {
 public:
  Writer(const ColumnPlan& plan, std::string& out) : plan_(plan), out_(out) {}
  bool value(std::uint32_t at, const ColumnValue* value);
  bool fields(const Node& node, const ColumnRecord& record);

 private:
  void number(std::int64_t value) {
    auto bits = (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
    for (; bits > 0x7f; bits >>= 7) out_.push_back(static_cast<char>(bits | 0x80));
    out_.push_back(static_cast<char>(bits));
  }
  bool scalar(const Type& type, const ColumnValue& value);
  bool list(const Node& node, const ColumnValue& value);
  bool choice(const Node& node, const ColumnValue* value);

  const ColumnPlan& plan_;
  std::string& out_;
};

bool ColumnPlan::Writer::scalar(const Type& type, const ColumnValue& value) {
  if (value.kind != kind_of(type)) return false;
  if (type.logical == Logical::decimal) {
    std::string unscaled;
    if (!decimal_bytes(value.bytes, type.scale, type.size, unscaled)) return false;
    if (type.kind == Kind::bytes) number(static_cast<std::int64_t>(unscaled.size()));
    out_ += unscaled;
    return true;
  }
  switch (type.kind) {
    case Kind::boolean:
      out_.push_back(value.number != 0 ? '\1' : '\0');
      return true;
    case Kind::int32:
    case Kind::int64:
      number(value.number);
      return true;
    case Kind::float32:
    case Kind::float64:
      for (int i = 0; i < (type.kind == Kind::float32 ? 4 : 8); ++i)
        out_.push_back(static_cast<char>(static_cast<std::uint64_t>(value.number) >> (8 * i)));
      return true;
    case Kind::enumeration: {
      const auto at = std::ranges::find(type.labels, value.bytes);
      if (at == type.labels.end()) return false;
      number(at - type.labels.begin());
      return true;
    }
    case Kind::fixed:
      if (value.bytes.size() != type.size) return false;
      out_ += value.bytes;
      return true;
    default:
      number(static_cast<std::int64_t>(value.bytes.size()));
      out_ += value.bytes;
      return true;
  }
}

bool ColumnPlan::Writer::list(const Node& node, const ColumnValue& value) {
  if (value.kind != ColumnKind::list) return false;
  if (!value.parts.empty()) number(static_cast<std::int64_t>(value.parts.size()));
  for (const NamedColumnValue& item : value.parts) {
    if (!this->value(node.parts.front(), &item.value)) return false;
  }
  number(0);
  return true;
}

bool ColumnPlan::Writer::choice(const Node& node, const ColumnValue* value) {
  if (value == nullptr || !value->kind) {
    if (node.null_branch < 0) return false;
    number(node.null_branch);
    return true;
  }
  if (value->kind != ColumnKind::record || value->parts.size() != 1) return false;
  const auto at = std::ranges::find(node.names, value->parts.front().name);
  if (at == node.names.end()) return false;
  const auto place = static_cast<std::size_t>(at - node.names.begin());
  number(static_cast<std::int64_t>(place));
  return this->value(node.parts[place], &value->parts.front().value);
}

bool ColumnPlan::Writer::fields(const Node& node, const ColumnRecord& record) {
  std::size_t place = 0;  // where the next one is, if it is not null
  for (std::size_t i = 0; i < node.parts.size(); ++i) {
    const ColumnValue* const found = find_column(record, node.names[i], place);
    if (found != nullptr) ++place;
    if (!value(node.parts[i], found)) return false;
  }
  return true;
}

bool ColumnPlan::Writer::value(std::uint32_t at, const ColumnValue* value) {
  const Node& node = plan_.nodes_[at];
  const bool is_null = value == nullptr || !value->kind;
  switch (node.how) {
    case How::nothing:
      if (plan_.schema_.type(node.type).kind == Kind::choice) number(0);
      if (plan_.schema_.type(node.type).kind == Kind::record) {
        for (const std::uint32_t part : node.parts) {
          if (!this->value(part, nullptr)) return false;
        }
      }
      return true;
    case How::scalar:
      return !is_null && scalar(plan_.schema_.type(node.type), *value);
    case How::list:
      return !is_null && list(node, *value);
    case How::record:
      return !is_null && value->kind == ColumnKind::record && fields(node, value->parts);
    case How::nullable:
      number(is_null ? node.null_branch : 1 - node.null_branch);
      return is_null || this->value(node.parts.front(), value);
    case How::single:
      number(0);
      return this->value(node.parts.front(), value);
    case How::choice:
      return choice(node, value);
    case How::text:
      return false;
  }
  return false;
}

bool ColumnPlan::write(const ColumnRecord& record, std::string& datum) const {
  datum.clear();
  if (!usable_) return false;
  Writer writer(*this, datum);
  if (root_is_record_) return writer.fields(nodes_[root_], record);
  return writer.value(root_, find_column(record, std::string(kRootColumn)));
}

}  // namespace tidegate::schema::avro
