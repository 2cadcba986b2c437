// A world for one KIP-848 group on virtual time: members of the new protocol, dynamic and static, members of
// the classic one beside them (eager in one half of the seeds, cooperative in the other), a store that writes
// late, topics that change, answers that get lost. All of them commit and fetch offsets, and strangers try
// to. After every event it checks what must always hold; the first breach is kept in failure().
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tidegate/base/rng.h"
#include "tidegate/groups/consumer_protocol.h"
#include "tidegate/groups/group.h"

namespace tidegate::groups::sim {

class ChangingTopics final : public TopicView {
 public:
  void put(TopicInfo topic) {
    names_ever_[topic.id] = topic.name;
    topics_[topic.name] = std::move(topic);
  }
  // Of a topic that may be gone: its clients remember.
  const std::string& name_ever(const TopicId& id) const { return names_ever_.at(id); }
  void remove(const std::string& name) { topics_.erase(name); }
  const TopicInfo* find(std::string_view name) const override;
  const TopicInfo* find(const TopicId& id) const override;
  void for_each(const std::function<bool(const TopicInfo&)>& visit) const override;

 private:
  std::map<std::string, TopicInfo, std::less<>> topics_;
  std::map<TopicId, std::string> names_ever_;
};

using Owned = std::set<PartitionId>;

// Where a client stands in a partition that it owns; nullopt until it has fetched the committed offset.
struct Place {
  ReplyId since = 0;  // an answer to an earlier request is of an earlier time as owner
  std::optional<Offset> position;
};

// What a coordinator may have wrong. The tests of the walk itself break it so, and want that to be found by
// one check after the other.
struct Faults {
  bool ignores_epochs = false;   // takes a commit of whatever epoch
  bool ignores_members = false;  // and of whoever was a member once
  bool loses_commits = false;    // says that an offset is durable when it is not
  bool trusts_answers = false;   // and the check leaves the error codes unjudged: others must tell
  bool trusts_offsets = false;   // and offsets that go back, too
};

struct ConsumerClient {
  bool classic = false;
  std::optional<std::string> instance;
  std::string member_id;
  std::int32_t epoch = 0;  // or generation
  bool alive = false;
  bool joined = false;
  bool must_sync = false;
  bool must_join = false;  // cooperative: joins again and keeps what it has meanwhile
  bool expects_id = true;  // classic: has none yet
  ReplyId waits_for = 0;
  bool tells_all = false;  // an answer was lost: the next request is a full one
  MonoTime asked_at;
  MonoTime stalled_until;
  MonoTime beat_at;
  Owned owned;  // changed by own() alone
  std::map<PartitionId, Place> places;
  Owned told;                           // what it was last assigned
  std::vector<std::string> subscribed;  // names
  bool by_regex = false;
  std::vector<JoinReply::Member> to_assign;  // as leader of a classic group
};

class ConsumerWorld {
 public:
  explicit ConsumerWorld(std::uint64_t seed, Faults faults = {});

  void step();
  void settle();
  // Replays all that was written, in full.
  void check_replay();
  std::uint64_t events() const { return events_; }
  const std::string& failure() const { return failure_; }
  std::string summary() const;

 private:
  // A request that was not answered yet.
  struct Asked {
    int client = -1;
    std::map<PartitionId, Offset> commits;
    std::optional<ErrorCode> must_get;
    bool must_fail = false;  // with whatever code
  };

  // consumer_world.cc
  void tell(Event event);
  void advance(Duration by);
  void write_some(bool all);
  void crash();
  void disturb();
  void change_topics();
  void check();
  void check_ownership();
  void check_epochs();
  void breach(std::string what);
  bool in_group(const ConsumerClient& client) const;
  bool chance(std::uint32_t in_thousand) { return rng_.below(1000) < in_thousand; }

  // consumer_clients.cc
  template <class Request>
  void ask(int index, Request request);
  void own(ConsumerClient& client, Owned now);
  void take_over(ConsumerClient& client);
  void act(ConsumerClient& client, int index);
  void act_new(ConsumerClient& client, int index);
  void act_classic(ConsumerClient& client, int index);
  void join_classic(ConsumerClient& client, int index);
  void sync_classic(ConsumerClient& client, int index);
  std::vector<SyncAssignment> assign(const ConsumerClient& leader) const;
  Owned named(const std::vector<NamedTopicPartitions>& topics) const;
  void start(ConsumerClient& client, int index);
  void leave(ConsumerClient& client, int index);
  void forget(ConsumerClient& client);
  bool lose(ConsumerClient& client, ErrorCode error);
  void deliver(const Reply& reply);
  void on_reply(ConsumerClient& client, const ConsumerHeartbeatReply& reply);
  void on_reply(ConsumerClient& client, const JoinReply& reply);
  void on_reply(ConsumerClient& client, const SyncReply& reply);
  void on_reply(ConsumerClient& client, const HeartbeatReply& reply);

  // consumer_offsets.cc
  template <class Request>
  void ask_aside(Asked about, Request request);
  void use_offsets(ConsumerClient& client, int index);
  void commit(ConsumerClient& client, int index);
  void fetch(ConsumerClient& client, int index);
  void intrude();
  void intrude_as(const std::string& member_id, bool classic, std::int32_t epoch);
  void commit_again();
  void administrate();
  std::map<PartitionId, Offset> some_offsets() const;
  void on_offsets_reply(const Asked& about, const Reply& reply);

  // consumer_offset_checks.cc
  void spoil(Event& event);
  void spoil_records(std::vector<Record>& records);
  void check_offset_records(const Event& event, const std::vector<Record>& records);
  void check_erasure(const Event& event, const EraseOffset& erased);
  void check_answer(const Reply& reply);
  void check_committer(const Asked& about);
  void check_rows(const FetchOffsetsReply& reply);
  void check_durable_offsets();
  bool is_current(const CommitOffsets& request) const;
  void note_told(ReplyId id, const PartitionId& partition, Offset offset);

  SeededRng rng_;
  GroupLimits limits_;
  ChangingTopics topics_;
  std::uint8_t next_topic_id_ = 10;
  std::unique_ptr<Group> group_;
  std::unique_ptr<Group> shadow_;  // has applied what group_ emitted, and nothing else
  Now now_{.mono = {std::chrono::hours(1)}, .wall_ms = 1'700'000'000'000};
  std::optional<MonoTime> wake_at_;

  std::map<std::string, std::string> applied_;  // what all records so far come to
  std::map<std::string, std::string> durable_;
  std::deque<Persist> writing_;
  std::uint64_t durable_sequence_ = 0;
  std::deque<Reply> held_;
  std::map<ReplyId, Asked> asked_;
  ReplyId next_reply_ = 1;
  std::int64_t next_member_ = 1;
  bool calm_ = false;
  bool cooperative_ = false;  // the members of the classic protocol are

  const Faults faults_;
  std::map<PartitionId, Offset> told_;            // the highest that somebody was told
  std::map<PartitionId, ReplyId> erased_before_;  // answers to earlier requests tell of what is gone
  std::deque<CommitOffsets> past_;                // commits that were taken

  std::array<ConsumerClient, 7> clients_;
  std::int32_t last_group_epoch_ = 0;
  std::int32_t last_generation_ = 0;  // of either type
  std::uint64_t events_ = 0;
  std::uint64_t conversions_ = 0;
  std::uint64_t crashes_ = 0;
  std::uint64_t fenced_ = 0;
  std::uint64_t commits_ = 0;
  std::uint64_t refused_ = 0;
  GroupType last_type_ = GroupType::none;
  std::string failure_;
};

}  // namespace tidegate::groups::sim
