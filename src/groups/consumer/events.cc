// What happens to a KIP-848 group without a request: it is loaded, time passes, topics change.
#include <algorithm>

#include "consumer/consumer_rules.h"

namespace tidegate::groups::consumer {
namespace {

// nullptr when the expression does not compile, which only a changed limit or library can bring about.
const TopicPattern* pattern_of(Step& step, const std::string& regex) {
  auto& patterns = step.group.consumer.patterns;
  if (const auto known = patterns.find(regex); known != patterns.end()) return &known->second;
  auto compiled = TopicPattern::compile(regex, step.group.limits.max_regex_bytes);
  if (!compiled) return nullptr;
  return &patterns.emplace(regex, std::move(*compiled)).first->second;
}

void put_if_changed(Step& step, const std::string& regex, std::vector<std::string> topics) {
  const auto known = step.group.consumer.regexes().find(regex);
  if (known != step.group.consumer.regexes().end() && known->second.topics == topics) return;
  step.emit(PutRegex{regex, {.topics = std::move(topics), .resolved_at_ms = step.now.wall_ms}});
}

// All from the beginning: after a load, when any topic may have come or gone.
void resolve_all(Step& step) {
  std::vector<std::string> regexes;
  for (const auto& [regex, count] : step.group.consumer.subscribed_regexes()) regexes.push_back(regex);
  for (const auto& regex : regexes) {
    if (const auto* pattern = pattern_of(step, regex)) {
      put_if_changed(step, regex, pattern->resolve(step.group.topics));
    }
  }
}

// Only what the event names is matched.
void update_regexes(Step& step, const TopicsChanged& event) {
  const auto regexes = step.group.consumer.regexes();
  for (const auto& [regex, resolved] : regexes) {
    const auto* pattern = pattern_of(step, regex);
    if (pattern == nullptr) continue;
    auto topics = resolved.topics;
    const auto insert = [&](const std::string& name) {
      const auto place = std::ranges::lower_bound(topics, name);
      if (place == topics.end() || *place != name) topics.insert(place, name);
    };
    // A deleted topic may have been made anew in the same breath.
    for (const auto& topic : event.deleted) {
      if (step.group.topics.find(topic.name) == nullptr) std::erase(topics, topic.name);
    }
    for (const auto& name : event.changed) {
      if (pattern->matches(name) && step.group.topics.find(name) != nullptr) insert(name);
    }
    put_if_changed(step, regex, std::move(topics));
  }
}

}  // namespace

void resolve_regex(Step& step, const std::string& regex) {
  if (step.group.consumer.regexes().contains(regex)) return;
  const auto* pattern = pattern_of(step, regex);
  put_if_changed(step, regex,
                 pattern != nullptr ? pattern->resolve(step.group.topics) : std::vector<std::string>{});
}

Result<void> check_stored(const Machine& machine) {
  const auto& head = machine.consumer.head();
  if (head.target_epoch > head.group_epoch) {
    return fail(ErrorCode::corrupt_message, "group records: the target is ahead of the group");
  }
  for (const auto& [id, member] : machine.consumer.members()) {
    if (member.current.member_epoch <= head.target_epoch) continue;
    return fail(ErrorCode::corrupt_message, "group records: a member is ahead of the target");
  }
  return {};
}

void on_loaded(Step& step) {
  auto& group = step.group;
  if (group.consumer.members().empty()) return;
  for (auto& [id, member] : group.consumer.members()) {
    arm_session(step, member);
    if (member.is_classic() || member.current.state != ReconcileState::unrevoked_partitions) continue;
    const auto limit = std::chrono::milliseconds(std::max(member.data.rebalance_timeout_ms, 0));
    member.rebalance.arm(group.timers, TimerKind::consumer_rebalance, id, step.after(limit));
  }
  resolve_all(step);
  if (topics_differ(group)) raise_epoch(step);
}

void on_timer(Step& step, TimerKind kind, const std::string& member) {
  if (step.group.consumer.find(member) == nullptr) return;
  const auto why = kind == TimerKind::consumer_session     ? "its session expired"
                   : kind == TimerKind::consumer_rebalance ? "it did not give up its partitions in time"
                   : kind == TimerKind::consumer_join      ? "it did not join again in time"
                                                           : "it did not sync in time";
  remove_members(step, std::span(&member, 1), why);
}

void on_topics_changed(Step& step, const TopicsChanged& event) {
  auto& group = step.group;
  if (group.consumer.members().empty()) return;
  update_regexes(step, event);
  const auto concerns = [&](const std::string& name) { return is_subscribed(group, name); };
  const bool concerned = std::ranges::any_of(event.changed, concerns) ||
                         std::ranges::any_of(event.deleted, concerns, &TopicInfo::name);
  // The next heartbeat of any member computes the new target.
  if ((concerned || !group.consumer.regexes().empty()) && topics_differ(group)) raise_epoch(step);
}

}  // namespace tidegate::groups::consumer
