// The groups of one shard: carries out what their state machines want. Split: group_shard (requests,
// replies, timers), group_writes (records to storage), group_loading (from storage), group_damage (what
// cannot be read from there), group_care (topics, expiry). Touched on its shard alone.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "groups/catalogue_view.h"
#include "groups/group_metrics.h"
#include "groups/group_settings.h"
#include "groups/hosted_group.h"
#include "tidegate/base/rate_limit.h"
#include "tidegate/base/rng.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/group_coordinator.h"
#include "tidegate/runtime/event.h"

namespace tidegate::broker {

class GroupShard {
 public:
  // `owner_of` says which shard a group belongs to.
  GroupShard(const BrokerParts& parts, TopicCatalogue& catalogue, const GroupSettings& settings,
             GroupMetrics& metrics, unsigned shard, std::uint64_t seed);

  // Begins to load. On this shard, as everything below.
  void start();
  // Answers everything that is parked, refuses what comes, returns when writes and loads have ended. False
  // when they had not at `deadline`.
  Task<bool> stop(MonoTime deadline);

  // What it does before its first wait happens in the order of the calls. The event's ReplyId is set here.
  Task<GroupAnswer> request(std::string id, groups::Event event);

  Task<ListedGroups> list();
  // To be waited for before find(): where nodes share groups it may first have to be read.
  Task<void> look_for(std::string id);
  // coordinator_load_in_progress, group_id_not_found, ...; unknown_server_error with a message for the
  // administrator when what is stored of it cannot be read.
  Result<const groups::Group*> find(const std::string& id);

  Shard& shard() const { return parts_.shards.at(shard_); }
  static unsigned owner_of(std::string_view group, unsigned shards) {
    return static_cast<unsigned>(std::hash<std::string_view>{}(group) % shards);
  }

 private:
  // Coroutines that stop() waits for, when storage does not hang. One that hangs may outlive the shard's
  // groups: the count is shared with it.
  struct BusyCount {
    std::size_t running = 0;
    Event idle;  // it has come to 0
  };
  class Busy;

  // group_shard.cc
  std::expected<HostedGroupPtr, ErrorCode> admit(const std::string& id, const groups::Event& event);
  ErrorCode refusal(const std::string& id) const;
  bool is_owned(const std::string& id) const;
  void look_at_ownership(const std::string& id);
  bool may_be_stored_unseen(const std::string& id) const;
  void set_away(const HostedGroupPtr& hosted);
  ErrorCode check_room(const HostedGroup* known, const groups::Event& event);
  void step(const HostedGroupPtr& hosted, groups::Event event);
  void answer(HostedGroup& hosted, groups::ReplyId id, GroupAnswer body);
  void answer_all(HostedGroup& hosted, ErrorCode error);
  void arm(const HostedGroupPtr& hosted, MonoTime at);
  void disarm(HostedGroup& hosted);
  void count(HostedGroup& hosted);
  void count_as(HostedGroup& hosted, groups::GroupState state, groups::GroupCounts counts);
  void watch_rebalance(HostedGroup& hosted, groups::GroupState before, groups::GroupState after);
  // A member of the group was given its assignment.
  void note_synced(const std::string& id, const std::string& member, std::int32_t generation);
  void note_rebalanced(const HostedGroup& hosted, Duration took, std::size_t members);
  void write_notes(const HostedGroup& hosted, const std::vector<groups::Note>& notes);
  void forget_if_nothing(const HostedGroupPtr& hosted);
  void drop(const HostedGroupPtr& hosted);
  groups::Now now() const { return {parts_.clock.now(), parts_.clock.wall_ms()}; }

  // group_writes.cc
  void queue_write(const HostedGroupPtr& hosted, const groups::Persist& persist);
  Task<Result<void>> put(std::string id, std::int32_t epoch, std::vector<storage::MetaOp> ops);
  Task<void> write(HostedGroupPtr hosted);
  void release_held(HostedGroup& hosted);
  void lose(const HostedGroupPtr& hosted, const Error& why);

  // group_loading.cc
  struct Loaded;
  Task<void> load_all();
  Task<bool> list_again();
  Task<bool> list_stored();
  void queue_load(HostedGroupPtr hosted);
  void put_in_queue(HostedGroupPtr hosted);
  Task<void> load_queued();
  Task<bool> try_load(HostedGroupPtr hosted);
  Task<std::int32_t> look_in_storage(std::string id);
  Task<Result<void>> learn_topics(std::vector<groups::TopicInfo> topics);
  const groups::TopicInfo* find_topic(const groups::TopicInfo& stored) const;
  void set_load_failing(HostedGroup& hosted, bool failing);
  Task<Result<Loaded>> read(std::string id);
  Task<Result<Loaded>> take(std::string id, std::int32_t epoch);
  void finish_load(const HostedGroupPtr& hosted, Loaded loaded);
  Task<bool> pause(unsigned failures);

  // group_damage.cc
  void set_damaged(const HostedGroupPtr& hosted, groups::GroupType type, const Error& why);
  HostedGroupPtr damaged(const std::string& id) const;
  Task<GroupAnswer> delete_damaged(HostedGroupPtr hosted);
  Task<Result<std::size_t>> erase_stored(std::string id, std::int32_t epoch);

  // group_care.cc
  void topic_added_or_changed(const CatalogueTopicPtr& topic);
  void topic_removed(const CatalogueTopicPtr& topic);
  void tell_later();
  Task<void> tell_of_topics();
  void arm_expiry();
  Task<void> expire_offsets();
  // Every group there is now, and a way to give way to others between some of them.
  std::vector<HostedGroupPtr> all() const;
  Task<void> give_way();

  const BrokerParts& parts_;
  TopicCatalogue& catalogue_;
  const GroupSettings& settings_;
  GroupMetrics& metrics_;
  const unsigned shard_;
  SeededRng rng_;
  CatalogueView topics_;

  std::unordered_map<std::string, HostedGroupPtr> groups_;
  bool listed_ = false;  // every stored group is in the table
  bool stopping_ = false;
  std::size_t members_ = 0;  // of this shard's groups, ids that were given out included
  groups::ReplyId last_reply_ = 0;
  std::multimap<MonoTime, HostedGroupPtr> to_load_;  // by when they are due
  Event to_load_grew_;                               // or stop() has begun
  std::size_t loaders_ = 0;
  std::uint64_t listings_begun_ = 0;  // by list_again()
  std::uint64_t listings_ended_ = 0;
  bool listing_good_ = false;  // the last one
  Event listing_ended_;

  // What the groups have not been told of yet.
  std::set<std::string> changed_topics_;
  std::vector<groups::TopicInfo> deleted_topics_;
  bool telling_ = false;

  TimerId expiry_timer_ = kNoTimer;
  std::shared_ptr<BusyCount> busy_ = std::make_shared<BusyCount>();
  Event stopped_;  // stop() has begun
  LogRateLimit full_lines_;
  LogRateLimit failure_lines_;
  LogRateLimit note_lines_;
  LogRateLimit rebalance_lines_;  // its own: how long they take is read from these lines
};

// Groups that a shard looks after in one go before others get their turn.
inline constexpr std::size_t kGroupsPerTurn = 64;

class GroupShard::Busy {
 public:
  explicit Busy(const GroupShard& shard) : count_(shard.busy_) { ++count_->running; }
  ~Busy() {
    if (--count_->running == 0) count_->idle.notify_all();
  }
  Busy(const Busy&) = delete;

 private:
  std::shared_ptr<BusyCount> count_;
};

}  // namespace tidegate::broker
