// The durable form of a group: records that Group::on() emits and Group::apply() takes, live and after a
// restart alike. Each record is one entry, or the erasure of some, in the MetaStore scope of its group.
// Bytes: docs/group-records.md. Values begin with a version byte and bear later fields at their end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tidegate/base/ids.h"
#include "tidegate/base/result.h"
#include "tidegate/groups/requests.h"

namespace tidegate::groups {

// ----------------------------------------------------------------------------------------- classic

// What a restart must know of where a classic group stands. Preparing and completing come back as such:
// members are told to rejoin, or the leader's assignment is awaited.
enum class ClassicPhase : std::uint8_t { empty = 0, preparing = 1, completing = 2, stable = 3 };

// Also the head of a group that has nothing but offsets (phase empty, no protocol type).
struct ClassicHead {
  ClassicPhase phase = ClassicPhase::empty;
  std::int32_t generation = 0;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol;
  std::optional<std::string> leader;
  std::int64_t phase_since_ms = -1;  // wall time; retention counts from when the group became empty

  bool operator==(const ClassicHead&) const = default;
};

struct ClassicMemberData {
  std::string member_id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  std::int32_t session_timeout_ms = 0;
  std::int32_t rebalance_timeout_ms = 0;
  std::vector<JoinProtocol> protocols;

  bool operator==(const ClassicMemberData&) const = default;
};

struct PutClassicHead {
  ClassicHead head;
};
struct PutClassicMember {
  ClassicMemberData member;
};
// The member must have been put before.
struct PutClassicAssignment {
  std::string member_id;
  Bytes assignment;
};
// With its assignment.
struct EraseClassicMember {
  std::string member_id;
};

// ---------------------------------------------------------------------------------------- KIP-848

struct ConsumerHead {
  std::int32_t group_epoch = 0;
  std::int32_t target_epoch = 0;     // group epoch that the target assignment was made for
  std::uint64_t topics_hash = 0;     // of the subscribed topics' ids and partition counts at group_epoch
  std::string assignor;              // that made the target assignment
  std::int64_t empty_since_ms = -1;  // wall time; -1 while there are members

  bool operator==(const ConsumerHead&) const = default;
};

// A member that came by JoinGroup keeps what it sent there.
struct ClassicSideOfMember {
  std::int32_t session_timeout_ms = 0;
  std::vector<JoinProtocol> protocols;

  bool operator==(const ClassicSideOfMember&) const = default;
};

struct ConsumerMemberData {
  std::string member_id;
  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  std::string client_id;
  std::string client_host;
  std::int32_t rebalance_timeout_ms = -1;
  std::vector<std::string> subscribed_topics;  // ascending
  std::optional<std::string> subscribed_regex;
  std::optional<std::string> assignor;
  std::optional<ClassicSideOfMember> classic;

  bool operator==(const ConsumerMemberData&) const = default;
};

enum class ReconcileState : std::uint8_t { stable = 0, unrevoked_partitions = 1, unreleased_partitions = 2 };

struct CurrentAssignment {
  std::int32_t member_epoch = 0;  // -2: a static member that left for a while
  std::int32_t previous_epoch = 0;
  ReconcileState state = ReconcileState::stable;
  std::vector<TopicPartitions> assigned;
  std::vector<TopicPartitions> revoking;

  bool operator==(const CurrentAssignment&) const = default;
};

struct ResolvedRegex {
  std::vector<std::string> topics;  // ascending
  std::int64_t resolved_at_ms = 0;

  bool operator==(const ResolvedRegex&) const = default;
};

struct PutConsumerHead {
  ConsumerHead head;
};
struct PutConsumerMember {
  ConsumerMemberData member;
};
struct PutTargetAssignment {
  std::string member_id;
  std::vector<TopicPartitions> partitions;
};
struct PutCurrentAssignment {
  std::string member_id;
  CurrentAssignment assignment;
};
// With its target and current assignments.
struct EraseConsumerMember {
  std::string member_id;
};
struct PutRegex {
  std::string regex;
  ResolvedRegex resolved;
};
struct EraseRegex {
  std::string regex;
};

// ---------------------------------------------------------------------------------------- offsets

struct CommittedOffset {
  Offset offset = 0;
  LeaderEpoch leader_epoch = kNoEpoch;
  std::string metadata;
  std::int64_t committed_at_ms = 0;
  std::int64_t expires_at_ms = -1;  // only commits that named a retention (versions 2-4); -1: none
  TopicId topic_id;                 // zero: not known

  bool operator==(const CommittedOffset&) const = default;
};

struct PutOffset {
  std::string topic;
  std::int32_t partition = 0;
  CommittedOffset value;
};
struct EraseOffset {
  std::string topic;
  std::int32_t partition = 0;
};

// The head of either kind goes; the group is not there any more. Its members and offsets went before.
// Also between the two halves of a conversion, so that a head of one kind never replaces the other's.
struct EraseHead {};

using Record = std::variant<PutClassicHead, PutClassicMember, PutClassicAssignment, EraseClassicMember,
                            PutConsumerHead, PutConsumerMember, PutTargetAssignment, PutCurrentAssignment,
                            EraseConsumerMember, PutRegex, EraseRegex, PutOffset, EraseOffset, EraseHead>;

// ------------------------------------------------------------------------------------------- codec

// One operation of a MetaStore batch; nullopt erases.
struct StoredOp {
  std::string key;
  std::optional<std::string> value;
};

// The MetaStore scope of a group, and back; nullopt for a scope of something else.
std::string scope_of_group(std::string_view group_id);
std::optional<std::string> group_of_scope(std::string_view scope);
// What scopes() is asked for to find every group.
inline constexpr std::string_view kGroupScopes = "group/";

// Appends the operations of one record. Keys of one batch may repeat: the last one holds.
void encode(const Record& record, std::vector<StoredOp>& out);
// A stored entry as the record that puts it. Entries apply in key order. corrupt_message for bytes that make
// no sense, unsupported_version for a value that only a later release can read.
Result<Record> decode(std::string_view key, std::string_view value);

}  // namespace tidegate::groups
