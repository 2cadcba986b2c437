// Everything that a Group is made of, and the Step in which an event is worked on. The rules are free
// functions over Step&, one file per meaning: classic/, consumer/ and offsets/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "classic/classic_group.h"
#include "consumer/consumer_group.h"
#include "offsets/offset_table.h"
#include "tidegate/base/rng.h"
#include "tidegate/groups/group.h"
#include "timers.h"

namespace tidegate::groups {

class Machine {
 public:
  Machine(std::string group_id, const GroupLimits& group_limits, const TopicView& topic_view, Rng& random)
      : id(std::move(group_id)), limits(group_limits), topics(topic_view), rng(random) {}

  Result<void> apply(const Record& record);
  bool exists() const { return type != GroupType::none || !offsets.empty(); }

  const std::string id;
  const GroupLimits& limits;
  const TopicView& topics;
  Rng& rng;

  TimerQueue timers;  // before what holds Timers: it must outlive them

  // Durable, each changed by apply() only. A group with offsets and no members is a classic one with a head;
  // of `classic` and `consumer` the one that `type` does not name is empty but for volatile state.
  GroupType type = GroupType::none;
  ClassicGroup classic;
  ConsumerGroup consumer;
  OffsetTable offsets;

  std::uint64_t last_persist = 0;
  std::optional<MonoTime> announced_wake;
};

// One event on its way through the machine.
class Step {
 public:
  Step(Machine& machine, Now time) : group(machine), now(time) {}

  // Applies the record and puts it on this event's Persist.
  void emit(Record record);
  // Answers; held until everything emitted so far, and in this event, is durable.
  void reply(ReplyId id, ReplyBody body);
  // For answers that rest on nothing that a failed write could take back.
  void reply_at_once(ReplyId id, ReplyBody body);
  void note(Note note) { effects_.notes.push_back(std::move(note)); }
  MonoTime after(Duration delay) const { return now.mono + delay; }
  // Closes the step: numbers the persist, names it in the replies, decides on the wake-up.
  Effects finish(bool was_wake);

  Machine& group;
  const Now now;

 private:
  Effects effects_;
  std::vector<Record> records_;
  std::vector<std::size_t> held_;  // replies that wait for this event's persist, too
};

// Takes the head away, and what is stored beside it without being a member. The members went before.
void erase_head(Step& step);

// "<prefix>-<uuid>": how Kafka makes member ids.
std::string make_member_id(Rng& rng, std::string_view prefix);

}  // namespace tidegate::groups
