// What a Group wants done after an event: replies to send, records to make durable, when to be woken.
// The shell keeps three promises: persists of one group are written in sequence; a reply is held until
// the persist that it names is durable; when a write fails every unanswered request of the group gets
// COORDINATOR_NOT_AVAILABLE, the Group is destroyed, and a new one is loaded from what is stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/base/ids.h"
#include "tidegate/groups/record.h"
#include "tidegate/groups/requests.h"

namespace tidegate::groups {

struct JoinReply {
  ErrorCode error = ErrorCode::none;
  std::int32_t generation = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol;  // below version 7 the handler writes "" for none
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  struct Member {
    std::string member_id;
    std::optional<std::string> instance_id;
    Bytes metadata;
  };
  std::vector<Member> members;  // the leader's alone
};

struct SyncReply {
  ErrorCode error = ErrorCode::none;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol;
  Bytes assignment;
};

struct HeartbeatReply {
  ErrorCode error = ErrorCode::none;
};

struct LeaveReply {
  ErrorCode error = ErrorCode::none;
  struct Member {
    std::string member_id;
    std::optional<std::string> instance_id;
    ErrorCode error = ErrorCode::none;
  };
  std::vector<Member> members;  // in the order of the request
};

struct CommitReply {
  ErrorCode error = ErrorCode::none;  // of all partitions, when it is set
  std::vector<ErrorCode> partitions;  // in the order of the request, topic by topic; empty when error is set
};

struct FetchOffsetsReply {
  ErrorCode error = ErrorCode::none;
  struct Partition {
    std::int32_t partition = 0;
    Offset offset = -1;
    // As committed. An offset without one: the handler asks the partition which epoch covers it.
    LeaderEpoch leader_epoch = kNoEpoch;
    std::string metadata;
    ErrorCode error = ErrorCode::none;
  };
  struct Topic {
    std::string topic;
    TopicId topic_id;  // as asked; as committed when all were asked for
    std::vector<Partition> partitions;
  };
  std::vector<Topic> topics;
};

struct DeleteOffsetsReply {
  ErrorCode error = ErrorCode::none;
  std::vector<ErrorCode> partitions;  // as in CommitReply
};

struct DeleteGroupReply {
  ErrorCode error = ErrorCode::none;
};

struct ConsumerHeartbeatReply {
  ErrorCode error = ErrorCode::none;
  std::string error_message;  // empty: none
  std::optional<std::string> member_id;
  std::int32_t member_epoch = 0;
  std::int32_t heartbeat_interval_ms = 0;
  std::optional<std::vector<TopicPartitions>> assignment;  // nullopt: unchanged
};

using ReplyBody =
    std::variant<JoinReply, SyncReply, HeartbeatReply, LeaveReply, CommitReply, FetchOffsetsReply,
                 DeleteOffsetsReply, DeleteGroupReply, ConsumerHeartbeatReply>;

// The alternative is the one of the request's kind. A request that waits (Join, Sync) is answered by a
// later event's effects.
struct Reply {
  ReplyId id = 0;
  // Hold it until the Persist of this sequence, and so all before it, is durable. 0: send at once. May name
  // an earlier event's persist: the answer rests on it.
  std::uint64_t after_persist = 0;
  ReplyBody body;
};

struct Persist {
  std::uint64_t sequence = 0;   // 1, 2, ... of this Group object
  std::vector<Record> records;  // one atomic batch, in order; already applied
};

// For the log: one line a note, at info. Views are of literals.
struct Note {
  std::string_view event;  // "rebalance", "generation", "member_removed", ...
  std::string_view why;
  std::string member;            // may be empty
  std::string client_reason;     // KIP-800, as the client gave it; may be empty
  std::int32_t generation = -1;  // after the event
  std::size_t members = 0;
};

struct Effects {
  std::optional<Persist> persist;  // none: nothing changed
  std::vector<Reply> replies;
  // Send a Wake at this time; it takes the place of an earlier wish. nullopt: the last wish stands, and
  // after a Wake there is none.
  std::optional<MonoTime> wake_at;
  std::vector<Note> notes;
};

}  // namespace tidegate::groups
