// Requests in, replies out, timers.
#include "groups/group_shard.h"

#include <algorithm>
#include <type_traits>

#include "tidegate/base/module_log.h"

namespace tidegate::broker {
namespace {

using groups::GroupState;

// Lines about limits and failures: a few at once, then one in ten seconds.
constexpr double kLinesPerSecond = 0.1;
constexpr double kLineBurst = 5;
// Lines about rebalances: clients cause them.
constexpr double kNotesPerSecond = 20;
constexpr double kNoteBurst = 200;
// About three seconds of trying to read a group.
constexpr unsigned kTriesUntilListed = 5;

void set_reply_id(groups::Event& event, groups::ReplyId id) {
  std::visit(
      [id](auto& one) {
        if constexpr (requires { one.reply; }) one.reply = id;
      },
      event);
}

// Whether the event may bring a group into being.
bool may_create(const groups::Event& event) {
  return std::holds_alternative<groups::Join>(event) ||
         std::holds_alternative<groups::CommitOffsets>(event) ||
         std::holds_alternative<groups::ConsumerHeartbeat>(event);
}

// Whether it may bring a member into being.
bool may_add_member(const groups::Event& event) {
  if (const auto* join = std::get_if<groups::Join>(&event)) return join->member_id.empty();
  if (const auto* heartbeat = std::get_if<groups::ConsumerHeartbeat>(&event))
    return heartbeat->member_epoch == 0;
  return false;
}

// Whether somebody is at work in the group who sends it.
bool is_of_a_member(const groups::Event& event) {
  return std::holds_alternative<groups::Join>(event) || std::holds_alternative<groups::Sync>(event) ||
         std::holds_alternative<groups::Heartbeat>(event) ||
         std::holds_alternative<groups::ConsumerHeartbeat>(event) ||
         std::holds_alternative<groups::CommitOffsets>(event);
}

struct Syncing {
  std::string member;
  std::int32_t generation = -1;
};

bool is_good_sync(const GroupAnswer& answer) {
  const auto* reply = answer ? std::get_if<groups::SyncReply>(&*answer) : nullptr;
  return reply != nullptr && reply->error == ErrorCode::none;
}

}  // namespace

GroupShard::GroupShard(const BrokerParts& parts, TopicCatalogue& catalogue, const GroupSettings& settings,
                       GroupMetrics& metrics, unsigned shard, std::uint64_t seed)
    : parts_(parts),
      catalogue_(catalogue),
      settings_(settings),
      metrics_(metrics),
      shard_(shard),
      rng_(seed),
      topics_(catalogue),
      full_lines_(parts.clock, kLinesPerSecond, kLineBurst),
      failure_lines_(parts.clock, kLinesPerSecond, kLineBurst),
      note_lines_(parts.clock, kNotesPerSecond, kNoteBurst),
      rebalance_lines_(parts.clock, kNotesPerSecond, kNoteBurst) {}

void GroupShard::start() {
  CatalogueListener listener;
  listener.added = [this](const CatalogueTopicPtr& topic) { topic_added_or_changed(topic); };
  listener.changed = [this](const CatalogueTopicPtr& topic) { topic_added_or_changed(topic); };
  listener.removed = [this](const CatalogueTopicPtr& topic) { topic_removed(topic); };
  catalogue_.listen(std::move(listener));
  arm_expiry();
  shard().start(load_all(), "group loading");
}

Task<bool> GroupShard::stop(MonoTime deadline) {
  stopping_ = true;
  shard().timers().cancel(std::exchange(expiry_timer_, kNoTimer));
  stopped_.notify_all();
  to_load_grew_.notify_all();
  for (const HostedGroupPtr& hosted : all()) {
    disarm(*hosted);
    // What waits for a write that is under way is answered by it.
    std::vector<groups::ReplyId> parked;
    for (const auto& [id, pending] : hosted->waiting) parked.push_back(id);
    for (const auto& reply : hosted->held) std::erase(parked, reply.id);
    for (const auto id : parked) answer(*hosted, id, std::unexpected(ErrorCode::coordinator_not_available));
  }
  const auto busy = busy_;
  while (busy->running > 0) {
    if (!co_await busy->idle.wait_until(shard().timers(), deadline) && busy->running > 0) co_return false;
  }
  for (const HostedGroupPtr& hosted : all()) drop(hosted);
  co_return true;
}

// ---------------------------------------------------------------------------------------- requests

Task<GroupAnswer> GroupShard::request(std::string id, groups::Event event) {
  look_at_ownership(id);
  std::optional<std::int32_t> seen_absent_in;
  if (may_be_stored_unseen(id)) seen_absent_in = co_await look_in_storage(id);
  if (auto hosted = damaged(id)) {
    if (std::holds_alternative<groups::DeleteGroup>(event))
      co_return co_await delete_damaged(std::move(hosted));
    if (is_of_a_member(event)) hosted->refused_at = parts_.clock.now();
  }
  // Another node may have made it since it was looked for.
  const std::int32_t epoch = parts_.cluster.owner_of_group(id).epoch;
  if (seen_absent_in.value_or(epoch) != epoch && is_owned(id) && !groups_.contains(id))
    co_return std::unexpected(ErrorCode::coordinator_load_in_progress);
  auto admitted = admit(id, event);
  if (!admitted) co_return std::unexpected(admitted.error());
  const bool is_commit = std::holds_alternative<groups::CommitOffsets>(event);
  std::optional<Syncing> syncing;
  if (const auto* sync = std::get_if<groups::Sync>(&event)) {
    // An instance that comes back under a new member id is still the same member.
    syncing = {sync->instance_id.value_or(sync->member_id), sync->generation};
  }
  const MonoTime began = parts_.clock.now();
  const auto pending = std::make_shared<PendingAnswer>();
  const groups::ReplyId reply = ++last_reply_;
  set_reply_id(event, reply);
  (*admitted)->waiting.emplace(reply, pending);
  step(*admitted, std::move(event));
  admitted->reset();  // it may be dropped while this waits
  if (!pending->is_complete()) {
    auto park = [&pending](Resume resume) { pending->park(std::move(resume)); };
    co_await suspend(park);
  }
  if (is_commit) {
    metrics_.commit_latency.record(static_cast<std::uint64_t>((parts_.clock.now() - began).count()));
  }
  GroupAnswer answered = pending->take();
  if (syncing && is_good_sync(answered)) note_synced(id, syncing->member, syncing->generation);
  co_return answered;
}

bool GroupShard::is_owned(const std::string& id) const {
  return parts_.cluster.owner_of_group(id).node == parts_.cluster.self();
}

// What another node may have written to since it was read is forgotten, to be read when it is here that it is
// asked for.
void GroupShard::look_at_ownership(const std::string& id) {
  const auto known = groups_.find(id);
  if (stopping_ || known == groups_.end() || known->second->phase == HostedGroup::Phase::loading) return;
  const HostedGroupPtr hosted = known->second;
  if (!is_owned(id)) return set_away(hosted);
  if (hosted->phase != HostedGroup::Phase::away && hosted->epoch == parts_.cluster.owner_of_group(id).epoch)
    return;
  set_away(hosted);
}

// In epoch 0 nobody else ever owned it: what is not in the table is not stored.
bool GroupShard::may_be_stored_unseen(const std::string& id) const {
  return listed_ && !stopping_ && is_owned(id) && !groups_.contains(id) &&
         parts_.cluster.owner_of_group(id).epoch != 0;
}

// Its memory goes, storage is left as it is. A write that is under way ends first.
void GroupShard::set_away(const HostedGroupPtr& hosted) {
  using Phase = HostedGroup::Phase;
  if (hosted->phase == Phase::gone) return;
  if (hosted->phase != Phase::away) {
    if (hosted->phase == Phase::loading) metrics_.loading.add(-1);
    if (hosted->phase == Phase::damaged) metrics_.unreadable.add(-1);
    hosted->phase = Phase::away;
    hosted->unwritten.clear();
    answer_all(*hosted, ErrorCode::not_coordinator);
  }
  if (!hosted->writing) drop(hosted);
}

// Why nothing can be asked of the group now; none when it can.
ErrorCode GroupShard::refusal(const std::string& id) const {
  if (stopping_) return ErrorCode::coordinator_not_available;
  if (!is_owned(id)) return ErrorCode::not_coordinator;
  const auto known = groups_.find(id);
  if (known == groups_.end()) return listed_ ? ErrorCode::none : ErrorCode::coordinator_load_in_progress;
  switch (known->second->phase) {
    case HostedGroup::Phase::ready:
      return ErrorCode::none;
    case HostedGroup::Phase::damaged:
      return ErrorCode::unknown_server_error;
    case HostedGroup::Phase::loading:
    case HostedGroup::Phase::away:
    case HostedGroup::Phase::gone:
      break;
  }
  return ErrorCode::coordinator_load_in_progress;
}

std::expected<HostedGroupPtr, ErrorCode> GroupShard::admit(const std::string& id,
                                                           const groups::Event& event) {
  const ErrorCode refused = refusal(id);
  if (refused != ErrorCode::none) return std::unexpected(refused);
  const auto known = groups_.find(id);
  HostedGroup* hosted = known == groups_.end() ? nullptr : known->second.get();
  if (const ErrorCode full = check_room(hosted, event); full != ErrorCode::none) return std::unexpected(full);
  if (hosted) return known->second;
  auto made = std::make_shared<HostedGroup>(id);
  made->phase = HostedGroup::Phase::ready;
  made->epoch = parts_.cluster.owner_of_group(id).epoch;
  made->group.emplace(id, settings_.limits, topics_, rng_);
  groups_.emplace(id, made);
  return made;
}

ErrorCode GroupShard::check_room(const HostedGroup* known, const groups::Event& event) {
  const bool groups_full = !known && may_create(event) && groups_.size() >= settings_.max_groups;
  const bool members_full = may_add_member(event) && members_ >= settings_.max_members;
  if (!groups_full && !members_full) return ErrorCode::none;
  metrics_.refused.add();
  std::uint64_t suppressed = 0;
  if (full_lines_.allow(suppressed)) {
    module_log().warn("event=group_limit limit={} shard={} suppressed={}",
                      groups_full ? "group.coordinator.max.groups" : "group.coordinator.max.members", shard_,
                      suppressed);
  }
  return groups_full ? ErrorCode::coordinator_not_available : ErrorCode::group_max_size_reached;
}

// One event through the state machine, and what it wants carried out.
void GroupShard::step(const HostedGroupPtr& hosted, groups::Event event) {
  const bool only_looks =
      std::holds_alternative<groups::Heartbeat>(event) || std::holds_alternative<groups::FetchOffsets>(event);
  groups::Effects effects = hosted->group->on(std::move(event), now());
  write_notes(*hosted, effects.notes);
  if (effects.wake_at) arm(hosted, *effects.wake_at);
  if (effects.persist || !only_looks) count(*hosted);
  for (groups::Reply& reply : effects.replies) {
    if (reply.after_persist > hosted->durable) {
      hosted->held.push_back({reply.after_persist, reply.id, std::move(reply.body)});
    } else {
      answer(*hosted, reply.id, std::move(reply.body));
    }
  }
  if (effects.persist) queue_write(hosted, *effects.persist);
  forget_if_nothing(hosted);
}

void GroupShard::answer(HostedGroup& hosted, groups::ReplyId id, GroupAnswer body) {
  const auto found = hosted.waiting.find(id);
  if (found == hosted.waiting.end()) return;  // answered when the server began to stop
  const PendingAnswerPtr pending = std::move(found->second);
  hosted.waiting.erase(found);
  pending->complete(std::move(body));
}

void GroupShard::answer_all(HostedGroup& hosted, ErrorCode error) {
  hosted.held.clear();
  for (auto& [id, pending] : std::exchange(hosted.waiting, {})) pending->complete(std::unexpected(error));
}

// ------------------------------------------------------------------------------------------ timers

void GroupShard::arm(const HostedGroupPtr& hosted, MonoTime at) {
  disarm(*hosted);
  if (stopping_) return;
  hosted->timer = shard().timers().arm(at, [this, hosted] {
    hosted->timer = kNoTimer;
    if (hosted->phase == HostedGroup::Phase::ready) step(hosted, groups::Wake{});
  });
}

void GroupShard::disarm(HostedGroup& hosted) {
  if (hosted.timer != kNoTimer) shard().timers().cancel(std::exchange(hosted.timer, kNoTimer));
}

// ------------------------------------------------------------------------------------- bookkeeping

void GroupShard::count(HostedGroup& hosted) {
  const bool exists = hosted.group && hosted.group->exists();
  count_as(hosted, exists ? hosted.group->state() : GroupState::dead,
           hosted.group ? hosted.group->counts() : groups::GroupCounts{});
}

void GroupShard::count_as(HostedGroup& hosted, GroupState state, groups::GroupCounts counts) {
  if (state != hosted.counted_state) {
    if (Gauge* before = metrics_.groups_in(hosted.counted_state)) before->add(-1);
    if (Gauge* after = metrics_.groups_in(state)) after->add(1);
    watch_rebalance(hosted, hosted.counted_state, state);
    hosted.counted_state = state;
  }
  const auto move = [](Gauge& gauge, std::size_t from, std::size_t to) {
    if (from != to) gauge.add(static_cast<std::int64_t>(to) - static_cast<std::int64_t>(from));
  };
  const groups::GroupCounts& before = hosted.counted;
  move(metrics_.members, before.members, counts.members);
  move(metrics_.pending_members, before.pending_ids, counts.pending_ids);
  move(metrics_.offsets, before.offsets, counts.offsets);
  move(metrics_.parked, before.parked, counts.parked);
  members_ += counts.members + counts.pending_ids;
  members_ -= before.members + before.pending_ids;
  hosted.counted = counts;
}

void GroupShard::forget_if_nothing(const HostedGroupPtr& hosted) {
  if (hosted->phase != HostedGroup::Phase::ready || hosted->writing || !hosted->waiting.empty()) return;
  if (hosted->group->can_forget()) drop(hosted);
}

void GroupShard::drop(const HostedGroupPtr& hosted) {
  const HostedGroupPtr keep = hosted;
  disarm(*keep);
  count_as(*keep, GroupState::dead, {});
  set_load_failing(*keep, false);
  if (keep->phase == HostedGroup::Phase::loading) metrics_.loading.add(-1);
  if (keep->phase == HostedGroup::Phase::damaged) metrics_.unreadable.add(-1);
  keep->phase = HostedGroup::Phase::gone;
  keep->group.reset();
  groups_.erase(keep->id);
}

Task<ListedGroups> GroupShard::list() {
  ListedGroups listed;
  for (const HostedGroupPtr& hosted : all()) look_at_ownership(hosted->id);
  if (!listed_ || stopping_) {
    listed.error = ErrorCode::coordinator_load_in_progress;
  } else if (parts_.cluster.has_peers() && !co_await list_again()) {
    listed.error = ErrorCode::coordinator_not_available;
  }
  for (const auto& [id, hosted] : groups_) {
    if (!is_owned(id)) continue;
    // One that storage does not give out must not hide the others for ever.
    const bool given_up_on = hosted->load_failing && hosted->failures >= kTriesUntilListed;
    const bool is_late =
        hosted->phase == HostedGroup::Phase::loading || hosted->phase == HostedGroup::Phase::away;
    if (is_late && !given_up_on) listed.error = ErrorCode::coordinator_load_in_progress;
    if (hosted->phase == HostedGroup::Phase::damaged || given_up_on) {
      listed.groups.push_back({.id = id, .listing = {.type = hosted->stored_type}, .is_unreadable = true});
    }
    if (hosted->phase != HostedGroup::Phase::ready || !hosted->group->exists()) continue;
    listed.groups.push_back({.id = id, .listing = hosted->group->listing()});
  }
  co_return listed;
}

Task<void> GroupShard::look_for(std::string id) {
  look_at_ownership(id);
  if (may_be_stored_unseen(id)) co_await look_in_storage(std::move(id));
}

Result<const groups::Group*> GroupShard::find(const std::string& id) {
  look_at_ownership(id);
  if (const auto hosted = damaged(id)) return fail(ErrorCode::unknown_server_error, hosted->damage);
  const ErrorCode refused = refusal(id);
  if (refused != ErrorCode::none) return fail(refused);
  const auto known = groups_.find(id);
  if (known == groups_.end()) return fail(ErrorCode::group_id_not_found);
  return &*known->second->group;
}

}  // namespace tidegate::broker
