#include "topic_table.h"

#include <mutex>

#include "keys.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::embedded {

namespace {
constexpr std::uint8_t kTopicVersion = 1;
}  // namespace

std::string encode_topic(const Topic& topic) {
  ValueWriter out;
  out.integer(kTopicVersion).integer(topic.created_ms).integer(topic.partitions).text(topic.name);
  out.integer(static_cast<std::uint32_t>(topic.configs.size()));
  for (const auto& [key, value] : topic.configs) out.text(key).text(value);
  return out.take();
}

std::optional<Topic> decode_topic(const TopicId& id, std::string_view value) {
  ValueReader in(value);
  if (in.integer<std::uint8_t>() != kTopicVersion) return std::nullopt;
  Topic topic;
  topic.id = id;
  topic.created_ms = in.integer<std::int64_t>();
  topic.partitions = in.integer<std::int32_t>();
  topic.name = in.text();
  for (auto left = in.integer<std::uint32_t>(); left > 0 && in.ok(); --left) {
    std::string key = in.text();
    topic.configs[std::move(key)] = in.text();
  }
  if (!in.done() || topic.partitions < 1) return std::nullopt;
  return topic;
}

Result<void> TopicTable::load() {
  const std::unique_lock lock(mutex_);
  topics_.clear();
  by_name_.clear();
  remains_.clear();
  bool good = true;
  auto topics = context_.kv->scan({}, keys::kTopics, [&](std::string_view key, std::string_view value) {
    ValueReader reader(key.substr(1));
    const TopicId id = reader.uuid();
    auto topic = decode_topic(id, value);
    good = reader.done() && topic;
    if (!good) return false;
    by_name_[topic->name] = id;
    topics_.emplace(id, std::move(*topic));
    return true;
  });
  if (!topics) return topics;
  auto removed = context_.kv->scan({}, keys::kDeletions, [&](std::string_view key, std::string_view value) {
    ValueReader reader(key.substr(1));
    ValueReader count(value);
    const TopicId id = reader.uuid();
    remains_.push_back({id, count.integer<std::int32_t>()});
    good = reader.done() && count.done();
    return good;
  });
  if (!removed) return removed;
  if (!good) return fail(ErrorCode::kafka_storage_error, "metadata store: a topic's entry cannot be read");
  return {};
}

std::int32_t TopicTable::partitions(const TopicId& id) const {
  const std::shared_lock lock(mutex_);
  const auto found = topics_.find(id);
  return found == topics_.end() ? 0 : found->second.partitions;
}

Task<Result<void>> TopicTable::create(std::vector<Topic> topics) {
  std::vector<KvOp> ops;
  std::set<std::string> names;
  {
    const std::shared_lock lock(mutex_);
    for (const Topic& topic : topics) {
      if (by_name_.contains(topic.name) || creating_.contains(topic.name) || !names.insert(topic.name).second) {
        co_return fail(ErrorCode::topic_already_exists, "topic " + topic.name + " exists already");
      }
      ops.push_back({keys::topic(keys::kTopics, topic.id), encode_topic(topic)});
    }
  }
  creating_.insert(names.begin(), names.end());
  auto work = [this, batch = std::move(ops)] { return context_.kv->write(batch, true); };
  auto wrote = co_await context_.pool.run(Lane::metadata, std::move(work));
  for (const auto& name : names) creating_.erase(name);
  if (!wrote) co_return wrote;
  const std::unique_lock lock(mutex_);
  for (Topic& topic : topics) {
    by_name_[topic.name] = topic.id;
    topics_[topic.id] = std::move(topic);
  }
  co_return Result<void>();
}

Task<Result<void>> TopicTable::remove(TopicId id) {
  std::int32_t count = partitions(id);
  if (count == 0) co_return fail(ErrorCode::unknown_topic_id, "no topic has this id");
  // Out of sight first: nothing may open a log of it from now on.
  Topic gone;
  {
    const std::unique_lock lock(mutex_);
    gone = std::move(topics_[id]);
    topics_.erase(id);
  }
  auto work = [this, id, count] {
    std::vector<KvOp> ops;
    ops.push_back({keys::topic(keys::kTopics, id), std::nullopt});
    ops.push_back({keys::topic(keys::kDeletions, id), ValueWriter().integer(count).take()});
    PartitionFacts::erase_keys(id, count, ops);
    return context_.kv->write(ops, true);
  };
  auto wrote = co_await context_.pool.run(Lane::metadata, std::move(work));
  if (!wrote) {
    const std::unique_lock lock(mutex_);
    topics_[id] = std::move(gone);
    co_return wrote;
  }
  {
    const std::unique_lock lock(mutex_);
    by_name_.erase(gone.name);
    remains_.push_back({id, count});
  }
  co_await on_removed_(id);
  context_.facts.forget(id, count);
  co_return Result<void>();
}

Task<Result<std::vector<Topic>>> TopicTable::list() {
  std::vector<Topic> topics;
  const std::shared_lock lock(mutex_);
  topics.reserve(topics_.size());
  for (const auto& [id, topic] : topics_) topics.push_back(topic);
  co_return topics;
}

Task<Result<void>> TopicTable::replace_topic(Topic changed) {
  auto work = [this, op = KvOp{keys::topic(keys::kTopics, changed.id), encode_topic(changed)}] {
    return context_.kv->write({&op, 1}, true);
  };
  auto wrote = co_await context_.pool.run(Lane::metadata, std::move(work));
  if (!wrote) co_return wrote;
  const std::unique_lock lock(mutex_);
  const auto found = topics_.find(changed.id);
  if (found == topics_.end()) co_return fail(ErrorCode::unknown_topic_id, "the topic was deleted meanwhile");
  found->second = std::move(changed);
  co_return Result<void>();
}

Task<Result<void>> TopicTable::add_partitions(TopicId id, std::int32_t count) {
  Topic changed;
  {
    const std::shared_lock lock(mutex_);
    const auto found = topics_.find(id);
    if (found == topics_.end()) co_return fail(ErrorCode::unknown_topic_id, "no topic has this id");
    changed = found->second;
  }
  if (count <= changed.partitions) {
    co_return fail(ErrorCode::invalid_partitions, fmt::format("the topic has {} partitions already", changed.partitions));
  }
  changed.partitions = count;
  co_return co_await replace_topic(std::move(changed));
}

Task<Result<void>> TopicTable::set_config(TopicId id, std::map<std::string, std::string> configs) {
  Topic changed;
  {
    const std::shared_lock lock(mutex_);
    const auto found = topics_.find(id);
    if (found == topics_.end()) co_return fail(ErrorCode::unknown_topic_id, "no topic has this id");
    changed = found->second;
  }
  changed.configs = std::move(configs);
  co_return co_await replace_topic(std::move(changed));
}

std::vector<TopicRemains> TopicTable::remains() const {
  const std::shared_lock lock(mutex_);
  return remains_;
}

Result<void> TopicTable::forget_remains(const TopicId& id) {
  const KvOp op{keys::topic(keys::kDeletions, id), std::nullopt};
  if (auto wrote = context_.kv->write({&op, 1}, true); !wrote) return wrote;
  const std::unique_lock lock(mutex_);
  std::erase_if(remains_, [&](const TopicRemains& remains) { return remains.id == id; });
  return {};
}

}  // namespace tidegate::storage::embedded
