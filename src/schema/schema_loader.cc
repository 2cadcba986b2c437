#include "schema_loader.h"

#include <set>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "cache.h"
#include "excerpt.h"
#include "schema_text.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::schema {
namespace {

// A batch keeps its turn in the partition's order while it waits.
constexpr Duration kPatience = std::chrono::seconds(5);
// Of one schema with all that it refers to, however many look-ups that takes.
constexpr Duration kLongestWay = std::chrono::seconds(60);
// Schemas on their way; further ones are told to come again.
constexpr std::size_t kMaxFlights = 1000;

// It is told for every record.
constexpr std::size_t kMaxProblemBytes = 500;
LoadedSchema unusable(const std::string& problem) {
  return {nullptr, true, excerpt(problem, kMaxProblemBytes)};
}
LoadedSchema unavailable(const std::string& problem) {
  return {nullptr, false, excerpt(problem, kMaxProblemBytes)};
}

// What a schema refers to, as far as it is known.
struct Gathered {
  using Key = std::pair<std::string, std::int32_t>;
  std::set<Key> open;  // being looked into: one that comes up again refers to itself
  std::set<Key> done;
  std::size_t bytes = 0;
  std::vector<ReferencedSchema> schemas;  // each behind those that it needs
};

}  // namespace

struct SchemaLoader::Kept::State {
  State(const ValidationOptions& options, const Clock& clock, Counter& evicted)
      : cache(options.compiled_cache_bytes, clock, evicted) {}
  CompiledCache cache;
};

std::optional<LoadedSchema> SchemaLoader::Kept::find(std::int32_t id) const { return state_->cache.find(id); }

struct SchemaLoader::State {
  struct Flight {
    bool ended = false;
    Event done;
    LoadedSchema loaded;
  };

  State(Registry& r, BlockingPool& pool, ValidationOptions o, Kept k, MetricRegistry& metrics)
      : registry(r),
        home(r.home()),
        blocking(pool),
        options(o),
        kept(std::move(k)),
        good(metrics.counter("tidegate_schema_compiled_total", "Schemas that were compiled",
                             {{"result", "usable"}})),
        bad(metrics.counter("tidegate_schema_compiled_total", "Schemas that were compiled",
                            {{"result", "unusable"}})),
        bytes(metrics.gauge("tidegate_schema_compiled_bytes", "Memory of compiled schemas, about")) {}

  static Task<LoadedSchema> load(std::shared_ptr<State> self, std::int32_t id);
  static Task<void> fly(std::shared_ptr<State> self, std::int32_t id, std::shared_ptr<Flight> flight);
  static Task<LoadedSchema> fetch(std::shared_ptr<State> self, std::int32_t id);
  // nullopt: all are there.
  static Task<std::optional<LoadedSchema>> gather(std::shared_ptr<State> self, RegisteredSchemaPtr schema,
                                                  std::shared_ptr<Gathered> into, std::size_t depth,
                                                  MonoTime deadline);
  static Task<LoadedSchema> compile(std::shared_ptr<State> self, RegisteredSchemaPtr schema,
                                    std::vector<ReferencedSchema> references);
  std::string too_large() const {
    return fmt::format("with its references it has more than {} bytes", options.max_schema_bytes);
  }

  Registry& registry;
  Shard& home;
  BlockingPool& blocking;
  const ValidationOptions options;
  const Kept kept;
  Counter& good;
  Counter& bad;
  Gauge& bytes;
  std::unordered_map<std::int32_t, std::shared_ptr<Flight>> flights;
};

Task<LoadedSchema> SchemaLoader::State::load(std::shared_ptr<State> self, std::int32_t id) {
  if (auto known = self->kept.find(id)) co_return std::move(*known);
  const MonoTime enough = self->home.clock().now() + kPatience;
  std::shared_ptr<Flight> flight;
  if (const auto at = self->flights.find(id); at != self->flights.end()) {
    flight = at->second;
  } else {
    if (self->flights.size() >= kMaxFlights) co_return unavailable("too many schemas are being fetched");
    flight = std::make_shared<Flight>();
    self->flights.emplace(id, flight);
    self->home.start(fly(self, id, flight), "schema load");
  }
  while (!flight->ended) {
    const bool told = co_await flight->done.wait_until(self->home.timers(), enough);
    if (!told) co_return unavailable("it takes long to fetch it");
  }
  co_return flight->loaded;
}

Task<void> SchemaLoader::State::fly(std::shared_ptr<State> self, std::int32_t id,
                                    std::shared_ptr<Flight> flight) {
  flight->loaded = co_await fetch(self, id);
  const LoadedSchema& loaded = flight->loaded;
  const bool unusable = loaded.unusable;
  if (loaded.schema || unusable) {
    (unusable ? self->bad : self->good).add();
    const MonoTime until = unusable ? self->home.clock().now() + self->options.unusable_ttl : MonoTime::max();
    self->bytes.set(static_cast<std::int64_t>(self->kept.state_->cache.put(id, loaded, until)));
  }
  self->flights.erase(id);
  flight->ended = true;
  flight->done.notify_all();
}

Task<LoadedSchema> SchemaLoader::State::fetch(std::shared_ptr<State> self, std::int32_t id) {
  const MonoTime deadline = self->home.clock().now() + kLongestWay;
  SchemaAnswer root = co_await self->registry.schema(id);
  if (root.unknown_id) co_return unusable("the registry does not have its text");
  if (!root.schema) co_return unavailable(root.problem);
  if (root.schema->text.size() > self->options.max_schema_bytes) co_return unusable(self->too_large());
  auto gathered = std::make_shared<Gathered>();
  gathered->bytes = root.schema->text.size();
  auto problem = co_await gather(self, root.schema, gathered, 0, deadline);
  if (problem) co_return std::move(*problem);
  co_return co_await compile(self, root.schema, std::move(gathered->schemas));
}

Task<std::optional<LoadedSchema>> SchemaLoader::State::gather(std::shared_ptr<State> self,
                                                              RegisteredSchemaPtr schema,
                                                              std::shared_ptr<Gathered> into,
                                                              std::size_t depth, MonoTime deadline) {
  for (const SchemaReference& reference : schema->references) {
    const Gathered::Key key{reference.subject, reference.version};
    if (into->done.contains(key)) continue;
    const std::string what = fmt::format("its reference to version {} of {}", key.second, key.first);
    if (into->open.contains(key)) co_return unusable(what + " goes in a circle");
    if (depth >= self->options.max_reference_depth) co_return unusable(what + " is too many steps away");
    if (into->done.size() + into->open.size() >= self->options.max_references) {
      co_return unusable(fmt::format("it has more than {} references", self->options.max_references));
    }
    if (self->home.clock().now() >= deadline) co_return unavailable("its references take too long to fetch");
    SchemaAnswer answer = co_await self->registry.version(key.first, key.second);
    if (answer.unknown_id) co_return unusable(what + " leads nowhere");
    if (!answer.schema) co_return unavailable(what + " cannot be followed: " + answer.problem);
    into->bytes += answer.schema->text.size();
    if (into->bytes > self->options.max_schema_bytes) co_return unusable(self->too_large());
    into->open.insert(key);
    auto problem = co_await gather(self, answer.schema, into, depth + 1, deadline);
    if (problem) co_return problem;
    into->open.erase(key);
    into->done.insert(key);
    into->schemas.push_back({reference.name, answer.schema->type, answer.schema->text});
  }
  co_return std::nullopt;
}

Task<LoadedSchema> SchemaLoader::State::compile(std::shared_ptr<State> self, RegisteredSchemaPtr schema,
                                                std::vector<ReferencedSchema> references) {
  auto work = [schema = std::move(schema), references = std::move(references), options = self->options] {
    return std::pair(compile_schema(*schema, references, options),
                     std::make_shared<const std::string>(encode_schema(*schema, references)));
  };
  auto [compiled, text] = co_await self->blocking.run(Lane::cpu, std::move(work));
  if (!compiled) co_return unusable(compiled.error().message);
  co_return LoadedSchema{std::move(*compiled), false, {}, std::move(text)};
}

SchemaLoader::SchemaLoader(Registry& registry, BlockingPool& blocking, ValidationOptions options,
                           MetricRegistry& metrics) {
  auto& evicted =
      metrics.counter("tidegate_schema_cache_evictions_total", "Entries that left a schema cache for others");
  kept_.state_ = std::make_shared<Kept::State>(options, registry.home().clock(), evicted);
  state_ = std::make_shared<State>(registry, blocking, options, kept_, metrics);
}

Task<LoadedSchema> SchemaLoader::load(std::int32_t id) {
  auto visit = [state = state_, id] { return State::load(state, id); };
  co_return co_await submit_to(state_->home, std::move(visit));
}

}  // namespace tidegate::schema
