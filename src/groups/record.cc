// Records as MetaStore entries. Byte tables: docs/group-records.md.
#include "tidegate/groups/record.h"

namespace tidegate::groups {

std::string scope_of_group(std::string_view group_id) {
  return std::string(kGroupScopes) + std::string(group_id);
}

std::optional<std::string> group_of_scope(std::string_view scope) {
  if (!scope.starts_with(kGroupScopes)) return std::nullopt;
  return std::string(scope.substr(kGroupScopes.size()));
}

void encode(const Record&, std::vector<StoredOp>&) {}
Result<Record> decode(std::string_view, std::string_view) { return fail(ErrorCode::unsupported_version); }

}  // namespace tidegate::groups
