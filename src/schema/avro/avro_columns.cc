#include "avro_columns.h"

#include <algorithm>
#include <utility>

#include "column_kinds.h"

namespace tidegate::schema::avro {
namespace {

bool is_scalar(Kind kind) {
  return kind != Kind::null && kind != Kind::record && kind != Kind::array && kind != Kind::map &&
         kind != Kind::choice;
}

std::string branch_name(const Type& type) {
  static constexpr const char* kNames[] = {"null",   "boolean", "int",  "long",  "float", "double", "bytes",
                                           "string", "record",  "enum", "array", "map",   "union",  "fixed"};
  return type.name.empty() ? kNames[static_cast<std::size_t>(type.kind)] : type.name;
}

}  // namespace

// ------------------------------------------------------------------------------------------- columns

class ColumnPlan::Maker {
 public:
  explicit Maker(ColumnPlan& plan) : plan_(plan) {}

  std::uint32_t make(std::uint32_t index) {
    const Type& type = plan_.schema_.type(index);
    if (++made_ > kMaxColumns) {
      plan_.usable_ = false;
      return add({.how = How::text, .type = index});
    }
    if (is_scalar(type.kind)) return add({.how = How::scalar, .type = index, .kind = kind_of(type)});
    switch (type.kind) {
      case Kind::null:
        return add({.how = How::nothing, .type = index});
      case Kind::record:
        return record(index, type);
      case Kind::array:
        return array(index, type);
      case Kind::choice:
        return choice(index, type);
      default:
        return add({.how = How::text, .type = index});
    }
  }

  // Not of How::nothing.
  ColumnType type_of(std::uint32_t at) const {
    const Node& node = plan_.nodes_[at];
    switch (node.how) {
      case How::nothing:
      case How::scalar:
        return {.kind = node.kind, .parts = {}};
      case How::text:
        return {.kind = ColumnKind::string, .parts = {}};
      case How::list:
        return {.kind = ColumnKind::list, .parts = {{.name = {}, .type = type_of(node.parts.front())}}};
      case How::nullable:
      case How::single:
        return type_of(node.parts.front());
      case How::record:
      case How::choice:
        return {.kind = ColumnKind::record, .parts = columns_of(node)};
    }
    return {};
  }
  std::vector<Column> columns_of(const Node& node) const {
    std::vector<Column> columns;
    for (std::size_t i = 0; i < node.parts.size(); ++i) {
      if (plan_.nodes_[node.parts[i]].how == How::nothing) continue;
      columns.push_back({.name = node.names[i], .type = type_of(node.parts[i])});
    }
    return columns;
  }

 private:
  std::uint32_t add(Node node) {
    plan_.nodes_.push_back(std::move(node));
    return static_cast<std::uint32_t>(plan_.nodes_.size() - 1);
  }
  How how(std::uint32_t at) const { return plan_.nodes_[at].how; }

  std::uint32_t record(std::uint32_t index, const Type& type) {
    // What it stands in: no end of columns.
    if (std::ranges::find(open_, index) != open_.end()) return add({.how = How::text, .type = index});
    open_.push_back(index);
    Node node{.how = How::nothing, .type = index, .kind = ColumnKind::record};
    for (std::size_t i = 0; i < type.parts.size(); ++i) {
      node.parts.push_back(make(type.parts[i]));
      node.names.push_back(type.labels[i]);
      if (how(node.parts.back()) != How::nothing) node.how = How::record;
    }
    open_.pop_back();
    return add(std::move(node));
  }

  std::uint32_t array(std::uint32_t index, const Type& type) {
    if (!is_scalar(plan_.schema_.type(type.parts.front()).kind))
      return add({.how = How::text, .type = index});
    Node node{.how = How::list, .type = index, .kind = ColumnKind::list};
    node.parts.push_back(make(type.parts.front()));
    return add(std::move(node));
  }

  std::uint32_t choice(std::uint32_t index, const Type& type) {
    Node node{.how = How::choice, .type = index, .kind = ColumnKind::record};
    for (std::size_t i = 0; i < type.parts.size(); ++i) {
      const Type& branch = plan_.schema_.type(type.parts[i]);
      if (branch.kind == Kind::null) node.null_branch = static_cast<std::int64_t>(i);
      // A list has no null, and an empty one may stand for it.
      const bool in_text = branch.kind == Kind::array && type.parts.size() > 1;
      node.parts.push_back(in_text ? add({.how = How::text, .type = type.parts[i]}) : make(type.parts[i]));
      node.names.push_back(branch_name(branch));
    }
    const bool has_null = node.null_branch >= 0;
    if (node.parts.size() == 1) {
      node.how = has_null || how(node.parts.front()) == How::nothing ? How::nothing : How::single;
      return add(std::move(node));
    }
    // A branch that is nothing cannot be told from null.
    for (std::size_t i = 0; i < node.parts.size(); ++i) {
      const bool is_null = static_cast<std::int64_t>(i) == node.null_branch;
      if (!is_null && how(node.parts[i]) == How::nothing) return add({.how = How::text, .type = index});
    }
    if (has_null && node.parts.size() == 2) {
      const std::size_t other = 1 - static_cast<std::size_t>(node.null_branch);
      node.how = How::nullable;
      node.parts = {node.parts[other]};
      node.names = {};
    }
    return add(std::move(node));
  }

  ColumnPlan& plan_;
  std::vector<std::uint32_t> open_;
  std::size_t made_ = 0;
};

ColumnPlan::ColumnPlan(const Schema& schema) : schema_(schema) {
  Maker maker(*this);
  root_ = maker.make(schema.root());
  const Node& root = nodes_[root_];
  root_is_record_ = root.how == How::record;
  if (!usable_) {
    nodes_.clear();
    nodes_.shrink_to_fit();
    return;
  }
  if (root_is_record_) {
    columns_ = maker.columns_of(root);
  } else if (root.how != How::nothing) {
    columns_.push_back({.name = std::string(kRootColumn), .type = maker.type_of(root_)});
  }
}

std::size_t ColumnPlan::size_bytes() const {
  std::size_t bytes = sizeof(*this);
  for (const Node& node : nodes_) {
    bytes += 2 * sizeof(node) + node.parts.capacity() * sizeof(std::uint32_t);
    for (const std::string& name : node.names) bytes += 2 * (sizeof(name) + name.capacity());
  }
  return bytes;
}

}  // namespace tidegate::schema::avro
