// Committed offsets of one group, whoever committed them. Wholly durable: changes come by records only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "tidegate/groups/record.h"

namespace tidegate::groups {

class OffsetTable {
 public:
  using Partitions = std::map<std::int32_t, CommittedOffset>;
  using Topics = std::map<std::string, Partitions, std::less<>>;

  void apply(const PutOffset& record);
  void apply(const EraseOffset& record);

  const Topics& topics() const { return topics_; }
  const CommittedOffset* find(std::string_view topic, std::int32_t partition) const;
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  bool operator==(const OffsetTable&) const = default;

 private:
  Topics topics_;  // no topic without partitions
  std::size_t size_ = 0;
};

}  // namespace tidegate::groups
