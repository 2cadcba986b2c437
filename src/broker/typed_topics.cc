#include "tidegate/broker/typed_topics.h"

#include <charconv>
#include <utility>
#include <vector>

#include "tidegate/runtime/submit.h"

namespace tidegate::broker {
namespace {

constexpr std::size_t kPage = 50;
// Every gateway adds to it, and what an id has never changes: nobody is fenced.
constexpr std::int32_t kNoFence = 0;

std::string scope_of(const TopicId& topic) { return "schemas/" + topic.to_string(); }

}  // namespace

std::unique_ptr<TypedTopics> TypedTopics::make(storage::Engine& engine, ShardPool& shards,
                                               BlockingPool& blocking, schema::ValidationOptions options,
                                               MetricRegistry& metrics) {
  if (engine.column_format() == nullptr) return nullptr;
  std::unique_ptr<TypedTopics> made(new TypedTopics(engine, shards, blocking, options, metrics));
  engine.set_rebuilder(made.get());
  return made;
}

TypedTopics::TypedTopics(storage::Engine& engine, ShardPool& shards, BlockingPool& blocking,
                         schema::ValidationOptions options, MetricRegistry& metrics)
    : engine_(engine), shards_(shards), values_(*engine.column_format(), *this, blocking, options, metrics) {}

Task<Result<std::map<std::int32_t, std::string>>> TypedTopics::schemas(TopicId topic) {
  std::map<std::int32_t, std::string> found;
  for (std::string after;;) {
    auto page = co_await engine_.meta().scan(scope_of(topic), "", after, kPage);
    if (!page) co_return fail(std::move(page.error()));
    for (storage::MetaEntry& entry : *page) {
      after = entry.key;
      std::int32_t id = 0;
      const auto parsed = std::from_chars(entry.key.data(), entry.key.data() + entry.key.size(), id);
      if (parsed.ec == std::errc()) found.emplace(id, std::move(entry.value));
    }
    if (page->size() < kPage) co_return found;
  }
}

Task<Result<void>> TypedTopics::add_schema(TopicId topic, std::int32_t id, std::string schema) {
  std::vector<storage::MetaOp> ops;
  ops.push_back({.kind = storage::MetaOp::Kind::put, .key = std::to_string(id), .value = std::move(schema)});
  co_return co_await engine_.meta().put_batch(scope_of(topic), kNoFence, std::move(ops),
                                              storage::MetaDurability::synced);
}

// What fails leaves something small behind that nobody reads again.
Task<void> TypedTopics::forget(TopicId topic) {
  auto found = co_await schemas(topic);
  if (!found || found->empty()) co_return;
  std::vector<storage::MetaOp> ops;
  for (const auto& [id, text] : *found)
    ops.push_back({.kind = storage::MetaOp::Kind::erase, .key = std::to_string(id), .value = {}});
  static_cast<void>(co_await engine_.meta().put_batch(scope_of(topic), kNoFence, std::move(ops),
                                                      storage::MetaDurability::policy));
}

Task<Result<DeclaredColumns>> TypedTopics::add_columns(TopicId topic, DeclaredColumns more) {
  auto add = [this, topic, columns = std::move(more)]() mutable {
    return engine_.topics().add_columns(topic, std::move(columns));
  };
  co_return co_await submit_to(shards_.at(0), std::move(add));
}

}  // namespace tidegate::broker
