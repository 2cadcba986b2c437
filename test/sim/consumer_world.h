// A world for one KIP-848 group on virtual time: members of the new protocol, dynamic and static, members of
// the classic one beside them (eager in one half of the seeds, cooperative in the other), a store that writes
// late, topics that change, answers that get lost. After every event it checks what must always hold; the
// first breach is kept in failure().
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
  Owned owned;
  Owned told;                           // what it was last assigned
  std::vector<std::string> subscribed;  // names
  bool by_regex = false;
  std::vector<JoinReply::Member> to_assign;  // as leader of a classic group
};

class ConsumerWorld {
 public:
  explicit ConsumerWorld(std::uint64_t seed);

  void step();
  void settle();
  // Replays all that was written, in full.
  void check_replay();
  std::uint64_t events() const { return events_; }
  const std::string& failure() const { return failure_; }
  std::string summary() const;

 private:
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
  std::map<ReplyId, int> asked_;
  ReplyId next_reply_ = 1;
  std::int64_t next_member_ = 1;
  bool calm_ = false;
  bool cooperative_ = false;  // the members of the classic protocol are

  std::array<ConsumerClient, 7> clients_;
  std::int32_t last_group_epoch_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t conversions_ = 0;
  std::uint64_t crashes_ = 0;
  std::uint64_t fenced_ = 0;
  GroupType last_type_ = GroupType::none;
  std::string failure_;
};

}  // namespace tidegate::groups::sim
