#include "topic_table.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "cluster/fence.h"
#include "format/names.h"
#include "tidegate/base/assert.h"
#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {

namespace {

constexpr int kAttempts = 5;
constexpr std::size_t kPage = 500;
constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

Error unknown(const TopicId& id) {
  return {ErrorCode::unknown_topic_id, fmt::format("there is no topic with id {}", id.to_string())};
}
Error exists(const std::string& name) {
  return {ErrorCode::topic_already_exists, fmt::format("topic {} exists already", name)};
}

constexpr const char* kLayoutConfig = "seaweedmq.layout";
constexpr const char* kPathConfig = "seaweedmq.path";

// What is fixed when a topic is made.
struct Made {
  WritePath path = WritePath::direct;
  Layout layout = Layout::batch;
  bool operator==(const Made&) const = default;
};

// What a topic's own configs say, else `otherwise`.
Result<Made> made_with(const std::map<std::string, std::string>& configs, Made otherwise) {
  Made made = otherwise;
  if (const auto found = configs.find(kLayoutConfig); found != configs.end()) {
    const auto layout = parse_layout(found->second);
    if (!layout)
      return fail(ErrorCode::invalid_config,
                  fmt::format("{} is '{}', not batch or record", kLayoutConfig, found->second));
    made.layout = *layout;
  }
  if (const auto found = configs.find(kPathConfig); found != configs.end()) {
    const auto path = parse_path(found->second);
    if (!path)
      return fail(ErrorCode::invalid_config,
                  fmt::format("{} is '{}', not direct or broker", kPathConfig, found->second));
    made.path = *path;
  }
  return made;
}

constexpr const char* kPolicyConfig = "cleanup.policy";

bool is_compacted(const std::map<std::string, std::string>& configs, bool otherwise) {
  const auto policy = configs.find(kPolicyConfig);
  return policy == configs.end() ? otherwise : policy->second.contains("compact");
}

// Brokers write the files there, and go on adding to them.
Error no_compaction() {
  return {ErrorCode::invalid_config,
          fmt::format("a topic with {}=broker cannot be compacted ({}=compact)", kPathConfig, kPolicyConfig)};
}

Result<Made> makeable(const std::map<std::string, std::string>& configs, const TopicDefaults& defaults) {
  auto made = made_with(configs, {.path = defaults.path, .layout = defaults.layout});
  if (!made || made->path != WritePath::broker) return made;
  if (is_compacted(configs, defaults.compacted)) {
    if (configs.contains(kPathConfig)) return fail(no_compaction());
    made->path = WritePath::direct;
    return made;
  }
  if (!defaults.brokers && defaults.path != WritePath::broker)
    return fail(ErrorCode::invalid_config,
                fmt::format("{}={} is not available", kPathConfig, path_name(made->path)));
  return made;
}

}  // namespace

// Ends the change that lock() began.
class TopicTable::Busy {
 public:
  explicit Busy(TopicTable& table) : table_(table) {}
  ~Busy() { table_.unlock(); }
  Busy(const Busy&) = delete;

 private:
  TopicTable& table_;
};

TopicTable::TopicTable(Filer& filer, VersionedEntries& entries, const Clock& clock, TopicDefaults defaults,
                       std::function<TopicId()> new_id, std::function<Task<void>(TopicId)> closed,
                       std::function<Task<Result<void>>(TopicRecord)> configure)
    : filer_(filer),
      entries_(entries),
      clock_(clock),
      defaults_(defaults),
      new_id_(std::move(new_id)),
      closed_(std::move(closed)),
      configure_(std::move(configure)) {}

void TopicTable::unlock() {
  busy_ = false;
  idle_.notify_all();
}

Task<void> TopicTable::lock() {
  while (busy_) co_await idle_.wait();
  busy_ = true;
}

// -------------------------------------------------------------------------------------------- table

void TopicTable::remember(const Known& known) {
  const std::lock_guard lock(mutex_);
  const auto& record = known.record;
  std::erase_if(by_id_, [&](const auto& one) { return one.second.topic.name == record.topic.name; });
  if (!record.removed) by_id_[record.topic.id] = record;
}

std::optional<std::string> TopicTable::name_of(const TopicId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? std::nullopt : std::optional(found->second.topic.name);
}

bool TopicTable::is_by_others(const TopicId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  return found != by_id_.end() && found->second.by_others;
}

std::optional<TopicRecord> TopicTable::find(const PartitionId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id.topic);
  if (found == by_id_.end() || id.index < 0 || id.index >= found->second.topic.partitions)
    return std::nullopt;
  return found->second;
}

Topic TopicTable::shown(const TopicRecord& record) const {
  Topic topic = record.topic;
  if (record.layout != defaults_.layout) topic.configs.emplace(kLayoutConfig, layout_name(record.layout));
  if (record.path != defaults_.path) topic.configs.emplace(kPathConfig, path_name(record.path));
  return topic;
}

std::vector<PartitionId> TopicTable::partitions() const {
  std::vector<PartitionId> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, record] : by_id_) {
    if (record.by_others) continue;
    for (std::int32_t i = 0; i < record.topic.partitions; ++i) all.push_back({.topic = id, .index = i});
  }
  return all;
}

std::vector<PartitionId> TopicTable::partitions_on(WritePath path) const {
  std::vector<PartitionId> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, record] : by_id_) {
    if ((record.by_others && !record.shared) || record.path != path) continue;
    for (std::int32_t i = 0; i < record.topic.partitions; ++i) all.push_back({.topic = id, .index = i});
  }
  return all;
}

bool TopicTable::any_on(WritePath path) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(by_id_, [&](const auto& one) {
    return one.second.path == path && (!one.second.by_others || one.second.shared);
  });
}

bool TopicTable::has_name(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(by_id_, [&](const auto& one) { return one.second.topic.name == name; });
}

Task<Result<TopicTable::Stored>> TopicTable::read_all() {
  Stored all;
  for (std::string after;;) {
    auto page = co_await filer_.list(paths::topics_dir(), "", after, kPage);
    if (!page) co_return fail(std::move(page.error()));
    for (const Entry& entry : *page) {
      auto record = parse_topic_record(entry.content);
      if (!record) {
        all.unreadable.emplace(entry.name, std::move(record.error().message));
        continue;
      }
      const auto etag = entry.extended.find(kEtagAttribute);
      all.known.push_back(
          {.record = std::move(*record), .etag = etag == entry.extended.end() ? "?" : etag->second});
    }
    if (page->size() < kPage) co_return all;
    after = page->back().name;
  }
}

Task<Result<std::vector<Topic>>> TopicTable::list() {
  co_await lock();
  const Busy busy(*this);
  auto all = co_await read_all();
  if (!all) co_return fail(std::move(all.error()));
  ByName by_name;
  for (Known& known : all->known) by_name.emplace(known.record.topic.name, std::move(known));
  note_unreadable(all->unreadable);
  auto looked = co_await look_for_others(&by_name, all->unreadable);
  if (!looked) co_return fail(std::move(looked.error()));
  std::vector<Topic> topics;
  std::map<TopicId, TopicRecord> by_id;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, record] : by_id_) {
      if (!all->unreadable.contains(record.topic.name)) continue;
      topics.push_back(shown(record));
      by_id.emplace(id, record);
    }
  }
  for (auto& [name, known] : by_name) {
    if (known.record.removed) continue;
    topics.push_back(shown(known.record));
    by_id.emplace(known.record.topic.id, std::move(known.record));
  }
  for (const TopicId& id : replace_all(std::move(by_id))) co_await closed_(id);
  co_return topics;
}

void TopicTable::note_unreadable(const std::map<std::string, std::string>& unreadable) {
  for (const auto& [name, why] : unreadable) {
    if (unreadable_.contains(name)) continue;
    module_log().error("event=topic_record_unreadable topic=\"{}\" entry={} error=\"{}\"", name,
                       paths::join(paths::topics_dir(), name), why);
  }
  unreadable_ = unreadable;
}

std::vector<TopicId> TopicTable::replace_all(std::map<TopicId, TopicRecord> by_id) {
  const std::lock_guard lock(mutex_);
  std::vector<TopicId> gone;
  for (const auto& [id, record] : by_id_) {
    if (!by_id.contains(id)) gone.push_back(id);
  }
  by_id_ = std::move(by_id);
  return gone;
}

// ------------------------------------------------------------------------------------------- create

Task<Result<void>> TopicTable::create(std::vector<Topic> topics) {
  co_await lock();
  const Busy busy(*this);
  co_return co_await create_locked(std::move(topics));
}

Task<Result<void>> TopicTable::create_locked(std::vector<Topic> topics) {
  std::set<std::string> names;
  for (const Topic& topic : topics) {
    TIDEGATE_ASSERT(!topic.id.is_zero() && topic.partitions > 0);
    if (!names.insert(topic.name).second) co_return fail(exists(topic.name));
    if (topic.partitions > kRingSize) {
      co_return fail(ErrorCode::invalid_partitions,
                     fmt::format("SeaweedMQ divides a topic into {} partitions at most", kRingSize));
    }
  }
  std::vector<TopicId> made;
  Result<void> result;
  for (const Topic& topic : topics) {
    result = co_await create_one(topic);
    if (!result) break;
    made.push_back(topic.id);
  }
  if (result) co_return result;
  for (const TopicId& id : made) {
    auto undone = co_await remove_locked(id);
    if (!undone)
      module_log().error("event=topic_not_undone topic_id={} error=\"{}\"", id.to_string(),
                         undone.error().message);
  }
  co_return result;
}

Task<Result<std::int64_t>> TopicTable::new_generation(std::string name, bool known) {
  std::int64_t generation = clock_.wall_ms() * kNsPerMs;
  for (std::string after;;) {
    auto page = co_await filer_.list(paths::topic_dir(name), "", after, kPage);
    if (!page) co_return fail(std::move(page.error()));
    for (const Entry& entry : *page) {
      if (!known && entry.name == paths::kTopicConf) {
        co_return fail(ErrorCode::topic_already_exists,
                       fmt::format("topic {} exists already: SeaweedMQ has it", name));
      }
      // Names have seconds.
      const auto version = paths::parse_version(entry.name);
      if (version && *version + kNsPerSecond > generation) generation = *version + kNsPerSecond;
    }
    if (page->size() < kPage) co_return generation;
    after = page->back().name;
  }
}

Task<Result<void>> TopicTable::create_one(Topic topic) {
  const std::string name = topic.name;
  auto found = co_await entries_.get(paths::topics_dir(), name);
  if (!found) co_return fail(std::move(found.error()));
  Known known;
  if (!found->etag.empty()) {
    auto before = parse_topic_record(found->content);
    if (!before) co_return fail(std::move(before.error()));
    if (!before->removed) co_return fail(exists(name));
    known.record.remains = std::move(before->remains);
  }
  auto generation = co_await new_generation(name, !found->etag.empty());
  if (!generation) co_return fail(std::move(generation.error()));
  // A partition's directory is made by its first file: the names that are taken are in the remains, too.
  for (const auto& old : known.record.remains) {
    const std::int64_t above = (old.generation_ns / kNsPerSecond + 1) * kNsPerSecond;
    *generation = std::max(*generation, above);
  }
  known.record.topic = std::move(topic);
  known.record.generation_ns = *generation;
  auto made = makeable(known.record.topic.configs, defaults_);
  if (!made) co_return fail(std::move(made.error()));
  known.record.path = made->path;
  known.record.layout = made->layout;
  // A broker keeps 40 MB for each part of the ring: none is in reserve.
  known.record.slots = known.record.path == WritePath::broker ? known.record.topic.partitions
                                                              : slots_for(known.record.topic.partitions);
  auto put = co_await entries_.put(paths::topics_dir(), name, found->etag, encode_topic_record(known.record));
  if (!put) co_return fail(std::move(put.error()));
  if (!*put) co_return fail(exists(name));
  known.etag = **put;
  remember(known);
  auto conf = co_await put_conf(known);
  if (conf) co_return conf;
  auto undone = co_await remove_locked(known.record.topic.id);
  if (!undone)
    module_log().error("event=topic_not_undone topic={} error=\"{}\"", name, undone.error().message);
  co_return conf;
}

// Under the record as a fence: never over the topic.conf of a topic that was made since.
Task<Result<void>> TopicTable::put_conf(Known known) {
  const std::string name = known.record.topic.name;
  FencedChange change{.fence_path = paths::join(paths::topics_dir(), name),
                      .fence_etag = known.etag,
                      .directory = paths::topic_dir(name)};
  change.entry.name = paths::kTopicConf;
  if (known.record.removed) {
    change.kind = FencedChange::Kind::erase;
  } else {
    change.entry.content = encode_topic_conf({.slots = known.record.slots,
                                              .generation_ns = known.record.generation_ns,
                                              .columns = known.record.columns});
    change.entry.size_bytes = change.entry.content.size();
  }
  Result<void> result;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto written = co_await filer_.transact(change);
    if (written && *written == Outcome::done) co_return Result<void>{};
    if (written)
      co_return fail(ErrorCode::kafka_storage_error, fmt::format("topic {} was changed meanwhile", name));
    result = fail(std::move(written.error()));
  }
  co_return result;
}

Task<Result<void>> TopicTable::mend_conf(TopicId id) {
  co_await lock();
  const Busy busy(*this);
  const auto name = name_of(id);
  if (!name) co_return fail(unknown(id));
  auto found = co_await entries_.get(paths::topics_dir(), *name);
  if (!found) co_return fail(std::move(found.error()));
  if (found->etag.empty()) co_return fail(unknown(id));
  auto record = parse_topic_record(found->content);
  if (!record) co_return fail(std::move(record.error()));
  if (record->removed || record->by_others || record->topic.id != id) co_return fail(unknown(id));
  auto entry = co_await filer_.lookup(paths::topic_dir(*name), std::string(paths::kTopicConf));
  if (!entry) co_return fail(std::move(entry.error()));
  if (*entry) {
    const auto conf = parse_topic_conf((*entry)->content);
    if (conf && conf->generation_ns == record->generation_ns && conf->slots == record->slots)
      co_return Result<void>{};
  }
  module_log().warn("event=topic_conf_mended topic={} reason=\"a broker has divided it anew\"", *name);
  co_return co_await put_conf({.record = std::move(*record), .etag = found->etag});
}

// ------------------------------------------------------------------------------------------- change

Task<Result<void>> TopicTable::change(TopicId id, Change change) {
  const auto name = name_of(id);
  if (!name) co_return fail(unknown(id));
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto found = co_await entries_.get(paths::topics_dir(), *name);
    if (!found) co_return fail(std::move(found.error()));
    if (found->etag.empty()) co_return fail(unknown(id));
    auto record = parse_topic_record(found->content);
    if (!record) co_return fail(std::move(record.error()));
    if (record->removed || record->topic.id != id) {
      remember({.record = *record, .etag = found->etag});
      co_return fail(unknown(id));
    }
    if (auto changed = change(*record); !changed) co_return changed;
    auto put = co_await entries_.put(paths::topics_dir(), *name, found->etag, encode_topic_record(*record));
    if (!put) co_return fail(std::move(put.error()));
    if (!*put) continue;
    const Known known{.record = std::move(*record), .etag = **put};
    remember(known);
    if (!known.record.removed) co_return Result<void>{};
    // From here on SeaweedMQ's tools do not see it either; what fails is done with its remains.
    auto hidden = co_await put_conf(known);
    if (!hidden)
      module_log().warn("event=topic_conf_remains topic={} error=\"{}\"", *name, hidden.error().message);
    co_return Result<void>{};
  }
  co_return fail(ErrorCode::kafka_storage_error,
                 fmt::format("topic {} is changed by others all the time", *name));
}

Task<std::vector<Result<void>>> TopicTable::remove(std::vector<TopicId> ids) {
  co_await lock();
  const Busy busy(*this);
  std::vector<Result<void>> results;
  results.reserve(ids.size());
  for (const TopicId& id : ids) results.push_back(co_await remove_locked(id));
  co_return results;
}

Task<Result<void>> TopicTable::remove_locked(TopicId id) {
  std::vector<std::int64_t> older;
  if (const auto name = name_of(id); name && is_by_others(id)) {
    auto versions = co_await versions_of(*name);
    if (!versions) co_return fail(std::move(versions.error()));
    older = std::move(*versions);
  }
  const Change mark = [id, older](TopicRecord& record) {
    record.removed = true;
    record.remains.push_back({.id = id, .generation_ns = record.generation_ns});
    for (const std::int64_t version : older) {
      if (version < record.generation_ns / kNsPerSecond * kNsPerSecond)
        record.remains.push_back({.id = id, .generation_ns = version});
    }
    return Result<void>{};
  };
  auto removed = co_await change(id, mark);
  if (removed) co_await closed_(id);
  co_return removed;
}

Task<std::vector<Result<void>>> TopicTable::add_partitions(std::vector<Growth> growths) {
  co_await lock();
  const Busy busy(*this);
  std::vector<Result<void>> results;
  results.reserve(growths.size());
  for (const Growth& growth : growths) results.push_back(co_await grow_locked(growth));
  co_return results;
}

Task<Result<void>> TopicTable::grow_locked(Growth growth) {
  const Change grow = [partitions = growth.partitions](TopicRecord& record) -> Result<void> {
    if (record.by_others) {
      return fail(
          ErrorCode::invalid_partitions,
          fmt::format("topic {} was made by SeaweedMQ, which cannot divide it anew without losing its data",
                      record.topic.name));
    }
    if (partitions <= record.topic.partitions) {
      return fail(ErrorCode::invalid_partitions, fmt::format("topic {} has {} partitions already",
                                                             record.topic.name, record.topic.partitions));
    }
    if (record.path == WritePath::broker) {
      return fail(ErrorCode::invalid_partitions,
                  fmt::format("topic {} is on the broker path, where SeaweedMQ cannot divide it anew without "
                              "losing its data",
                              record.topic.name));
    }
    if (partitions > record.slots) {
      return fail(
          ErrorCode::invalid_partitions,
          fmt::format("topic {} was created with room for {} partitions, and SeaweedMQ cannot divide it anew "
                      "without losing its data",
                      record.topic.name, record.slots));
    }
    record.topic.partitions = partitions;
    return {};
  };
  co_return co_await change(growth.id, grow);
}

Task<Result<void>> TopicTable::set_config(TopicId id, std::map<std::string, std::string> configs) {
  co_await lock();
  const Busy busy(*this);
  const Change configure = [configs](TopicRecord& record) -> Result<void> {
    const Made made{.path = record.path, .layout = record.layout};
    const auto wanted = made_with(configs, made);
    if (!wanted) return fail(wanted.error());
    if (*wanted != made) {
      return fail(
          ErrorCode::invalid_config,
          fmt::format("topic {} was made with {}={} and {}={}, which cannot be changed", record.topic.name,
                      kLayoutConfig, layout_name(made.layout), kPathConfig, path_name(made.path)));
    }
    // Whoever had it so already, and those that others have made, may have anything.
    const bool compacts = is_compacted(configs, false) && !is_compacted(record.topic.configs, false);
    if (compacts && record.path == WritePath::broker) return fail(no_compaction());
    record.topic.configs = configs;
    return {};
  };
  co_return co_await change(id, configure);
}

Task<Result<void>> TopicTable::share(TopicId id) {
  co_await lock();
  const Busy busy(*this);
  {
    const std::lock_guard known(mutex_);
    const auto found = by_id_.find(id);
    if (found != by_id_.end() && found->second.shared) co_return Result<void>{};
  }
  const Change mark = [](TopicRecord& record) {
    record.shared = record.by_others;
    return Result<void>{};
  };
  co_return co_await change(id, mark);
}

// ------------------------------------------------------------------------------------------ remains

Task<void> TopicTable::delete_remains() {
  co_await lock();
  const Busy busy(*this);
  auto all = co_await read_all();
  if (!all) co_return;
  for (const Known& known : all->known) {
    if (known.record.remains.empty()) continue;
    co_await delete_remains_of(known);
  }
}

Task<void> TopicTable::delete_remains_of(Known known) {
  const std::string name = known.record.topic.name;
  for (const auto& old : known.record.remains) {
    auto files = co_await filer_.erase(paths::topic_dir(name), paths::version_name(old.generation_ns), true);
    auto states = co_await filer_.erase(paths::join(paths::kMeta, "partitions"), old.id.to_string(), true);
    if (files && states) continue;
    module_log().warn("event=topic_files_remain topic={} topic_id={} error=\"{}\"", name, old.id.to_string(),
                      files ? states.error().message : files.error().message);
    co_return;  // the next time
  }
  known.record.remains.clear();
  if (!known.record.removed) {
    auto put =
        co_await entries_.put(paths::topics_dir(), name, known.etag, encode_topic_record(known.record));
    if (!put) module_log().warn("event=topic_remains topic={} error=\"{}\"", name, put.error().message);
    co_return;
  }
  if (auto hidden = co_await put_conf(known); !hidden) co_return;
  auto erased = co_await entries_.erase(paths::topics_dir(), name, known.etag);
  // Only an empty directory goes: a topic of that name may have been made meanwhile.
  if (erased && *erased)
    static_cast<void>(co_await filer_.erase(std::string(paths::kNamespace), name, false));
}

}  // namespace tidegate::storage::seaweedmq
