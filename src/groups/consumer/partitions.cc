#include "consumer/partitions.h"

#include <algorithm>
#include <iterator>

namespace tidegate::groups::consumer {
namespace {

PartitionSet normalised(PartitionSet set) {
  std::ranges::sort(set);
  const auto repeats = std::ranges::unique(set);
  set.erase(repeats.begin(), repeats.end());
  return set;
}

}  // namespace

PartitionSet to_set(std::span<const TopicPartitions> topics) {
  PartitionSet set;
  for (const auto& topic : topics) {
    for (const auto partition : topic.partitions) set.push_back({topic.topic, partition});
  }
  return normalised(std::move(set));
}

std::vector<TopicPartitions> to_topics(const PartitionSet& partitions) {
  std::vector<TopicPartitions> topics;
  for (const auto& [topic, index] : partitions) {
    if (topics.empty() || topics.back().topic != topic) topics.push_back({.topic = topic, .partitions = {}});
    topics.back().partitions.push_back(index);
  }
  return topics;
}

PartitionSet intersection(const PartitionSet& a, const PartitionSet& b) {
  PartitionSet result;
  std::ranges::set_intersection(a, b, std::back_inserter(result));
  return result;
}

PartitionSet difference(const PartitionSet& a, const PartitionSet& b) {
  PartitionSet result;
  std::ranges::set_difference(a, b, std::back_inserter(result));
  return result;
}

PartitionSet united(const PartitionSet& a, const PartitionSet& b) {
  PartitionSet result;
  std::ranges::set_union(a, b, std::back_inserter(result));
  return result;
}

bool is_subset(const PartitionSet& part, const PartitionSet& whole) {
  return std::ranges::includes(whole, part);
}

PartitionSet from_names(std::span<const NamedTopicPartitions> named, const TopicView& topics) {
  PartitionSet set;
  for (const auto& topic : named) {
    const auto* info = topics.find(topic.topic);
    if (info == nullptr) continue;
    for (const auto partition : topic.partitions) {
      if (partition >= 0 && partition < info->partitions) set.push_back({info->id, partition});
    }
  }
  return normalised(std::move(set));
}

std::vector<NamedTopicPartitions> to_names(std::span<const TopicPartitions> partitions,
                                           const TopicView& topics) {
  std::vector<NamedTopicPartitions> named;
  for (const auto& topic : partitions) {
    if (const auto* info = topics.find(topic.topic)) named.push_back({info->name, topic.partitions});
  }
  return named;
}

}  // namespace tidegate::groups::consumer
