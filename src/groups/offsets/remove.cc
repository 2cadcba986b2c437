// Everything that takes offsets away: OffsetDelete, deleted topics, retention, DeleteGroups.
#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "rules.h"

namespace tidegate::groups::offsets {
namespace {

// Which topics the group still reads, asked many times in one event.
class Subscription {
 public:
  explicit Subscription(const Machine& group)
      : group_(group),
        topics_(group.type == GroupType::classic ? classic::subscribed_topics(group) : std::nullopt) {}

  bool is_known() const { return group_.type == GroupType::consumer || topics_.has_value(); }
  bool covers(const std::string& topic) const {
    if (group_.type == GroupType::consumer) return consumer::is_subscribed(group_, topic);
    if (topics_) return topics_->contains(topic);
    // Not known yet: a group of the consumer protocol may read anything, others read nothing.
    return group_.classic.head().protocol_type == "consumer";
  }

 private:
  const Machine& group_;
  std::optional<std::set<std::string>> topics_;
};

bool has_members(const Machine& group) {
  return group.classic.phase() != ClassicPhase::empty || !group.consumer.members().empty();
}

void erase(Step& step, std::vector<EraseOffset> erasures) {
  for (auto& erasure : erasures) step.emit(std::move(erasure));
}

void erase_group(Step& step) {
  std::vector<EraseOffset> erasures;
  for (const auto& [topic, partitions] : step.group.offsets.topics()) {
    for (const auto& [partition, committed] : partitions) erasures.push_back({topic, partition});
  }
  erase(step, std::move(erasures));
  erase_head(step);
}

// From when retention counts; nullopt while nothing of the group may expire.
class Retention {
 public:
  Retention(const Machine& group, std::int64_t now_ms)
      : now_ms_(now_ms), keep_ms_(group.limits.offsets_retention.count()) {
    if (group.type == GroupType::consumer) {
      // Kafka counts from the commit alone here: who has caught up and commits no more would lose its place
      // with its last member.
      empty_since_ms_ = group.consumer.head().empty_since_ms;
      return;
    }
    const auto& head = group.classic.head();
    if (!head.protocol_type) return;  // a consumer that assigns itself: from the commit
    if (head.phase == ClassicPhase::empty) {
      empty_since_ms_ = head.phase_since_ms;
    } else {
      // Members read on; what they do not subscribe to may go, once it is certain what that is.
      nothing_expires_ = head.phase != ClassicPhase::stable || !Subscription(group).is_known();
    }
  }

  bool is_over(const CommittedOffset& committed) const {
    if (nothing_expires_) return false;
    if (committed.expires_at_ms >= 0) return now_ms_ >= committed.expires_at_ms;
    // Kafka counts from when the group became empty alone; an offset that was reset since then would
    // expire at once, so the later of both holds here.
    return now_ms_ - std::max(empty_since_ms_, committed.committed_at_ms) >= keep_ms_;
  }

 private:
  std::int64_t now_ms_;
  std::int64_t keep_ms_;
  std::int64_t empty_since_ms_ = -1;
  bool nothing_expires_ = false;
};

}  // namespace

void on_delete(Step& step, const DeleteOffsets& request) {
  DeleteOffsetsReply reply;
  const auto& group = step.group;
  if (!group.exists()) {
    reply.error = ErrorCode::group_id_not_found;
  } else if (group.classic.phase() != ClassicPhase::empty &&
             group.classic.head().protocol_type != "consumer") {
    reply.error = ErrorCode::non_empty_group;
  } else {
    const Subscription subscription(group);
    std::vector<EraseOffset> erasures;
    for (const auto& topic : request.topics) {
      const bool is_read = subscription.covers(topic.topic);
      for (const auto partition : topic.partitions) {
        reply.partitions.push_back(is_read ? ErrorCode::group_subscribed_to_topic : ErrorCode::none);
        if (!is_read && group.offsets.find(topic.topic, partition) != nullptr) {
          erasures.push_back({topic.topic, partition});
        }
      }
    }
    erase(step, std::move(erasures));
  }
  step.reply(request.reply, std::move(reply));
}

void on_topics_changed(Step& step, const TopicsChanged& event) {
  std::vector<EraseOffset> erasures;
  for (const auto& gone : event.deleted) {
    const auto topic = step.group.offsets.topics().find(gone.name);
    if (topic == step.group.offsets.topics().end()) continue;
    for (const auto& [partition, committed] : topic->second) {
      // The name may live again and have been committed for already.
      if (!committed.topic_id.is_zero() && committed.topic_id != gone.id) continue;
      erasures.push_back({gone.name, partition});
    }
  }
  erase(step, std::move(erasures));
}

void on_expire(Step& step) {
  const auto& group = step.group;
  const Subscription subscription(group);
  const Retention retention(group, step.now.wall_ms);
  std::vector<EraseOffset> erasures;
  for (const auto& [topic, partitions] : group.offsets.topics()) {
    const bool is_read = has_members(group) && subscription.covers(topic);
    if (is_read) continue;
    for (const auto& [partition, committed] : partitions) {
      if (retention.is_over(committed)) erasures.push_back({topic, partition});
    }
  }
  erase(step, std::move(erasures));
  // Nothing is left of it but its name and generation.
  if (group.exists() && group.offsets.empty() && !has_members(group) && group.classic.pending_ids.empty()) {
    erase_head(step);
  }
}

void on_delete_group(Step& step, const DeleteGroup& request) {
  DeleteGroupReply reply;
  if (!step.group.exists()) {
    reply.error = ErrorCode::group_id_not_found;
  } else if (has_members(step.group)) {
    reply.error = ErrorCode::non_empty_group;
  } else {
    erase_group(step);
  }
  step.reply(request.reply, std::move(reply));
}

}  // namespace tidegate::groups::offsets
