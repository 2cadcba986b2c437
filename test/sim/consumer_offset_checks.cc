// What must hold of committed offsets after every event, and the faults that show that the checks can fail.
#include <algorithm>

#include "machine.h"
#include "sim/consumer_world.h"

namespace tidegate::groups::sim {
namespace {

std::string text_of(ErrorCode code) { return std::string(error_name(code)); }

std::string text_of(const PartitionId& partition) {
  return "partition " + std::to_string(partition.index) + " of topic " +
         std::to_string(partition.topic.bytes[15]);
}

ErrorCode error_of(const ReplyBody& body) {
  return std::visit([](const auto& reply) { return reply.error; }, body);
}

}  // namespace

// -------------------------------------------------------------------------------------------- faults

void ConsumerWorld::spoil(Event& event) {
  auto* commit = std::get_if<CommitOffsets>(&event);
  const auto& members = group_->machine().consumer.members();
  if (commit == nullptr || members.empty()) return;
  const auto* member = group_->machine().consumer.find(commit->member_id);
  if (faults_.ignores_members && member == nullptr && !commit->member_id.empty()) {
    commit->member_id = members.begin()->first;
    commit->generation_or_epoch = members.begin()->second.current.member_epoch;
    commit->knows_epochs = true;
  } else if (faults_.ignores_epochs && member != nullptr) {
    commit->generation_or_epoch = member->current.member_epoch;
  }
}

void ConsumerWorld::spoil_records(std::vector<Record>& records) {
  if (!faults_.loses_commits || !chance(50)) return;
  std::erase_if(records, [](const Record& record) { return std::holds_alternative<PutOffset>(record); });
}

// -------------------------------------------------------------------------------------------- checks

// A member of the group, in the epoch that it has now.
bool ConsumerWorld::is_current(const CommitOffsets& request) const {
  const auto& machine = group_->machine();
  if (machine.type == GroupType::classic) {
    return machine.classic.find(request.member_id) != nullptr &&
           machine.classic.head().generation == request.generation_or_epoch;
  }
  const auto* member = machine.consumer.find(request.member_id);
  return member != nullptr && member->current.member_epoch == request.generation_or_epoch;
}

// Committed offsets never go back, and go away only when they may. Called before the shadow has applied them.
void ConsumerWorld::check_offset_records(const Event& event, const std::vector<Record>& records) {
  const auto& before = shadow_->machine().offsets;
  for (const auto& record : records) {
    if (const auto* put = std::get_if<PutOffset>(&record)) {
      const auto* stored = before.find(put->topic, put->partition);
      const bool same_topic = stored != nullptr && stored->topic_id == put->value.topic_id;
      if (same_topic && put->value.offset < stored->offset && !faults_.trusts_offsets) {
        breach("the committed offset of " + text_of({put->value.topic_id, put->partition}) +
               " goes back from " + std::to_string(stored->offset) + " to " +
               std::to_string(put->value.offset));
      }
    } else if (const auto* erased = std::get_if<EraseOffset>(&record)) {
      check_erasure(event, *erased);
    }
  }
}

void ConsumerWorld::check_erasure(const Event& event, const EraseOffset& erased) {
  const auto* stored = shadow_->machine().offsets.find(erased.topic, erased.partition);
  if (stored == nullptr) return breach("an offset is erased that is not there");
  const PartitionId partition{stored->topic_id, erased.partition};
  told_.erase(partition);
  erased_before_[partition] = next_reply_;
  const bool by_wish = std::holds_alternative<TopicsChanged>(event) ||
                       std::holds_alternative<DeleteOffsets>(event) ||
                       std::holds_alternative<DeleteGroup>(event);
  if (by_wish) return;
  if (!std::holds_alternative<ExpireOffsets>(event)) {
    return breach("the committed offset of " + text_of(partition) + " is erased without a reason");
  }
  if (now_.wall_ms - stored->committed_at_ms < limits_.offsets_retention.count()) {
    breach("the committed offset of " + text_of(partition) + " expires too early");
  }
  // As the members have it, not the group's own index over them.
  for (const auto& [id, member] : group_->machine().consumer.members()) {
    if (std::ranges::find(member.data.subscribed_topics, erased.topic) != member.data.subscribed_topics.end())
      breach("the committed offset of " + text_of(partition) + " expires, and " + id + " reads it");
  }
}

// At the time of the event, before the answer is held back or lost.
void ConsumerWorld::check_answer(const Reply& reply) {
  const auto asked = asked_.find(reply.id);
  if (asked == asked_.end()) return;
  const auto& about = asked->second;
  const auto error = error_of(reply.body);
  if (!faults_.trusts_answers) {
    if (about.must_get && error != *about.must_get) {
      breach("a request about offsets must get " + text_of(*about.must_get) + " and got " + text_of(error));
    }
    if (about.must_fail && error == ErrorCode::none) breach("a commit of the past was taken");
  }
  if (std::holds_alternative<CommitReply>(reply.body)) {
    ++(error == ErrorCode::none ? commits_ : refused_);
    if (error == ErrorCode::none) check_committer(about);
  } else if (const auto* fetched = std::get_if<FetchOffsetsReply>(&reply.body)) {
    check_rows(*fetched);
  }
}

// Only who owns a partition commits for it: nobody else believes that he does, and the coordinator knows of
// it.
void ConsumerWorld::check_committer(const Asked& about) {
  if (about.client < 0) return;
  const auto& client = clients_[static_cast<std::size_t>(about.client)];
  if (!in_group(client)) return breach("a commit of " + client.member_id + ", no member, was taken");
  for (const auto& [partition, offset] : about.commits) {
    for (const auto& other : clients_) {
      if (&other != &client && in_group(other) && other.owned.contains(partition)) {
        breach(client.member_id + " commits for " + text_of(partition) + ", which " + other.member_id +
               " owns");
      }
    }
  }
  const auto* member = group_->machine().consumer.find(client.member_id);
  if (member == nullptr) return;
  if (member->current.member_epoch != client.epoch) return breach("a commit of another epoch was taken");
  Owned held;
  for (const auto* list : {&member->current.assigned, &member->current.revoking}) {
    for (const auto& topic : *list) {
      for (const auto p : topic.partitions) held.insert({topic.topic, p});
    }
  }
  for (const auto& [partition, offset] : about.commits) {
    if (!held.contains(partition)) {
      breach(client.member_id + " commits for " + text_of(partition) + ", which it does not hold");
    }
  }
}

// Who asks is shown at least what anybody was told before.
void ConsumerWorld::check_rows(const FetchOffsetsReply& reply) {
  if (faults_.trusts_offsets) return;
  for (const auto& topic : reply.topics) {
    for (const auto& row : topic.partitions) {
      const auto told = told_.find({topic.topic_id, row.partition});
      if (told != told_.end() && row.offset < told->second) {
        breach("offset " + std::to_string(row.offset) + " of " + text_of(told->first) + " is shown, " +
               std::to_string(told->second) + " was told");
      }
    }
  }
}

// After a restart: nobody was told of an offset that is lost now.
void ConsumerWorld::check_durable_offsets() {
  if (faults_.trusts_offsets) return;
  for (const auto& [partition, offset] : told_) {
    const auto* stored = group_->machine().offsets.find(topics_.name_ever(partition.topic), partition.index);
    if (stored == nullptr || stored->topic_id != partition.topic || stored->offset < offset) {
      breach("offset " + std::to_string(offset) + " of " + text_of(partition) + " was told and is lost");
    }
  }
}

void ConsumerWorld::note_told(ReplyId id, const PartitionId& partition, Offset offset) {
  if (offset < 0 || topics_.find(partition.topic) == nullptr) return;
  const auto erased = erased_before_.find(partition);
  if (erased != erased_before_.end() && id < erased->second) return;
  auto& told = told_.try_emplace(partition, offset).first->second;
  told = std::max(told, offset);
}

}  // namespace tidegate::groups::sim
