// The public face: which rules an event goes to, and what can be seen from outside.
#include "tidegate/groups/group.h"

#include <utility>

#include "machine.h"
#include "rules.h"

namespace tidegate::groups {
namespace {

bool is_consumer(const Machine& group) { return group.type == GroupType::consumer; }

// One overload an event.
struct Dispatch {
  Step& step;

  void operator()(Join& request) const {
    // An empty group of the other kind changes its type.
    if (!step.group.consumer.members().empty()) return consumer::on_join(step, std::move(request));
    classic::on_join(step, std::move(request));
  }
  void operator()(Sync& request) const {
    if (is_consumer(step.group)) return consumer::on_sync(step, std::move(request));
    classic::on_sync(step, std::move(request));
  }
  void operator()(const Heartbeat& request) const {
    if (is_consumer(step.group)) return consumer::on_classic_heartbeat(step, request);
    classic::on_heartbeat(step, request);
  }
  void operator()(const Leave& request) const {
    if (is_consumer(step.group)) return consumer::on_leave(step, request);
    classic::on_leave(step, request);
  }
  void operator()(ConsumerHeartbeat& request) const { consumer::on_heartbeat(step, std::move(request)); }
  void operator()(CommitOffsets& request) const { offsets::on_commit(step, std::move(request)); }
  void operator()(const FetchOffsets& request) const { offsets::on_fetch(step, request); }
  void operator()(const DeleteOffsets& request) const { offsets::on_delete(step, request); }
  void operator()(const DeleteGroup& request) const { offsets::on_delete_group(step, request); }
  void operator()(const ExpireOffsets&) const { offsets::on_expire(step); }
  void operator()(const TopicsChanged& event) const {
    offsets::on_topics_changed(step, event);
    if (is_consumer(step.group)) consumer::on_topics_changed(step, event);
  }
  void operator()(const Loaded&) const {
    if (is_consumer(step.group)) return consumer::on_loaded(step);
    classic::on_loaded(step);
  }
  void operator()(const Wake&) const {
    while (const auto* timer = step.group.timers.pop_due(step.now.mono)) {
      const std::string member(timer->member());
      const auto kind = timer->kind();
      const bool of_consumer = kind >= TimerKind::consumer_session;
      if (of_consumer) {
        consumer::on_timer(step, kind, member);
      } else {
        classic::on_timer(step, kind, member);
      }
    }
  }
};

}  // namespace

std::string_view state_name(GroupState state) {
  switch (state) {
    case GroupState::empty:
      return "Empty";
    case GroupState::preparing_rebalance:
      return "PreparingRebalance";
    case GroupState::completing_rebalance:
      return "CompletingRebalance";
    case GroupState::assigning:
      return "Assigning";
    case GroupState::reconciling:
      return "Reconciling";
    case GroupState::stable:
      return "Stable";
    case GroupState::dead:
      return "Dead";
  }
  return "Dead";
}

std::string_view type_name(GroupType type) {
  switch (type) {
    case GroupType::none:
      return "unknown";
    case GroupType::classic:
      return "classic";
    case GroupType::consumer:
      return "consumer";
  }
  return "unknown";
}

Group::Group(std::string id, const GroupLimits& limits, const TopicView& topics, Rng& rng)
    : machine_(std::make_unique<Machine>(std::move(id), limits, topics, rng)) {}
Group::Group(Group&&) noexcept = default;
Group& Group::operator=(Group&&) noexcept = default;
Group::~Group() = default;

Effects Group::on(Event event, Now now) {
  Step step(*machine_, now);
  std::visit([&step](auto& one) { Dispatch{step}(one); }, event);
  return step.finish(std::holds_alternative<Wake>(event));
}

Result<void> Group::apply(const Record& record) { return machine_->apply(record); }

Result<void> Group::check_stored() const {
  return is_consumer(*machine_) ? consumer::check_stored(*machine_) : classic::check_stored(*machine_);
}

bool Group::exists() const { return machine_->exists(); }

bool Group::can_forget() const {
  // Without members nothing is parked.
  return !machine_->exists() && machine_->classic.pending_ids.empty();
}

std::uint64_t Group::last_persist() const { return machine_->last_persist; }
const std::string& Group::id() const { return machine_->id; }
GroupType Group::type() const { return machine_->type; }

GroupState Group::state() const {
  if (!machine_->exists()) return GroupState::dead;
  return is_consumer(*machine_) ? consumer::state_of(*machine_) : classic::state_of(*machine_);
}

GroupListing Group::listing() const {
  GroupListing row{.type = type(), .state = state()};
  if (is_consumer(*machine_)) {
    row.protocol_type = "consumer";
  } else {
    row.protocol_type = machine_->classic.head().protocol_type.value_or("");
  }
  return row;
}

std::optional<ClassicDescription> Group::describe_classic() const {
  if (!exists() || is_consumer(*machine_)) return std::nullopt;
  return classic::describe(*machine_);
}

std::optional<ConsumerDescription> Group::describe_consumer() const {
  if (!is_consumer(*machine_)) return std::nullopt;
  return consumer::describe(*machine_);
}

GroupCounts Group::counts() const {
  GroupCounts counts{.members = machine_->classic.size() + machine_->consumer.members().size(),
                     .pending_ids = machine_->classic.pending_ids.size(),
                     .offsets = machine_->offsets.size()};
  counts.parked = machine_->classic.counts().joins + machine_->classic.counts().syncs;
  return counts;
}

std::vector<Record> Group::snapshot() const {
  std::vector<Record> records;
  const auto& machine = *machine_;
  if (machine.type == GroupType::classic) records.emplace_back(PutClassicHead{machine.classic.head()});
  if (machine.type == GroupType::consumer) records.emplace_back(PutConsumerHead{machine.consumer.head()});
  for (const auto& [id, member] : machine.classic.members())
    records.emplace_back(PutClassicMember{member.data});
  for (const auto& [id, member] : machine.classic.members()) {
    if (!member.assignment.empty()) records.emplace_back(PutClassicAssignment{id, member.assignment});
  }
  for (const auto& [id, member] : machine.consumer.members())
    records.emplace_back(PutConsumerMember{member.data});
  for (const auto& [id, member] : machine.consumer.members()) {
    if (!member.target.empty()) records.emplace_back(PutTargetAssignment{id, member.target});
  }
  for (const auto& [id, member] : machine.consumer.members()) {
    if (member.current != CurrentAssignment{}) records.emplace_back(PutCurrentAssignment{id, member.current});
  }
  for (const auto& [regex, resolved] : machine.consumer.regexes())
    records.emplace_back(PutRegex{regex, resolved});
  for (const auto& [topic, partitions] : machine.offsets.topics()) {
    for (const auto& [partition, value] : partitions)
      records.emplace_back(PutOffset{topic, partition, value});
  }
  return records;
}

}  // namespace tidegate::groups
