// The owner's side of the catalogue: checks, engine calls and deltas, one change at a time on shard 0.
#include "tidegate/broker/topic_catalogue.h"

#include <algorithm>
#include <deque>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "tidegate/base/assert.h"
#include "tidegate/base/module_log.h"
#include "tidegate/runtime/let_others_run.h"
#include "tidegate/runtime/submit.h"
#include "topic_catalogue_replica.h"
#include "turn_queue.h"

namespace tidegate::broker {
namespace {

using TopicResult = Result<CatalogueTopicPtr>;

constexpr std::size_t kMaxNameBytes = 249;
// Topics that callers who wait may put into one batch of the engine.
constexpr std::size_t kMaxBatchTopics = 10'000;
// Changes that a shard applies without a pause.
constexpr std::size_t kPublishedAtOnce = 500;

// Kafka's metric names turn '.' into '_', so that topics which differ in these alone would collide.
std::string collision_key(std::string_view name) {
  std::string key(name);
  std::ranges::replace(key, '.', '_');
  return key;
}

// What was stored under another version's table may be unknown or out of range here. Such a config is
// left out of what is served (and stays in the engine until the configs are next changed).
void drop_bad_configs(storage::Topic& topic) {
  for (auto at = topic.configs.begin(); at != topic.configs.end();) {
    const ConfigKey* key = topic_config_table().find(at->first);
    auto value = key ? ConfigTable::normalise(*key, at->second)
                     : Result<std::string>(fail(ErrorCode::invalid_config, "unknown name"));
    if (value) {
      at->second = std::move(*value);
      ++at;
      continue;
    }
    module_log().warn("stored topic config ignored topic={} config={} reason=\"{}\"", topic.name, at->first,
                      value.error().message);
    at = topic.configs.erase(at);
  }
}

// One call of create(). Callers that wait for their turn leave theirs in a queue; whoever has the turn
// does all of them, so that many callers share one synced batch of the engine.
struct CreateJob {
  std::vector<NewTopic> topics;
  bool validate_only = false;
  std::vector<TopicResult> results;
  bool done = false;
};
using CreateJobPtr = std::shared_ptr<CreateJob>;

// Topics that were found good and are about to be created together.
struct CreateBatch {
  struct Place {
    CreateJobPtr job;
    std::size_t index = 0;
  };
  std::vector<storage::Topic> topics;
  std::vector<Place> places;  // where the result of each goes
  std::unordered_map<std::string, std::string> names_by_collision_key;
  std::int64_t partitions = 0;
};

}  // namespace

struct TopicCatalogue::State {
  State(storage::Engine& the_engine, ShardPool& the_shards, const ConfigValues& the_server,
        const Clock& the_clock, Rng& the_rng)
      : engine(the_engine),
        shards(the_shards),
        server(the_server),
        clock(the_clock),
        rng(the_rng),
        default_settings(make_topic_settings({}, the_server)) {
    for (unsigned i = 0; i < shards.size(); ++i) replicas.push_back(std::make_unique<CatalogueReplica>());
  }

  CatalogueReplica& here() const {
    const Shard* shard = Shard::current();
    TIDEGATE_ASSERT(shard != nullptr);
    return *replicas[shard->index()];
  }
  CatalogueReplica& owner() const { return *replicas[0]; }
  Shard& owner_shard() const { return shards.at(0); }

  CatalogueTopicPtr make_entry(storage::Topic topic) const {
    TopicSettings settings =
        topic.configs.empty() ? default_settings : make_topic_settings(topic.configs, server);
    return std::make_shared<const CatalogueTopic>(CatalogueTopic{std::move(topic), std::move(settings)});
  }

  // The rest is for shard 0.
  Task<Result<void>> load();
  Task<Result<void>> refresh();
  Task<std::vector<TopicResult>> create(std::vector<NewTopic> topics, bool validate_only);
  Task<std::vector<Result<void>>> remove(std::vector<TopicId> ids);
  Task<std::vector<TopicResult>> add_partitions(std::vector<TopicGrowth> growths, bool validate_only);
  Task<TopicResult> set_configs(std::string name, ConfigChange change, bool validate_only);
  Task<TopicResult> auto_create(std::string name);

  Task<void> publish(CatalogueDelta delta);
  Task<void> publish_piece(CatalogueDelta delta);
  TopicResult check_growth(const TopicGrowth& wanted, std::int64_t& more) const;
  Task<void> run_create_jobs();
  void check_job(const CreateJobPtr& job, CreateBatch& batch);
  Result<storage::Topic> check_new(const NewTopic& wanted, const CreateBatch& batch) const;
  Result<void> check_collision(const std::string& name, const CreateBatch& batch) const;
  Result<void> check_room(std::int64_t more) const;
  Result<void> check_request_size(std::int64_t partitions) const;
  std::int32_t partitions_of(const NewTopic& wanted) const {
    return wanted.partitions == -1 ? static_cast<std::int32_t>(server.integer("num.partitions"))
                                   : wanted.partitions;
  }

  storage::Engine& engine;
  ShardPool& shards;
  const ConfigValues& server;
  const Clock& clock;
  Rng& rng;
  const TopicSettings default_settings;                     // of a topic without configs of its own
  std::vector<std::unique_ptr<CatalogueReplica>> replicas;  // by shard

  Gauge* topic_count = nullptr;
  Gauge* partition_count = nullptr;
  TurnQueue turns;
  std::deque<CreateJobPtr> create_jobs;
  std::unordered_map<std::string, std::string> names_by_collision_key;
};

// Every shard has applied the delta when this returns; deltas reach each shard in one order, because
// only one change is under way. A large one goes in pieces, so that no shard stands still for it.
Task<void> TopicCatalogue::State::publish(CatalogueDelta delta) {
  using Topics = std::vector<CatalogueTopicPtr>;
  for (Topics CatalogueDelta::* part :
       {&CatalogueDelta::removed, &CatalogueDelta::added, &CatalogueDelta::changed}) {
    const Topics& all = delta.*part;
    for (std::size_t from = 0; from < all.size(); from += kPublishedAtOnce) {
      const auto some = std::span(all).subspan(from, std::min(kPublishedAtOnce, all.size() - from));
      CatalogueDelta piece;
      (piece.*part).assign(some.begin(), some.end());
      co_await publish_piece(std::move(piece));
      co_await let_others_run();
    }
  }
  if (topic_count) topic_count->set(static_cast<std::int64_t>(owner().size()));
  if (partition_count) partition_count->set(static_cast<std::int64_t>(owner().partitions()));
}

Task<void> TopicCatalogue::State::publish_piece(CatalogueDelta delta) {
  for (const auto& topic : delta.removed) names_by_collision_key.erase(collision_key(topic->topic.name));
  for (const auto& topic : delta.added) {
    names_by_collision_key.emplace(collision_key(topic->topic.name), topic->topic.name);
  }
  const auto shared = std::make_shared<const CatalogueDelta>(std::move(delta));
  for (unsigned i = 0; i < shards.size(); ++i) {
    auto apply = [replica = replicas[i].get(), shared] { replica->apply(*shared); };
    co_await submit_to(shards.at(i), std::move(apply));
  }
}

Task<Result<void>> TopicCatalogue::State::load() {
  auto stored = co_await engine.topics().list();
  if (!stored) co_return fail(std::move(stored.error()));
  CatalogueDelta delta;
  delta.added.reserve(stored->size());
  for (storage::Topic& topic : *stored) {
    drop_bad_configs(topic);
    delta.added.push_back(make_entry(std::move(topic)));
  }
  co_await publish(std::move(delta));
  co_return Result<void>{};
}

// Between two changes, so that what the engine lists is what they left.
Task<Result<void>> TopicCatalogue::State::refresh() {
  const auto turn = co_await turns.take();
  auto stored = co_await engine.topics().list();
  if (!stored) co_return fail(std::move(stored.error()));
  CatalogueDelta delta;
  std::unordered_set<TopicId> present;
  for (storage::Topic& topic : *stored) {
    drop_bad_configs(topic);
    present.insert(topic.id);
    const CatalogueTopicPtr known = owner().find(topic.id);
    if (known && known->topic.partitions == topic.partitions && known->topic.configs == topic.configs)
      continue;
    auto& where = known ? delta.changed : delta.added;
    where.push_back(make_entry(std::move(topic)));
  }
  for (const CatalogueTopicPtr& topic : owner().list()) {
    if (!present.contains(topic->topic.id)) delta.removed.push_back(topic);
  }
  if (!delta.added.empty() || !delta.changed.empty() || !delta.removed.empty())
    co_await publish(std::move(delta));
  co_return Result<void>{};
}

// ------------------------------------------------------------------------------------------ create

Result<void> TopicCatalogue::State::check_room(std::int64_t more) const {
  const auto total = static_cast<std::int64_t>(owner().partitions()) + more;
  const auto limit =
      std::min<std::int64_t>(server.integer("max.partitions"), engine.capabilities().max_partitions);
  if (total <= limit) return {};
  return fail(ErrorCode::policy_violation,
              fmt::format("There would be {} partitions in total; the limit is {}.", total, limit));
}

Result<void> TopicCatalogue::State::check_request_size(std::int64_t partitions) const {
  const std::int64_t limit = server.integer("max.partitions.per.request");
  if (partitions <= limit) return {};
  return fail(ErrorCode::policy_violation,
              fmt::format("The request asks for {} new partitions; max.partitions.per.request allows {}.",
                          partitions, limit));
}

Result<void> TopicCatalogue::State::check_collision(const std::string& name, const CreateBatch& batch) const {
  const std::string key = collision_key(name);
  for (const auto* names : {&names_by_collision_key, &batch.names_by_collision_key}) {
    const auto other = names->find(key);
    if (other == names->end()) continue;
    if (other->second == name) {
      return fail(ErrorCode::topic_already_exists, fmt::format("Topic '{}' already exists.", name));
    }
    return fail(ErrorCode::invalid_topic_exception,
                fmt::format("Topic '{}' collides with topic '{}': '.' and '_' count as the same here.", name,
                            other->second));
  }
  return {};
}

Result<storage::Topic> TopicCatalogue::State::check_new(const NewTopic& wanted,
                                                        const CreateBatch& batch) const {
  if (auto good = check_name(wanted.name); !good) return fail(std::move(good.error()));
  if (auto good = check_collision(wanted.name, batch); !good) return fail(std::move(good.error()));
  const std::int32_t partitions = partitions_of(wanted);
  if (partitions <= 0) {
    return fail(ErrorCode::invalid_partitions,
                "The number of partitions must be at least 1, or -1 for the server's default.");
  }
  if (auto room = check_room(batch.partitions + partitions); !room) return fail(std::move(room.error()));
  const storage::Capabilities can = engine.capabilities();
  auto configs = check_topic_configs(wanted.configs, server, can);
  if (!configs) return fail(std::move(configs.error()));
  if (auto good = check_creatable(*configs, can); !good) return fail(std::move(good.error()));
  return storage::Topic{.name = wanted.name,
                        .id = {},
                        .partitions = partitions,
                        .configs = with_layout(std::move(*configs), server, can),
                        .created_ms = clock.wall_ms()};
}

void TopicCatalogue::State::check_job(const CreateJobPtr& job, CreateBatch& batch) {
  std::int64_t wanted_partitions = 0;
  for (const NewTopic& wanted : job->topics) wanted_partitions += std::max(partitions_of(wanted), 0);
  if (auto good = check_request_size(wanted_partitions); !good) {
    job->results.assign(job->topics.size(), fail(good.error()));
    return;
  }
  // Topics that are only validated count against each other, but not against other callers.
  CreateBatch apart;
  CreateBatch& with = job->validate_only ? apart : batch;
  for (std::size_t i = 0; i < job->topics.size(); ++i) {
    auto topic = check_new(job->topics[i], with);
    if (!topic) {
      job->results.emplace_back(fail(std::move(topic.error())));
      continue;
    }
    topic->id = random_uuid(rng);
    with.names_by_collision_key.emplace(collision_key(topic->name), topic->name);
    with.partitions += topic->partitions;
    job->results.emplace_back(make_entry(*topic));
    if (job->validate_only) continue;
    with.topics.push_back(std::move(*topic));
    with.places.push_back({job, i});
  }
}

Task<void> TopicCatalogue::State::run_create_jobs() {
  CreateBatch batch;
  std::vector<CreateJobPtr> jobs;
  while (!create_jobs.empty() && batch.topics.size() < kMaxBatchTopics) {
    jobs.push_back(std::move(create_jobs.front()));
    create_jobs.pop_front();
    check_job(jobs.back(), batch);
  }
  if (!batch.topics.empty()) {
    auto created = co_await engine.topics().create(std::move(batch.topics));
    CatalogueDelta delta;
    for (const auto& [job, index] : batch.places) {
      if (created) {
        delta.added.push_back(*job->results[index]);
      } else {
        job->results[index] = fail(created.error());
      }
    }
    if (created) co_await publish(std::move(delta));
  }
  for (const CreateJobPtr& job : jobs) job->done = true;
}

Task<std::vector<TopicResult>> TopicCatalogue::State::create(std::vector<NewTopic> topics,
                                                             bool validate_only) {
  const auto job = std::make_shared<CreateJob>();
  job->topics = std::move(topics);
  job->validate_only = validate_only;
  job->results.reserve(job->topics.size());
  create_jobs.push_back(job);
  const auto turn = co_await turns.take();
  while (!job->done) co_await run_create_jobs();
  co_return std::move(job->results);
}

Task<TopicResult> TopicCatalogue::State::auto_create(std::string name) {
  if (auto found = owner().find(name)) co_return found;
  std::vector<NewTopic> wanted(1);
  wanted.front().name = name;
  auto created = co_await create(std::move(wanted), false);
  TopicResult result = std::move(created.front());
  // Somebody else was first: theirs is what was asked for.
  if (!result && result.error().code == ErrorCode::topic_already_exists) {
    if (auto found = owner().find(name)) co_return found;
    if (engine.capabilities().shares_topics && co_await refresh()) {
      if (auto found = owner().find(name)) co_return found;
    }
  }
  co_return result;
}

// ------------------------------------------------------------------------------------ other changes

Task<std::vector<Result<void>>> TopicCatalogue::State::remove(std::vector<TopicId> ids) {
  const auto turn = co_await turns.take();
  std::vector<CatalogueTopicPtr> topics;
  topics.reserve(ids.size());
  for (const TopicId& id : ids) topics.push_back(owner().find(id));
  // One that the catalogue does not know, the engine does not know either.
  auto results = co_await engine.topics().remove(std::move(ids));
  CatalogueDelta delta;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i] && topics[i]) delta.removed.push_back(topics[i]);
    if (!results[i] && results[i].error().code == ErrorCode::unknown_topic_id) {
      results[i] = fail(ErrorCode::unknown_topic_id, "This server does not host this topic ID.");
    }
  }
  co_await publish(std::move(delta));
  co_return results;
}

// The topic as it is to be; `more` is what the request has asked for so far.
TopicResult TopicCatalogue::State::check_growth(const TopicGrowth& wanted, std::int64_t& more) const {
  const CatalogueTopicPtr topic = owner().find(wanted.name);
  if (!topic) return fail(ErrorCode::unknown_topic_or_partition, "There is no such topic.");
  const std::int32_t present = topic->topic.partitions;
  if (wanted.partitions <= present) {
    return fail(ErrorCode::invalid_partitions,
                fmt::format("The topic has {} partitions; asked for {}, and it can only grow.", present,
                            wanted.partitions));
  }
  const std::int64_t sum = more + wanted.partitions - present;
  if (auto good = check_request_size(sum); !good) return fail(std::move(good.error()));
  if (auto room = check_room(sum); !room) return fail(std::move(room.error()));
  more = sum;
  storage::Topic next = topic->topic;
  next.partitions = wanted.partitions;
  return make_entry(std::move(next));
}

Task<std::vector<TopicResult>> TopicCatalogue::State::add_partitions(std::vector<TopicGrowth> growths,
                                                                     bool validate_only) {
  const auto turn = co_await turns.take();
  std::vector<TopicResult> results;
  std::vector<storage::TopicStore::Growth> good;
  std::vector<std::size_t> places;
  std::unordered_set<std::string_view> named;
  std::int64_t more = 0;
  results.reserve(growths.size());
  for (const TopicGrowth& wanted : growths) {
    if (!named.insert(wanted.name).second) {
      results.emplace_back(fail(ErrorCode::invalid_request, "The topic is named more than once."));
      continue;
    }
    results.push_back(check_growth(wanted, more));
    if (!results.back()) continue;
    good.push_back({.id = (*results.back())->topic.id, .partitions = wanted.partitions});
    places.push_back(results.size() - 1);
  }
  if (validate_only || good.empty()) co_return results;
  auto added = co_await engine.topics().add_partitions(std::move(good));
  CatalogueDelta delta;
  for (std::size_t i = 0; i < places.size(); ++i) {
    TopicResult& result = results[places[i]];
    if (added[i]) {
      delta.changed.push_back(*result);
    } else {
      result = fail(std::move(added[i].error()));
    }
  }
  co_await publish(std::move(delta));
  co_return results;
}

Task<TopicResult> TopicCatalogue::State::set_configs(std::string name, ConfigChange change,
                                                     bool validate_only) {
  const auto turn = co_await turns.take();
  const CatalogueTopicPtr topic = owner().find(name);
  if (!topic) co_return fail(ErrorCode::unknown_topic_or_partition, "There is no such topic.");
  auto wanted = change(topic->topic.configs);
  if (!wanted) co_return fail(std::move(wanted.error()));
  auto configs = check_topic_configs(*wanted, server, engine.capabilities());
  if (!configs) co_return fail(std::move(configs.error()));
  if (auto good = check_fixed(topic->topic.configs, *configs, server); !good)
    co_return fail(std::move(good.error()));
  storage::Topic next = topic->topic;
  next.configs = *configs;
  const CatalogueTopicPtr entry = make_entry(std::move(next));
  if (validate_only) co_return entry;
  auto stored = co_await engine.topics().set_config(topic->topic.id, std::move(*configs));
  if (!stored) co_return fail(std::move(stored.error()));
  CatalogueDelta delta;
  delta.changed.push_back(entry);
  co_await publish(std::move(delta));
  co_return entry;
}

// --------------------------------------------------------------------------------- for every shard

TopicCatalogue::TopicCatalogue(storage::Engine& engine, ShardPool& shards, const ConfigValues& server,
                               const Clock& clock, Rng& rng)
    : state_(std::make_unique<State>(engine, shards, server, clock, rng)) {}
TopicCatalogue::~TopicCatalogue() = default;

void TopicCatalogue::count_in(Gauge& topics, Gauge& partitions) {
  state_->topic_count = &topics;
  state_->partition_count = &partitions;
}

Task<Result<void>> TopicCatalogue::start() { return state_->load(); }

Task<Result<void>> TopicCatalogue::refresh() {
  auto call = [state = state_.get()] { return state->refresh(); };
  co_return co_await submit_to(state_->owner_shard(), std::move(call));
}

CatalogueTopicPtr TopicCatalogue::find(std::string_view name) const { return state_->here().find(name); }
CatalogueTopicPtr TopicCatalogue::find(const TopicId& id) const { return state_->here().find(id); }
std::vector<CatalogueTopicPtr> TopicCatalogue::list() const { return state_->here().list(); }
std::size_t TopicCatalogue::partition_count() const { return state_->here().partitions(); }
void TopicCatalogue::listen(CatalogueListener listener) { state_->here().listen(std::move(listener)); }

Task<std::vector<TopicResult>> TopicCatalogue::create(std::vector<NewTopic> topics, bool validate_only) {
  auto call = [state = state_.get(), topics = std::move(topics), validate_only]() mutable {
    return state->create(std::move(topics), validate_only);
  };
  co_return co_await submit_to(state_->owner_shard(), std::move(call));
}

Task<std::vector<Result<void>>> TopicCatalogue::remove(std::vector<TopicId> ids) {
  auto call = [state = state_.get(), ids = std::move(ids)]() mutable {
    return state->remove(std::move(ids));
  };
  co_return co_await submit_to(state_->owner_shard(), std::move(call));
}

Task<std::vector<TopicResult>> TopicCatalogue::add_partitions(std::vector<TopicGrowth> growths,
                                                              bool validate_only) {
  auto call = [state = state_.get(), growths = std::move(growths), validate_only]() mutable {
    return state->add_partitions(std::move(growths), validate_only);
  };
  co_return co_await submit_to(state_->owner_shard(), std::move(call));
}

Task<TopicResult> TopicCatalogue::set_configs(std::string name, ConfigChange change, bool validate_only) {
  auto call = [state = state_.get(), name = std::move(name), change = std::move(change), validate_only] {
    return state->set_configs(name, change, validate_only);
  };
  co_return co_await submit_to(state_->owner_shard(), std::move(call));
}

Task<TopicResult> TopicCatalogue::auto_create(std::string name) {
  auto call = [state = state_.get(), name = std::move(name)] { return state->auto_create(name); };
  co_return co_await submit_to(state_->owner_shard(), std::move(call));
}

Result<void> TopicCatalogue::check_name(std::string_view name) {
  const auto bad = [](std::string reason) {
    return fail(ErrorCode::invalid_topic_exception, std::move(reason));
  };
  if (name.empty()) return bad("The topic name is empty.");
  if (name == "." || name == "..") return bad("The topic name cannot be '.' or '..'.");
  if (name.size() > kMaxNameBytes) {
    return bad(fmt::format("The topic name has {} characters; {} are allowed.", name.size(), kMaxNameBytes));
  }
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  if (!std::ranges::all_of(name, good)) {
    return bad("The topic name has a character other than ASCII letters and digits, '.', '_' and '-'.");
  }
  return {};
}

}  // namespace tidegate::broker
