// What a Group is asked: one plain struct per Kafka API, and the events that come from the shell itself.
// The API handlers fill them in (rights, topic names and ids are checked before), the shell routes them to
// the group's owner shard. A request carries a ReplyId of the shell's choice; exactly one Reply with that
// id comes back, at once or later. Versions appear only as the behaviour that they stand for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tidegate/base/clock.h"
#include "tidegate/base/ids.h"
#include "tidegate/groups/topic_view.h"

namespace tidegate::groups {

using Bytes = std::vector<std::uint8_t>;
// Unique among the requests of one group that are not answered yet.
using ReplyId = std::uint64_t;

struct Now {
  MonoTime mono;             // deadlines
  std::int64_t wall_ms = 0;  // commit timestamps, retention
};

struct Client {
  std::string id;
  std::string host;  // as DescribeGroups shows it: "/127.0.0.1"
};

// ------------------------------------------------------------------------------- classic protocol

struct JoinProtocol {
  std::string name;
  Bytes metadata;

  bool operator==(const JoinProtocol&) const = default;
};

// JoinGroup (11).
struct Join {
  ReplyId reply = 0;
  Client client;
  std::string member_id;
  std::optional<std::string> instance_id;
  std::int32_t session_timeout_ms = 0;
  // Negative (version 0): the session timeout.
  std::int32_t rebalance_timeout_ms = -1;
  std::string protocol_type;
  std::vector<JoinProtocol> protocols;  // most wanted first
  std::string reason;
  // Version 4 and up (KIP-394): a new dynamic member is told its id and must come back with it.
  bool member_id_required = false;
  // Version 9 (KIP-814): a static leader that rejoins may be told to skip the assignment.
  bool can_skip_assignment = false;
};

struct SyncAssignment {
  std::string member_id;
  Bytes assignment;
};

// SyncGroup (14).
struct Sync {
  ReplyId reply = 0;
  std::string member_id;
  std::optional<std::string> instance_id;
  std::int32_t generation = -1;
  std::optional<std::string> protocol_type;  // version 5
  std::optional<std::string> protocol;       // version 5
  std::vector<SyncAssignment> assignments;   // the leader's
};

// Heartbeat (12).
struct Heartbeat {
  ReplyId reply = 0;
  std::string member_id;
  std::optional<std::string> instance_id;
  std::int32_t generation = -1;
};

struct LeavingMember {
  std::string member_id;  // empty with an instance id: an administrator removes the static member
  std::optional<std::string> instance_id;
  std::string reason;
};

// LeaveGroup (13); the handler makes one member of versions 0-2, and puts its error on top.
struct Leave {
  ReplyId reply = 0;
  std::vector<LeavingMember> members;
};

// ---------------------------------------------------------------------------------------- offsets

struct PartitionCommit {
  std::int32_t partition = 0;
  Offset offset = 0;
  LeaderEpoch leader_epoch = kNoEpoch;
  std::string metadata;
};

struct TopicCommit {
  std::string topic;
  TopicId topic_id;  // zero: not known
  std::vector<PartitionCommit> partitions;
};

// OffsetCommit (8). Unknown topics are answered by the handler and do not come here.
struct CommitOffsets {
  ReplyId reply = 0;
  std::string member_id;
  std::optional<std::string> instance_id;
  std::int32_t generation_or_epoch = -1;
  // Versions 2-4: how long the offsets are kept; negative: offsets.retention.minutes.
  std::int64_t retention_ms = -1;
  // Version 9 and up: the codes of KIP-848 may be answered (113, and 69 for a group that is not there).
  bool knows_epochs = false;
  std::vector<TopicCommit> topics;
};

struct TopicSelection {
  std::string topic;
  TopicId topic_id;  // zero: not known; else an offset of an earlier topic of that name is not shown
  std::vector<std::int32_t> partitions;
};

// OffsetFetch (9), one group of it.
struct FetchOffsets {
  ReplyId reply = 0;
  // Version 9 and up; nullopt: nobody in particular, which is never refused.
  std::optional<std::string> member_id;
  std::int32_t member_epoch = -1;
  bool require_stable = false;
  std::optional<std::vector<TopicSelection>> topics;  // nullopt: all that the group has committed
};

// OffsetDelete (47).
struct DeleteOffsets {
  ReplyId reply = 0;
  std::vector<TopicSelection> topics;
};

// DeleteGroups (42), one group of it.
struct DeleteGroup {
  ReplyId reply = 0;
};

// ---------------------------------------------------------------------------------------- KIP-848

struct TopicPartitions {
  TopicId topic;
  std::vector<std::int32_t> partitions;  // ascending, none twice

  bool operator==(const TopicPartitions&) const = default;
};

// ConsumerGroupHeartbeat (68). nullopt is "unchanged since the last one".
struct ConsumerHeartbeat {
  ReplyId reply = 0;
  Client client;
  std::string member_id;
  std::int32_t member_epoch = 0;  // 0 joins, -1 leaves, -2 a static member leaves for a while
  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  std::int32_t rebalance_timeout_ms = -1;
  std::optional<std::vector<std::string>> subscribed_topics;
  std::optional<std::string> subscribed_regex;
  std::optional<std::string> assignor;
  std::optional<std::vector<TopicPartitions>> owned_partitions;  // as sent: order and repeats unchecked
  // Version 1 and up: the client makes its member id; without one the request is invalid.
  bool client_makes_id = false;
};

// ------------------------------------------------------------------------------- from the shell

// The first event after the records of a stored group were applied: every member gets a whole session
// timeout, an unfinished rebalance goes on. Harmless for a new group.
struct Loaded {};

// The time that Effects::wake_at named has come. Early or spurious ones do no harm.
struct Wake {};

// Topics were made, got partitions or are gone; the TopicView shows it already. `deleted` loses its offsets.
struct TopicsChanged {
  std::vector<std::string> changed;  // names, deleted ones not among them
  std::vector<TopicInfo> deleted;
};

// Every offsets.retention.check.interval.ms: drops expired offsets, and the group when that leaves nothing.
struct ExpireOffsets {};

using Event = std::variant<Join, Sync, Heartbeat, Leave, CommitOffsets, FetchOffsets, DeleteOffsets,
                           DeleteGroup, ConsumerHeartbeat, Loaded, Wake, TopicsChanged, ExpireOffsets>;

}  // namespace tidegate::groups
