#include "offsets/offset_table.h"

namespace tidegate::groups {

void OffsetTable::apply(const PutOffset& record) {
  auto topic = topics_.find(record.topic);
  if (topic == topics_.end()) topic = topics_.emplace(record.topic, Partitions{}).first;
  if (topic->second.insert_or_assign(record.partition, record.value).second) ++size_;
}

void OffsetTable::apply(const EraseOffset& record) {
  const auto topic = topics_.find(record.topic);
  if (topic == topics_.end()) return;
  size_ -= topic->second.erase(record.partition);
  if (topic->second.empty()) topics_.erase(topic);
}

const CommittedOffset* OffsetTable::find(std::string_view topic, std::int32_t partition) const {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return nullptr;
  const auto entry = found->second.find(partition);
  return entry == found->second.end() ? nullptr : &entry->second;
}

}  // namespace tidegate::groups
