// What `fs.configure` of SeaweedFS's shell says about paths: JSON in the filer's own configuration entry. Of
// its rules one kind concerns us: a TTL, which the filer would put on our files. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/result.h"

namespace tidegate::storage::seaweedmq {

inline constexpr const char* kFilerRulesDirectory = "/etc/seaweedfs";
inline constexpr const char* kFilerRulesEntry = "filer.conf";

struct TtlRule {
  std::string location_prefix;
  std::string ttl;  // "7d"
};
// Rules with a TTL that reach something in or below `directory` (no slash at its end). corrupt_message when
// it is no such JSON.
Result<std::vector<TtlRule>> ttl_rules(std::string_view json, std::string_view directory);

}  // namespace tidegate::storage::seaweedmq
