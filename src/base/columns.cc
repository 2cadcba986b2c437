#include "tidegate/base/columns.h"

#include <algorithm>

namespace tidegate {
namespace {

std::size_t count(const std::vector<Column>& columns) {
  std::size_t sum = 0;
  for (const Column& column : columns) sum += 1 + count(column.type.parts);
  return sum;
}

// Whether `own` can be added to it without a change of what is there.
bool is_compatible(const ColumnType& declared, const ColumnType& own) {
  if (declared.kind != own.kind) return false;
  if (declared.kind != ColumnKind::record) return declared == own;
  return std::ranges::all_of(own.parts, [&](const Column& part) {
    const auto at = std::ranges::find(declared.parts, part.name, &Column::name);
    return at == declared.parts.end() || is_compatible(at->type, part.type);
  });
}

void merge(std::vector<Column>& declared, const std::vector<Column>& more, std::size_t& left) {
  for (const Column& column : more) {
    const auto at = std::ranges::find(declared, column.name, &Column::name);
    if (at != declared.end()) {
      const bool in_record = at->type.kind == ColumnKind::record && is_compatible(at->type, column.type);
      if (in_record) merge(at->type.parts, column.type.parts, left);
      continue;
    }
    const std::size_t takes = 1 + count(column.type.parts);
    if (takes > left) continue;
    left -= takes;
    declared.push_back(column);
  }
}

}  // namespace

void add_columns(DeclaredColumns& declared, const DeclaredColumns& more) {
  if (declared.columns.empty()) declared.record_name = more.record_name;
  if (declared.record_name != more.record_name) return;
  std::size_t left = kMaxDeclaredColumns - std::min(kMaxDeclaredColumns, count(declared.columns));
  merge(declared.columns, more.columns, left);
}

bool holds(const ColumnType& declared, const ColumnType& own) {
  if (declared.kind != own.kind) return false;
  if (declared.kind != ColumnKind::record) return declared == own;
  return std::ranges::all_of(own.parts, [&](const Column& part) {
    const auto at = std::ranges::find(declared.parts, part.name, &Column::name);
    return at != declared.parts.end() && holds(at->type, part.type);
  });
}

}  // namespace tidegate
