// Finds the row of a key without a search.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tidegate/api/api_table.h"
#include "tidegate/base/assert.h"

namespace tidegate::server {

class ApiIndex {
 public:
  explicit ApiIndex(std::span<const api::ApiRow> rows) : rows_(rows) {
    for (const auto& row : rows) {
      TIDEGATE_ASSERT(row.key >= 0 && row.invoke != nullptr);
      const auto key = static_cast<std::size_t>(row.key);
      if (by_key_.size() <= key) by_key_.resize(key + 1);
      by_key_[key] = &row;
    }
  }
  const api::ApiRow* find(std::int16_t key) const {
    return key >= 0 && static_cast<std::size_t>(key) < by_key_.size() ? by_key_[static_cast<std::size_t>(key)]
                                                                      : nullptr;
  }
  std::span<const api::ApiRow> rows() const { return rows_; }

 private:
  std::span<const api::ApiRow> rows_;
  std::vector<const api::ApiRow*> by_key_;
};

}  // namespace tidegate::server
