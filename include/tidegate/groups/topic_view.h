// What a group needs to know of topics: names, ids, partition counts. The shell implements it over its
// shard's replica of the topic catalogue and tells the group of changes by a TopicsChanged event.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "tidegate/base/ids.h"

namespace tidegate::groups {

struct TopicInfo {
  std::string name;
  TopicId id;
  std::int32_t partitions = 0;

  bool operator==(const TopicInfo&) const = default;
};

class TopicView {
 public:
  virtual ~TopicView() = default;
  // nullptr when there is no such topic; valid until the view changes, which never happens during a
  // call of Group.
  virtual const TopicInfo* find(std::string_view name) const = 0;
  virtual const TopicInfo* find(const TopicId& id) const = 0;
  // In name order, until `visit` says false.
  virtual void for_each(const std::function<bool(const TopicInfo&)>& visit) const = 0;
};

// For tests and tools that have no topics.
class NoTopics final : public TopicView {
 public:
  const TopicInfo* find(std::string_view) const override { return nullptr; }
  const TopicInfo* find(const TopicId&) const override { return nullptr; }
  void for_each(const std::function<bool(const TopicInfo&)>&) const override {}
};

}  // namespace tidegate::groups
