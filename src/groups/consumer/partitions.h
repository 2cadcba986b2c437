// Sets of partitions, as sorted lists: the form in which assignments are compared, intersected and told.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "tidegate/base/ids.h"
#include "tidegate/groups/consumer_protocol.h"
#include "tidegate/groups/requests.h"
#include "tidegate/groups/topic_view.h"

namespace tidegate::groups::consumer {

// Ascending, none twice.
using PartitionSet = std::vector<PartitionId>;

// From any order, repeats included.
PartitionSet to_set(std::span<const TopicPartitions> topics);
std::vector<TopicPartitions> to_topics(const PartitionSet& partitions);

PartitionSet intersection(const PartitionSet& a, const PartitionSet& b);
PartitionSet difference(const PartitionSet& a, const PartitionSet& b);
PartitionSet united(const PartitionSet& a, const PartitionSet& b);
bool is_subset(const PartitionSet& part, const PartitionSet& whole);

// Between ids and the names of the classic protocol. Topics and partitions that do not exist are left out.
PartitionSet from_names(std::span<const NamedTopicPartitions> named, const TopicView& topics);
std::vector<NamedTopicPartitions> to_names(std::span<const TopicPartitions> partitions,
                                           const TopicView& topics);

}  // namespace tidegate::groups::consumer
