// Building blocks of the tests of client quotas: entities, and requests that set and ask for quotas.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data_plane.h"
#include "tidegate/protocol/messages/alter_client_quotas.h"
#include "tidegate/protocol/messages/describe_client_quotas.h"

namespace tidegate::test {

using AlterQuotas = protocol::AlterClientQuotasRequest;
using DescribeQuotas = protocol::DescribeClientQuotasRequest;

using QuotaWords = std::vector<std::pair<std::string, std::optional<std::string>>>;
inline const std::optional<std::string> kDefaultName;

inline AlterQuotas::EntryData quota_entry(const QuotaWords& entity,
                                          std::vector<AlterQuotas::EntryData::OpData> ops) {
  AlterQuotas::EntryData entry;
  for (const auto& [type, name] : entity) entry.entity.push_back({type, name});
  entry.ops = std::move(ops);
  return entry;
}

class QuotaPlane : public DataPlane {
 public:
  explicit QuotaPlane(ApiHarnessOptions options = {}) : DataPlane(std::move(options)) {}

  protocol::AlterClientQuotasResponse alter(std::vector<AlterQuotas::EntryData> entries,
                                            bool validate_only = false, std::int16_t version = 1) {
    AlterQuotas request{.entries = std::move(entries), .validate_only = validate_only};
    return api.call<protocol::AlterClientQuotasResponse>(request, version);
  }
  // Of one entity.
  ErrorCode set(const QuotaWords& entity, std::string key, double value) {
    return alter({quota_entry(entity, {{std::move(key), value, false}})}).entries.at(0).error_code;
  }
  ErrorCode remove(const QuotaWords& entity, std::string key) {
    return alter({quota_entry(entity, {{std::move(key), 0, true}})}).entries.at(0).error_code;
  }
  protocol::DescribeClientQuotasResponse describe(std::vector<DescribeQuotas::ComponentData> components = {},
                                                  bool strict = false, std::int16_t version = 1) {
    DescribeQuotas request{.components = std::move(components), .strict = strict};
    return api.call<protocol::DescribeClientQuotasResponse>(request, version);
  }
  // "user=a client-id=* producer_byte_rate:1", one an entry.
  std::vector<std::string> described(std::vector<DescribeQuotas::ComponentData> components = {},
                                     bool strict = false) {
    const auto response = describe(std::move(components), strict);
    EXPECT_EQ(response.error_code, ErrorCode::none) << response.error_message.value_or("");
    std::vector<std::string> lines;
    for (const auto& entry : response.entries.value()) {
      std::string line;
      for (const auto& part : entry.entity)
        line += part.entity_type + "=" + part.entity_name.value_or("*") + " ";
      for (const auto& value : entry.values) line += fmt::format("{}:{} ", value.key, value.value);
      line.pop_back();
      lines.push_back(std::move(line));
    }
    return lines;
  }
};

}  // namespace tidegate::test
