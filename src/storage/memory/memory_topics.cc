#include "memory_topics.h"

#include <set>
#include <utility>

#include <fmt/format.h>

#include "tidegate/base/assert.h"

namespace tidegate::storage {

namespace {
Error unknown(const TopicId& id) {
  return {ErrorCode::unknown_topic_id, fmt::format("there is no topic with id {}", id.to_string())};
}
}  // namespace

Task<Result<void>> MemoryTopics::create(std::vector<Topic> topics) { co_return insert(std::move(topics)); }

Result<void> MemoryTopics::insert(std::vector<Topic> topics) {
  const std::lock_guard lock(mutex_);
  std::set<std::string_view> names;
  std::int64_t partitions = 0;
  for (const auto& topic : topics) {
    TIDEGATE_ASSERT(!topic.id.is_zero() && !by_id_.contains(topic.id) && topic.partitions > 0);
    if (by_name_.contains(topic.name) || !names.insert(topic.name).second) {
      return fail(ErrorCode::topic_already_exists, fmt::format("topic {} exists already", topic.name));
    }
    partitions += topic.partitions;
  }
  if (partitions_ + partitions > max_partitions_) {
    return fail(
        ErrorCode::invalid_partitions,
        fmt::format("{} partitions more would be above the engine's {}", partitions, max_partitions_));
  }
  partitions_ += partitions;
  for (auto& topic : topics) {
    by_name_.emplace(topic.name, topic.id);
    by_id_.emplace(topic.id, std::move(topic));
  }
  return {};
}

Task<std::vector<Result<void>>> MemoryTopics::remove(std::vector<TopicId> ids) {
  std::vector<Result<void>> results;
  std::vector<TopicId> gone;
  results.reserve(ids.size());
  for (const TopicId& id : ids) {
    results.push_back(erase(id));
    if (results.back()) gone.push_back(id);
  }
  // From here on no shard opens a log of them; those that are open go now.
  if (!gone.empty()) co_await removed_(std::move(gone));
  co_return results;
}

Result<void> MemoryTopics::erase(const TopicId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return fail(unknown(id));
  partitions_ -= found->second.partitions;
  by_name_.erase(found->second.name);
  by_id_.erase(found);
  return {};
}

Task<Result<std::vector<Topic>>> MemoryTopics::list() { co_return all(); }

std::vector<Topic> MemoryTopics::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<Topic> topics;
  topics.reserve(by_name_.size());
  for (const auto& [name, id] : by_name_) topics.push_back(by_id_.at(id));
  return topics;
}

Task<std::vector<Result<void>>> MemoryTopics::add_partitions(std::vector<Growth> growths) {
  std::vector<Result<void>> results;
  results.reserve(growths.size());
  for (const Growth& growth : growths) results.push_back(grow(growth.id, growth.partitions));
  co_return results;
}

Result<void> MemoryTopics::grow(const TopicId& id, std::int32_t partitions) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return fail(unknown(id));
  Topic& topic = found->second;
  const std::int64_t more = std::int64_t{partitions} - topic.partitions;
  if (more <= 0) {
    return fail(ErrorCode::invalid_partitions,
                fmt::format("topic {} has {} partitions already", topic.name, topic.partitions));
  }
  if (partitions_ + more > max_partitions_) {
    return fail(ErrorCode::invalid_partitions,
                fmt::format("{} partitions more would be above the engine's {}", more, max_partitions_));
  }
  partitions_ += more;
  topic.partitions = partitions;
  return {};
}

Task<Result<void>> MemoryTopics::set_config(TopicId id, std::map<std::string, std::string> configs) {
  co_return configure(id, std::move(configs));
}

Result<void> MemoryTopics::configure(const TopicId& id, std::map<std::string, std::string> configs) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return fail(unknown(id));
  found->second.configs = std::move(configs);
  return {};
}

bool MemoryTopics::contains(const PartitionId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id.topic);
  return found != by_id_.end() && id.index >= 0 && id.index < found->second.partitions;
}

void MemoryTopics::clear() {
  const std::lock_guard lock(mutex_);
  by_name_.clear();
  by_id_.clear();
  partitions_ = 0;
}

}  // namespace tidegate::storage
