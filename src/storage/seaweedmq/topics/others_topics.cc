// Topics that SeaweedMQ has made, its Kafka gateway or whoever else configures topics at a broker: a
// topic.conf without a record of ours. They get one, by compare-and-set, so that their id is the same at
// every gateway. What their topic.conf says counts: a newer generation is another topic of that name, and
// without it there is none.
#include <algorithm>

#include <fmt/format.h>

#include "format/names.h"
#include "tidegate/base/module_log.h"
#include "topic_table.h"

namespace tidegate::storage::seaweedmq {

namespace {

constexpr std::size_t kPage = 500;
constexpr std::size_t kMaxNameBytes = 249;
constexpr std::int64_t kNsPerMs = 1'000'000;

// Kafka's rule; other names no client could ask for.
bool is_kafka_name(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kMaxNameBytes && std::ranges::all_of(name, good);
}

}  // namespace

void TopicTable::warn_once(const std::string& name, const std::string& reason) {
  if (std::exchange(warned_[name], reason) == reason) return;
  module_log().warn("event=topic_of_others_unusable topic=\"{}\" reason=\"{}\"", name, reason);
}

Task<Result<void>> TopicTable::look_for_others(ByName* known, std::map<std::string, std::string> taken) {
  std::vector<std::string> gone;
  for (const auto& [name, one] : *known) {
    if (one.record.by_others && !one.record.removed) gone.push_back(name);
  }
  for (std::string after;;) {
    auto page = co_await filer_.list(std::string(paths::kNamespace), "", after, kPage);
    if (!page) co_return fail(std::move(page.error()));
    for (const Entry& entry : *page) {
      if (!entry.is_directory || entry.name.starts_with('.') || taken.contains(entry.name)) continue;
      const auto ours = known->find(entry.name);
      if (ours != known->end() && !ours->second.record.removed && !ours->second.record.by_others) continue;
      std::erase(gone, entry.name);
      if (auto looked = co_await look_at(entry.name, known); !looked) co_return looked;
    }
    if (page->size() < kPage) break;
    after = page->back().name;
  }
  for (const std::string& name : gone) {
    if (auto forgotten = co_await forget(name, known); !forgotten) co_return forgotten;
  }
  co_return Result<void>{};
}

Task<Result<void>> TopicTable::look_at(std::string name, ByName* known) {
  auto entry = co_await filer_.lookup(paths::topic_dir(name), std::string(paths::kTopicConf));
  if (!entry) co_return fail(std::move(entry.error()));
  if (!*entry) co_return co_await forget(name, known);
  if (!is_kafka_name(name)) {
    warn_once(name, "not a name that Kafka allows");
    co_return Result<void>{};
  }
  auto conf = parse_topic_conf((*entry)->content);
  if (!conf) {
    warn_once(name, conf.error().message);
    co_return Result<void>{};
  }
  const auto found = known->find(name);
  if (found != known->end()) {
    const TopicRecord& record = found->second.record;
    const bool same = record.generation_ns == conf->generation_ns && record.slots == conf->slots;
    if (!record.removed && same) co_return Result<void>{};
    // Of a removed topic, until it is deleted.
    const auto& remains = record.remains;
    if (std::ranges::find(remains, conf->generation_ns, &TopicRecord::Remains::generation_ns) !=
        remains.end())
      co_return Result<void>{};
  }
  co_return co_await adopt(std::move(name), *conf, known);
}

Task<Result<void>> TopicTable::adopt(std::string name, TopicConf conf, ByName* known) {
  const auto before = known->find(name);
  Known next;
  if (before != known->end()) next.record.remains = before->second.record.remains;
  next.record.topic = {.name = name,
                       .id = new_id_(),
                       .partitions = conf.slots,
                       .configs = {},
                       .created_ms = conf.generation_ns / kNsPerMs};
  next.record.slots = conf.slots;
  next.record.generation_ns = conf.generation_ns;
  next.record.path = WritePath::broker;
  next.record.layout = Layout::record;
  next.record.by_others = true;
  const std::string etag = before == known->end() ? "" : before->second.etag;
  auto put = co_await entries_.put(paths::topics_dir(), name, etag, encode_topic_record(next.record));
  if (!put) co_return fail(std::move(put.error()));
  // Another gateway was faster: its record is found the next time.
  if (!*put) co_return Result<void>{};
  next.etag = **put;
  module_log().info("event=topic_of_others_found topic={} topic_id={} partitions={}", name,
                    next.record.topic.id.to_string(), conf.slots);
  (*known)[name] = std::move(next);
  co_return Result<void>{};
}

Task<Result<void>> TopicTable::forget(std::string name, ByName* known) {
  const auto found = known->find(name);
  if (found == known->end() || !found->second.record.by_others || found->second.record.removed)
    co_return Result<void>{};
  auto erased = co_await entries_.erase(paths::topics_dir(), name, found->second.etag);
  if (!erased) co_return fail(std::move(erased.error()));
  known->erase(name);
  module_log().info("event=topic_of_others_gone topic={}", name);
  co_return Result<void>{};
}

Task<Result<std::vector<std::int64_t>>> TopicTable::versions_of(std::string name) {
  std::vector<std::int64_t> versions;
  for (std::string after;;) {
    auto page = co_await filer_.list(paths::topic_dir(name), "", after, kPage);
    if (!page) co_return fail(std::move(page.error()));
    for (const Entry& entry : *page) {
      const auto version = paths::parse_version(entry.name);
      if (version && entry.is_directory) versions.push_back(*version);
    }
    if (page->size() < kPage) co_return versions;
    after = page->back().name;
  }
}

}  // namespace tidegate::storage::seaweedmq
