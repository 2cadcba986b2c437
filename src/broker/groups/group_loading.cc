// Groups from storage: all of them at the start, one again after its write failed.

#include <algorithm>

#include "groups/group_shard.h"
#include "tidegate/base/module_log.h"
#include "tidegate/groups/record.h"

namespace tidegate::broker {
namespace {

constexpr std::size_t kPage = 1000;   // scopes or entries that are read at once
constexpr std::size_t kLoaders = 16;  // groups that a shard reads side by side, but for those asked for
constexpr Duration kFirstPause = std::chrono::milliseconds(100);
constexpr Duration kLongestPause = std::chrono::seconds(10);

// Doubles with every failure.
Duration pause_after(unsigned failures) {
  const Duration wanted = kFirstPause * (1U << std::min(failures - 1, 10U));
  return std::min(wanted, kLongestPause);
}

}  // namespace

struct GroupShard::Loaded {
  groups::Group group;
  // That the group has offsets of.
  std::vector<groups::TopicInfo> topics;
  // What makes no sense; the group is what came before it.
  std::optional<Error> damage;
};

// False when the shard is stopping.
Task<bool> GroupShard::pause(unsigned failures) {
  if (stopping_) co_return false;
  if (failures == 0) co_return true;
  co_await stopped_.wait_until(shard().timers(), parts_.clock.now() + pause_after(failures));
  co_return !stopping_;
}

Task<void> GroupShard::load_all() {
  const Busy busy(*this);
  unsigned failures = 0;
  while (!co_await list_stored()) {
    if (!co_await pause(++failures)) co_return;
  }
  listed_ = true;
}

// Where nodes share groups: takes in what others have made of those that are ours by now. One listing at a
// time, however many ask; each gets one that began after it had asked. False when that failed.
Task<bool> GroupShard::list_again() {
  const Busy busy(*this);
  const std::uint64_t wanted = listings_begun_ + 1;
  while (listings_ended_ < wanted) {
    if (stopping_) co_return false;
    if (listings_begun_ > listings_ended_) {
      co_await listing_ended_.wait();
      continue;
    }
    const std::uint64_t number = ++listings_begun_;
    listing_good_ = co_await list_stored();
    listings_ended_ = number;
    listing_ended_.notify_all();
  }
  co_return listing_good_;
}

// Puts every stored group that is this shard's to host into the table. False when that failed; it can be
// begun again.
Task<bool> GroupShard::list_stored() {
  std::string after;
  for (;;) {
    auto scopes = co_await parts_.engine.meta().scopes(std::string(groups::kGroupScopes), after, kPage);
    if (!scopes) {
      module_log().error("event=group_listing_failed shard={} error=\"{}\"", shard_, scopes.error().message);
      co_return false;
    }
    if (scopes->empty()) co_return true;
    for (const std::string& scope : *scopes) {
      const auto id = groups::group_of_scope(scope);
      if (!id || owner_of(*id, parts_.shards.size()) != shard_ || groups_.contains(*id)) continue;
      if (stopping_ || !is_owned(*id)) continue;
      auto hosted = std::make_shared<HostedGroup>(*id);
      groups_.emplace(*id, hosted);
      metrics_.loading.add(1);
      queue_load(std::move(hosted));
    }
    after = std::move(scopes->back());
  }
}

// One that storage does not give out goes behind those that it was not asked for yet.
void GroupShard::put_in_queue(HostedGroupPtr hosted) {
  const Duration wait = hosted->failures == 0 ? Duration{0} : pause_after(hosted->failures);
  to_load_.emplace(parts_.clock.now() + wait, std::move(hosted));
  to_load_grew_.notify_all();
}

void GroupShard::queue_load(HostedGroupPtr hosted) {
  if (stopping_) return;
  put_in_queue(std::move(hosted));
  if (loaders_ >= kLoaders) return;
  ++loaders_;
  shard().start(load_queued(), "group loading");
}

Task<void> GroupShard::load_queued() {
  const Busy busy(*this);
  while (!to_load_.empty() && !stopping_) {
    const auto first = to_load_.begin();
    if (const MonoTime due = first->first; due > parts_.clock.now()) {
      co_await to_load_grew_.wait_until(shard().timers(), due);
      continue;
    }
    const HostedGroupPtr hosted = std::move(first->second);
    to_load_.erase(first);
    if (!co_await try_load(hosted)) put_in_queue(hosted);
  }
  --loaders_;
}

// A group that another node may have made. When there is none it is forgotten again: the epoch of the
// ownership in which that was seen.
Task<std::int32_t> GroupShard::look_in_storage(std::string id) {
  const Busy busy(*this);
  const auto hosted = std::make_shared<HostedGroup>(id);
  groups_.emplace(id, hosted);
  metrics_.loading.add(1);
  if (!co_await try_load(hosted)) queue_load(hosted);
  co_return hosted->epoch;
}

// False when it is to be tried again later.
Task<bool> GroupShard::try_load(HostedGroupPtr hosted) {
  if (!is_owned(hosted->id)) {
    set_away(hosted);
    co_return true;
  }
  hosted->epoch = parts_.cluster.owner_of_group(hosted->id).epoch;
  auto loaded = co_await take(hosted->id, hosted->epoch);
  if (loaded && !loaded->damage) {
    if (auto known = co_await learn_topics(loaded->topics); !known) loaded = fail(std::move(known.error()));
  }
  if (stopping_) co_return true;
  // What was read may have been another's to change by then.
  if (!is_owned(hosted->id) || parts_.cluster.owner_of_group(hosted->id).epoch != hosted->epoch)
    co_return false;
  if (loaded) {
    set_load_failing(*hosted, false);
    if (loaded->damage) {
      set_damaged(hosted, loaded->group.type(), *loaded->damage);
    } else {
      finish_load(hosted, std::move(*loaded));
    }
    co_return true;
  }
  set_load_failing(*hosted, true);
  ++hosted->failures;
  std::uint64_t suppressed = 0;
  if (failure_lines_.allow(suppressed)) {
    module_log().error("event=group_load_failed group={:?} tries={} error=\"{}\" suppressed={}",
                       cut(hosted->id), hosted->failures, loaded.error().message, suppressed);
  }
  co_return false;
}

void GroupShard::set_load_failing(HostedGroup& hosted, bool failing) {
  if (hosted.load_failing == failing) return;
  metrics_.load_failing.add(failing ? 1 : -1);
  hosted.load_failing = failing;
}

// Where nodes share groups, what is there gets our epoch before it counts as read: a write of the owner
// before, wherever it has been in the meantime, is refused from then on.
Task<Result<GroupShard::Loaded>> GroupShard::take(std::string id, std::int32_t epoch) {
  auto loaded = co_await read(id);
  // In epoch 0 there is no owner before.
  if (epoch == 0 || !loaded || (!loaded->damage && !loaded->group.exists())) co_return loaded;
  std::vector<storage::MetaOp> none;
  auto marked = co_await parts_.engine.meta().put_batch(groups::scope_of_group(id), epoch, std::move(none),
                                                        storage::MetaDurability::policy);
  // What is damaged takes no mark, and no other write either.
  if (!marked && !loaded->damage) co_return fail(std::move(marked.error()));
  co_return co_await read(std::move(id));
}

// A topic that the catalogue does not know may be one that another node has just made: only who has looked
// says that it is gone.
Task<Result<void>> GroupShard::learn_topics(std::vector<groups::TopicInfo> topics) {
  if (!parts_.engine.capabilities().shares_topics) co_return Result<void>{};
  const bool all_known = std::ranges::all_of(topics, [this](const auto& one) { return find_topic(one); });
  if (all_known) co_return Result<void>{};
  co_return co_await catalogue_.refresh();
}

const groups::TopicInfo* GroupShard::find_topic(const groups::TopicInfo& stored) const {
  return stored.id != TopicId{} ? topics_.find(stored.id) : topics_.find(stored.name);
}

Task<Result<GroupShard::Loaded>> GroupShard::read(std::string id) {
  Loaded loaded{.group = groups::Group(id, settings_.limits, topics_, rng_), .topics = {}, .damage = {}};
  std::string after;
  for (;;) {
    auto page = co_await parts_.engine.meta().scan(groups::scope_of_group(id), {}, after, kPage);
    if (!page && page.error().code == ErrorCode::corrupt_message) {
      loaded.damage = std::move(page.error());
      co_return loaded;
    }
    if (!page) co_return fail(std::move(page.error()));
    for (const storage::MetaEntry& entry : *page) {
      auto record = groups::decode(entry.key, entry.value);
      if (!record) {
        loaded.damage = std::move(record.error());
        co_return loaded;
      }
      if (const auto* offset = std::get_if<groups::PutOffset>(&*record)) {
        // Entries are in key order: a topic's stand together.
        const groups::TopicInfo topic{offset->topic, offset->value.topic_id, 0};
        if (loaded.topics.empty() || loaded.topics.back() != topic) loaded.topics.push_back(topic);
      }
      if (auto applied = loaded.group.apply(*record); !applied) {
        loaded.damage = std::move(applied.error());
        co_return loaded;
      }
    }
    if (page->size() < kPage) break;
    after = std::move(page->back().key);
  }
  if (auto fits = loaded.group.check_stored(); !fits) loaded.damage = std::move(fits.error());
  co_return loaded;
}

void GroupShard::finish_load(const HostedGroupPtr& hosted, Loaded loaded) {
  hosted->group.emplace(std::move(loaded.group));
  hosted->phase = HostedGroup::Phase::ready;
  hosted->durable = hosted->group->last_persist();
  metrics_.loading.add(-1);
  step(hosted, groups::Loaded{});
  // Topics that went while nobody could tell the group: in a former life, or during the load.
  groups::TopicsChanged news;
  for (groups::TopicInfo& topic : loaded.topics) {
    if (!find_topic(topic)) news.deleted.push_back(std::move(topic));
  }
  if (!news.deleted.empty() && hosted->phase == HostedGroup::Phase::ready) step(hosted, std::move(news));
}

}  // namespace tidegate::broker
