// What groups are told without being asked: topics that come and go, the time for expiry.
#include <algorithm>

#include "groups/group_shard.h"

namespace tidegate::broker {

std::vector<HostedGroupPtr> GroupShard::all() const {
  std::vector<HostedGroupPtr> groups;
  groups.reserve(groups_.size());
  for (const auto& [id, hosted] : groups_) groups.push_back(hosted);
  return groups;
}

Task<void> GroupShard::give_way() {
  auto turn = [this](Resume resume) { shard().post(std::move(resume)); };
  co_await suspend(turn);
}

// ------------------------------------------------------------------------------------------ topics

void GroupShard::topic_added_or_changed(const CatalogueTopicPtr& topic) {
  if (stopping_ || !topics_.differs(topic)) return;  // configs alone: nothing that groups know of
  changed_topics_.insert(topic->topic.name);
  tell_later();
}

void GroupShard::topic_removed(const CatalogueTopicPtr& topic) {
  topics_.forget(topic->topic.id);
  if (stopping_) return;
  deleted_topics_.push_back({topic->topic.name, topic->topic.id, topic->topic.partitions});
  tell_later();
}

// In a turn of its own: many changes of one moment become one event.
void GroupShard::tell_later() {
  if (!std::exchange(telling_, true)) shard().start(tell_of_topics(), "group topic changes");
}

Task<void> GroupShard::tell_of_topics() {
  const Busy busy(*this);
  co_await give_way();
  while (!stopping_ && (!changed_topics_.empty() || !deleted_topics_.empty())) {
    groups::TopicsChanged news;
    news.changed.assign(changed_topics_.begin(), changed_topics_.end());
    news.deleted = std::exchange(deleted_topics_, {});
    changed_topics_.clear();
    std::size_t done = 0;
    for (const HostedGroupPtr& hosted : all()) {
      if (++done % kGroupsPerTurn == 0) co_await give_way();
      if (stopping_) break;
      // One that is being read looks by itself when that has ended.
      if (hosted->phase == HostedGroup::Phase::ready) step(hosted, news);
    }
  }
  telling_ = false;
}

// ------------------------------------------------------------------------------------------ expiry

void GroupShard::arm_expiry() {
  if (stopping_) return;
  expiry_timer_ = shard().timers().arm(parts_.clock.now() + settings_.expiry_interval, [this] {
    expiry_timer_ = kNoTimer;
    shard().start(expire_offsets(), "offset expiry");
  });
}

Task<void> GroupShard::expire_offsets() {
  const Busy busy(*this);
  std::size_t done = 0;
  for (const HostedGroupPtr& hosted : all()) {
    if (++done % kGroupsPerTurn == 0) co_await give_way();
    if (stopping_) co_return;
    if (hosted->phase == HostedGroup::Phase::ready) step(hosted, groups::ExpireOffsets{});
  }
  arm_expiry();
}

}  // namespace tidegate::broker
