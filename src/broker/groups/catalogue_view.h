// The topic catalogue as the groups of one shard see it: its replica on that shard. Remembers what it was
// asked for, because a group wants to hold on to a name and a partition count for the length of a call.
#pragma once

#include <string>
#include <unordered_map>

#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/groups/topic_view.h"

namespace tidegate::broker {

class CatalogueView final : public groups::TopicView {
 public:
  explicit CatalogueView(const TopicCatalogue& catalogue) : catalogue_(catalogue) {}

  const groups::TopicInfo* find(std::string_view name) const override { return info(catalogue_.find(name)); }
  const groups::TopicInfo* find(const TopicId& id) const override { return info(catalogue_.find(id)); }
  void for_each(const std::function<bool(const groups::TopicInfo&)>& visit) const override {
    for (const CatalogueTopicPtr& topic : catalogue_.list()) {
      if (!visit(*info(topic))) return;
    }
  }

  // True when a group may have seen the topic with another partition count.
  bool differs(const CatalogueTopicPtr& topic) const {
    const auto known = known_.find(topic->topic.id);
    return known == known_.end() || known->second.partitions != topic->topic.partitions;
  }
  void forget(const TopicId& id) { known_.erase(id); }

 private:
  const groups::TopicInfo* info(const CatalogueTopicPtr& topic) const {
    if (!topic) return nullptr;
    auto& known = known_[topic->topic.id];
    if (known.partitions != topic->topic.partitions) {
      known = {topic->topic.name, topic->topic.id, topic->topic.partitions};
    }
    return &known;
  }

  const TopicCatalogue& catalogue_;
  mutable std::unordered_map<TopicId, groups::TopicInfo> known_;
};

}  // namespace tidegate::broker
