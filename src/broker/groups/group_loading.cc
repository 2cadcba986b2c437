// Groups from storage: all of them at the start, one again after its write failed.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "gather.h"
#include "groups/group_shard.h"
#include "tidegate/groups/record.h"

namespace tidegate::broker {
namespace {

constexpr std::size_t kPage = 1000;   // scopes or entries that are read at once
constexpr std::size_t kLoaders = 16;  // groups that a shard reads side by side
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
  Gather loaders;
  for (std::size_t i = 0; i < std::min(kLoaders, to_load_.size()); ++i)
    loaders.add(load_queued(), "group loading");
  co_await loaders.all();
}

// Puts every stored group of this shard into the table. False when that failed; it can be begun again.
Task<bool> GroupShard::list_stored() {
  std::string after;
  for (;;) {
    auto scopes = co_await parts_.engine.meta().scopes(std::string(groups::kGroupScopes), after, kPage);
    if (!scopes) {
      spdlog::error("event=group_listing_failed shard={} error=\"{}\"", shard_, scopes.error().message);
      co_return false;
    }
    if (scopes->empty()) co_return true;
    for (const std::string& scope : *scopes) {
      const auto id = groups::group_of_scope(scope);
      if (!id || owner_of(*id, parts_.shards.size()) != shard_ || groups_.contains(*id)) continue;
      auto hosted = std::make_shared<HostedGroup>(*id);
      groups_.emplace(*id, hosted);
      if (!is_owned(*id)) {
        hosted->phase = HostedGroup::Phase::away;
        continue;
      }
      to_load_.emplace(parts_.clock.now(), std::move(hosted));
      metrics_.loading.add(1);
    }
    after = std::move(scopes->back());
  }
}

// One that storage does not give out goes behind those that it was not asked for yet.
Task<void> GroupShard::load_queued() {
  while (!to_load_.empty() && !stopping_) {
    const auto first = to_load_.begin();
    if (const MonoTime due = first->first; due > parts_.clock.now()) {
      co_await stopped_.wait_until(shard().timers(), due);
      continue;
    }
    const HostedGroupPtr hosted = std::move(first->second);
    to_load_.erase(first);
    if (co_await try_load(hosted)) continue;
    to_load_.emplace(parts_.clock.now() + pause_after(hosted->failures), hosted);
  }
}

// One alone, again and again.
Task<void> GroupShard::load(HostedGroupPtr hosted) {
  const Busy busy(*this);
  do {
    if (!co_await pause(hosted->failures)) co_return;
  } while (!co_await try_load(hosted));
}

// A group that another node may have made. When there is none it is forgotten again.
Task<void> GroupShard::look_in_storage(std::string id) {
  const Busy busy(*this);
  const auto hosted = std::make_shared<HostedGroup>(id);
  groups_.emplace(id, hosted);
  metrics_.loading.add(1);
  const bool done = co_await try_load(hosted);
  if (!done && !stopping_) shard().start(load(hosted), "group loading");
}

// False when it is to be tried again later.
Task<bool> GroupShard::try_load(HostedGroupPtr hosted) {
  hosted->epoch = parts_.cluster.owner_of_group(hosted->id).epoch;
  auto loaded = co_await read(hosted->id);
  if (stopping_) co_return true;
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
    spdlog::error("event=group_load_failed group={:?} tries={} error=\"{}\" suppressed={}", cut(hosted->id),
                  hosted->failures, loaded.error().message, suppressed);
  }
  co_return false;
}

void GroupShard::set_load_failing(HostedGroup& hosted, bool failing) {
  if (hosted.load_failing == failing) return;
  metrics_.load_failing.add(failing ? 1 : -1);
  hosted.load_failing = failing;
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
    const bool has_id = topic.id != TopicId{};
    const groups::TopicInfo* now = has_id ? topics_.find(topic.id) : topics_.find(topic.name);
    if (!now) news.deleted.push_back(std::move(topic));
  }
  if (!news.deleted.empty() && hosted->phase == HostedGroup::Phase::ready) step(hosted, std::move(news));
}

}  // namespace tidegate::broker
