// What one shard knows of the topics: look-ups read it, deltas from shard 0 change it. Shard-local.
#pragma once

#include <cstddef>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::broker {

struct CatalogueDelta {
  std::vector<CatalogueTopicPtr> added;
  std::vector<CatalogueTopicPtr> changed;  // same name and id as before
  std::vector<CatalogueTopicPtr> removed;
};

class CatalogueReplica {
 public:
  CatalogueTopicPtr find(std::string_view name) const {
    const auto at = by_name_.find(name);
    return at == by_name_.end() ? nullptr : at->second;
  }
  CatalogueTopicPtr find(const TopicId& id) const {
    const auto at = by_id_.find(id);
    return at == by_id_.end() ? nullptr : at->second;
  }
  std::vector<CatalogueTopicPtr> list() const {
    std::vector<CatalogueTopicPtr> topics;
    topics.reserve(by_name_.size());
    for (const auto& [name, topic] : by_name_) topics.push_back(topic);
    return topics;
  }
  std::size_t size() const { return by_name_.size(); }
  std::size_t partitions() const { return partitions_; }

  void listen(CatalogueListener listener) { listeners_.push_back(std::move(listener)); }

  void apply(const CatalogueDelta& delta) {
    for (const auto& topic : delta.removed) {
      erase(topic);
      for (const auto& listener : listeners_) {
        if (listener.removed) listener.removed(topic);
      }
    }
    for (const auto& topic : delta.added) {
      insert(topic);
      for (const auto& listener : listeners_) {
        if (listener.added) listener.added(topic);
      }
    }
    for (const auto& topic : delta.changed) {
      // The old entry's key is a view of the old topic's name: it goes with it.
      if (const auto old = find(topic->topic.name)) erase(old);
      insert(topic);
      for (const auto& listener : listeners_) {
        if (listener.changed) listener.changed(topic);
      }
    }
  }

 private:
  void insert(const CatalogueTopicPtr& topic) {
    by_name_.emplace(topic->topic.name, topic);
    by_id_.emplace(topic->topic.id, topic);
    partitions_ += static_cast<std::size_t>(topic->topic.partitions);
  }
  void erase(const CatalogueTopicPtr& topic) {
    const auto at = by_name_.find(topic->topic.name);
    if (at == by_name_.end() || at->second->topic.id != topic->topic.id) return;
    const CatalogueTopicPtr keep = at->second;
    partitions_ -= static_cast<std::size_t>(keep->topic.partitions);
    by_name_.erase(at);
    by_id_.erase(keep->topic.id);
  }

  std::map<std::string_view, CatalogueTopicPtr> by_name_;  // keys are views of the topics' names
  std::unordered_map<TopicId, CatalogueTopicPtr> by_id_;
  std::size_t partitions_ = 0;
  std::vector<CatalogueListener> listeners_;
};

}  // namespace tidegate::broker
