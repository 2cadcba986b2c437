#include "topic_table.h"

#include <algorithm>
#include <mutex>
#include <span>

#include "keys.h"
#include "tidegate/runtime/let_others_run.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::embedded {

namespace {
constexpr std::uint8_t kTopicVersion = 1;
// Of a removal, on one shard without a pause.
constexpr std::size_t kTopicsAtOnce = 500;
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
      if (by_name_.contains(topic.name) || creating_.contains(topic.name) ||
          !names.insert(topic.name).second) {
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

std::optional<Topic> TopicTable::take(const TopicId& id) {
  const std::unique_lock lock(mutex_);
  const auto found = topics_.find(id);
  if (found == topics_.end()) return std::nullopt;
  std::optional<Topic> topic = std::move(found->second);
  topics_.erase(found);
  return topic;
}

Task<std::vector<Result<void>>> TopicTable::remove(std::vector<TopicId> ids) {
  std::vector<Result<void>> results(ids.size());
  std::vector<Topic> taken;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    // Out of sight first: nothing may open a log of it from now on.
    auto topic = take(ids[i]);
    if (topic) {
      taken.push_back(std::move(*topic));
    } else {
      results[i] = fail(ErrorCode::unknown_topic_id, "no topic has this id");
    }
  }
  if (taken.empty()) co_return results;
  const auto gone = std::make_shared<const std::vector<Topic>>(std::move(taken));
  auto work = [this, gone] {
    std::vector<KvOp> ops;
    for (const Topic& topic : *gone) {
      ops.push_back({keys::topic(keys::kTopics, topic.id), std::nullopt});
      ops.push_back(
          {keys::topic(keys::kDeletions, topic.id), ValueWriter().integer(topic.partitions).take()});
      PartitionFacts::erase_keys(topic.id, topic.partitions, ops);
    }
    return context_.kv->write(ops, true);
  };
  auto wrote = co_await context_.pool.run(Lane::metadata, std::move(work));
  if (wrote) {
    co_await finish_removal(gone);
    co_return results;
  }
  const std::unique_lock lock(mutex_);
  for (const Topic& topic : *gone) topics_[topic.id] = topic;
  for (auto& result : results) {
    if (result) result = fail(wrote.error());
  }
  co_return results;
}

// A piece at a time: there may be thousands.
Task<void> TopicTable::finish_removal(std::shared_ptr<const std::vector<Topic>> gone) {
  for (std::size_t from = 0; from < gone->size(); from += kTopicsAtOnce) {
    const auto some = std::span(*gone).subspan(from, std::min(kTopicsAtOnce, gone->size() - from));
    std::vector<TopicId> ids;
    {
      const std::unique_lock lock(mutex_);
      for (const Topic& topic : some) {
        ids.push_back(topic.id);
        by_name_.erase(topic.name);
        remains_.push_back({topic.id, topic.partitions});
      }
    }
    co_await on_removed_(std::move(ids));
    for (const Topic& topic : some) context_.facts.forget(topic.id, topic.partitions);
    co_await let_others_run();
  }
}

Task<Result<std::vector<Topic>>> TopicTable::list() {
  std::vector<Topic> topics;
  const std::shared_lock lock(mutex_);
  topics.reserve(topics_.size());
  for (const auto& [id, topic] : topics_) topics.push_back(topic);
  co_return topics;
}

Task<Result<void>> TopicTable::replace_topics(std::vector<Topic> changed) {
  const auto topics = std::make_shared<const std::vector<Topic>>(std::move(changed));
  auto work = [this, topics] {
    std::vector<KvOp> ops;
    for (const Topic& topic : *topics)
      ops.push_back({keys::topic(keys::kTopics, topic.id), encode_topic(topic)});
    return context_.kv->write(ops, true);
  };
  auto wrote = co_await context_.pool.run(Lane::metadata, std::move(work));
  if (!wrote) co_return wrote;
  const std::unique_lock lock(mutex_);
  for (const Topic& topic : *topics) {
    const auto found = topics_.find(topic.id);
    if (found == topics_.end())
      co_return fail(ErrorCode::unknown_topic_id, "the topic was deleted meanwhile");
    found->second = topic;
  }
  co_return Result<void>();
}

Task<std::vector<Result<void>>> TopicTable::add_partitions(std::vector<Growth> growths) {
  std::vector<Result<void>> results(growths.size());
  std::unordered_map<TopicId, Topic> changed;
  {
    const std::shared_lock lock(mutex_);
    for (std::size_t i = 0; i < growths.size(); ++i) {
      const auto found = topics_.find(growths[i].id);
      if (found == topics_.end()) {
        results[i] = fail(ErrorCode::unknown_topic_id, "no topic has this id");
        continue;
      }
      const auto before = changed.find(growths[i].id);
      const std::int32_t present =
          before == changed.end() ? found->second.partitions : before->second.partitions;
      if (growths[i].partitions <= present) {
        results[i] =
            fail(ErrorCode::invalid_partitions, fmt::format("the topic has {} partitions already", present));
        continue;
      }
      Topic& topic = changed.try_emplace(growths[i].id, found->second).first->second;
      topic.partitions = growths[i].partitions;
    }
  }
  if (changed.empty()) co_return results;
  std::vector<Topic> topics;
  topics.reserve(changed.size());
  for (auto& [id, topic] : changed) topics.push_back(std::move(topic));
  auto replaced = co_await replace_topics(std::move(topics));
  for (auto& result : results) {
    if (result && !replaced) result = fail(replaced.error());
  }
  co_return results;
}

Task<Result<void>> TopicTable::set_config(TopicId id, std::map<std::string, std::string> configs) {
  std::vector<Topic> changed;
  {
    const std::shared_lock lock(mutex_);
    const auto found = topics_.find(id);
    if (found == topics_.end()) co_return fail(ErrorCode::unknown_topic_id, "no topic has this id");
    changed.push_back(found->second);
  }
  changed.front().configs = std::move(configs);
  co_return co_await replace_topics(std::move(changed));
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
