// One consumer group as a pure state machine: classic (JoinGroup) or KIP-848 protocol, and committed offsets.
// The coordinator's shell owns one Group object per group on the group's owner shard, feeds it events and
// carries out the effects. No clock, no I/O: the same events give the same effects.
//
// Durable state changes only in apply(record), which on() calls for each record that it emits; recovery
// calls the same apply() for every stored record, then on(Loaded). Everything else (parked requests,
// deadlines, ids given out by MEMBER_ID_REQUIRED) is lost with the object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/result.h"
#include "tidegate/base/rng.h"
#include "tidegate/groups/effects.h"
#include "tidegate/groups/limits.h"
#include "tidegate/groups/record.h"
#include "tidegate/groups/requests.h"
#include "tidegate/groups/topic_view.h"

namespace tidegate::groups {

enum class GroupType { none, classic, consumer };

enum class GroupState {
  empty,
  preparing_rebalance,   // classic
  completing_rebalance,  // classic
  assigning,             // consumer
  reconciling,           // consumer
  stable,
  dead,  // not there
};

// As Kafka's tools print them: "PreparingRebalance", "classic".
std::string_view state_name(GroupState state);
std::string_view type_name(GroupType type);

// A row of ListGroups.
struct GroupListing {
  GroupType type = GroupType::none;
  GroupState state = GroupState::dead;
  std::string protocol_type;  // "consumer", "connect", ...; empty for offsets alone
};

// DescribeGroups.
struct ClassicDescription {
  GroupState state = GroupState::dead;
  std::string protocol_type;
  std::string protocol;  // the chosen one, in Stable only
  struct Member {
    std::string member_id;
    std::optional<std::string> instance_id;
    std::string client_id;
    std::string client_host;
    Bytes metadata;    // of the chosen protocol, in Stable only
    Bytes assignment;  // in Stable only
  };
  std::vector<Member> members;
};

// ConsumerGroupDescribe.
struct ConsumerDescription {
  GroupState state = GroupState::dead;
  std::int32_t group_epoch = 0;
  std::int32_t assignment_epoch = 0;
  std::string assignor;
  struct Member {
    std::string member_id;
    std::optional<std::string> instance_id;
    std::optional<std::string> rack_id;
    std::int32_t member_epoch = 0;
    std::string client_id;
    std::string client_host;
    std::vector<std::string> subscribed_topics;
    std::string subscribed_regex;
    std::vector<TopicPartitions> assignment;
    std::vector<TopicPartitions> target_assignment;
    bool classic = false;  // member type 0; 1 speaks the consumer protocol
  };
  std::vector<Member> members;
};

struct GroupCounts {
  std::size_t members = 0;
  std::size_t pending_ids = 0;
  std::size_t offsets = 0;
  std::size_t parked = 0;  // requests that wait for an event
};

class Machine;

class Group {
 public:
  // `limits`, `topics` and `rng` (member ids, jitter) outlive the group and are used in its calls only.
  Group(std::string id, const GroupLimits& limits, const TopicView& topics, Rng& rng);
  Group(Group&&) noexcept;
  Group& operator=(Group&&) noexcept;
  ~Group();

  Effects on(Event event, Now now);
  // Stored records in key order, before Loaded. corrupt_message when it does not fit what was applied
  // before: the group cannot be loaded. Never fails for a record that on() emitted.
  Result<void> apply(const Record& record);
  // After the last stored record, before Loaded: corrupt_message when they do not fit together. Every batch
  // that on() emits leaves a group that passes, and batches are atomic.
  Result<void> check_stored() const;

  // False while nothing durable is known of it: reads answer "no such group". See can_forget().
  bool exists() const;
  // Nothing durable, nothing parked, no pending id: once its last persist is durable the shell may drop the
  // object. A request for the group just makes one anew.
  bool can_forget() const;
  // The sequence of the last Persist; 0 before the first.
  std::uint64_t last_persist() const;

  const std::string& id() const;
  GroupType type() const;
  GroupState state() const;
  GroupListing listing() const;
  // nullopt when the group is of the other type or not there: group_id_not_found.
  std::optional<ClassicDescription> describe_classic() const;
  std::optional<ConsumerDescription> describe_consumer() const;
  GroupCounts counts() const;

  // What stands in storage for this group now, in key order: the records that bring an empty Group to the
  // same durable state. For tests, tools, and moving a group.
  std::vector<Record> snapshot() const;
  // The machine itself, for white-box tests.
  const Machine& machine() const { return *machine_; }

 private:
  std::unique_ptr<Machine> machine_;
};

}  // namespace tidegate::groups
