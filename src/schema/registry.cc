// Look-ups: caches on any thread, questions on the home shard, one flight for all who ask the same.
#include "tidegate/schema/registry.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "cache.h"
#include "caller.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::schema {
namespace {

// Questions that wait for an answer; more are told "unavailable".
constexpr std::size_t kMaxFlights = 1000;
// Of the subjects that an id has, so many are remembered beside the one that was asked for.
constexpr std::size_t kMaxSubjectsOfId = 64;
constexpr std::size_t kMaxBuckets = 10'000;

// Everyone who asks for the same waits for the same answer.
template <class T>
struct Flight {
  bool ended = false;
  Event done;
  Asked<T> asked;
};
template <class T>
using Flights = std::unordered_map<std::int32_t, std::shared_ptr<Flight<T>>>;

// Look-ups of one subject that ended in "unknown": so many a second may be asked for.
struct Bucket {
  double tokens;
  MonoTime at;
};

}  // namespace

std::string_view schema_type_name(SchemaType type) {
  switch (type) {
    case SchemaType::avro:
      return "AVRO";
    case SchemaType::protobuf:
      return "PROTOBUF";
    case SchemaType::json:
      return "JSON";
  }
  return "AVRO";
}

struct Registry::State {
  State(RegistryOptions o, std::unique_ptr<HttpTransport> transport, Shard& shard, BlockingPool& blocking,
        const Clock& c, Rng& rng, MetricRegistry& metrics)
      : options(std::move(o)),
        home(shard),
        clock(c),
        evicted(metrics.counter("tidegate_schema_cache_evictions_total",
                                "Entries that left a schema cache for others")),
        unknown(
            metrics.counter("tidegate_schema_unknown_ids_total", "Look-ups of schema ids that do not exist")),
        shared(metrics.counter("tidegate_schema_registry_shared_requests_total",
                               "Look-ups that another one's request answered")),
        hits(metrics.counter("tidegate_schema_cache_lookups_total", "Look-ups in the schema caches",
                             {{"result", "hit"}})),
        negatives(metrics.counter("tidegate_schema_cache_lookups_total", "Look-ups in the schema caches",
                                  {{"result", "negative"}})),
        misses(metrics.counter("tidegate_schema_cache_lookups_total", "Look-ups in the schema caches",
                               {{"result", "miss"}})),
        make_caller([&shard, &blocking, &c, &rng, &metrics](const RegistryOptions& with,
                                                            std::unique_ptr<HttpTransport> way) {
          return std::make_shared<RegistryCaller>(with, std::move(way), shard, blocking, c, rng, metrics);
        }),
        caller(make_caller(options, std::move(transport))),
        memberships(options.subject_cache_entries, c, evicted),
        schemas(options.schema_cache_bytes, evicted),
        unknown_ids(options.subject_cache_entries) {}

  std::optional<MembershipAnswer> remembered(std::string_view subject, std::int32_t id);
  bool spend(const std::string& subject, double tokens);

  static Task<MembershipAnswer> membership(std::shared_ptr<State> self, std::string subject, std::int32_t id);
  static Task<SchemaAnswer> schema(std::shared_ptr<State> self, std::int32_t id);
  static Task<SchemaAnswer> version(std::shared_ptr<State> self, std::string subject, std::int32_t version);
  static Task<void> keep_subjects(std::shared_ptr<State> self);

  // Joins the flight for `id`, or starts it; nullptr at the limit.
  template <class T>
  static std::shared_ptr<Flight<T>> join(const std::shared_ptr<State>& self, Flights<T>& flights,
                                         std::int32_t id, std::string_view operation, std::string path,
                                         Result<T> (*parse)(const std::string&)) {
    if (const auto at = flights.find(id); at != flights.end()) {
      self->shared.add();
      return at->second;
    }
    if (flights.size() >= kMaxFlights) return nullptr;
    auto flight = std::make_shared<Flight<T>>();
    flights.emplace(id, flight);
    self->home.start(fly(self, &flights, id, operation, std::move(path), parse, flight),
                     "schema registry look-up");
    return flight;
  }
  template <class T>
  static Task<void> fly(std::shared_ptr<State> self, Flights<T>* flights, std::int32_t id,
                        std::string_view operation, std::string path, Result<T> (*parse)(const std::string&),
                        std::shared_ptr<Flight<T>> flight) {
    const auto caller = self->caller;
    flight->asked = co_await caller->ask(operation, std::move(path), parse);
    flights->erase(id);
    flight->ended = true;
    flight->done.notify_all();
  }

  const RegistryOptions options;
  Shard& home;
  const Clock& clock;
  Counter& evicted;
  Counter& unknown;
  Counter& shared;
  Counter& hits;
  Counter& negatives;
  Counter& misses;
  std::function<std::shared_ptr<RegistryCaller>(const RegistryOptions&, std::unique_ptr<HttpTransport>)>
      make_caller;
  // Whoever asks holds on to it: reconfigure() puts another one in its place.
  std::shared_ptr<RegistryCaller> caller;
  std::vector<std::weak_ptr<RegistryCaller>> earlier;
  SubjectCache memberships;
  SchemaCache schemas;
  UnknownIds unknown_ids;
  Flights<std::vector<std::string>> subject_flights;
  Flights<RegisteredSchema> schema_flights;
  std::unordered_map<std::string, Bucket> buckets;
  bool subjects_known = false;
  std::vector<std::string> subjects;
  bool stopped = false;
  Event stop_event;
};

namespace {

MembershipAnswer unavailable(std::string problem) { return {Membership::unavailable, std::move(problem)}; }

template <class T>
std::string problem_of(const std::shared_ptr<Flight<T>>& flight) {
  return flight ? flight->asked.problem : "too many look-ups wait";
}

}  // namespace

std::optional<MembershipAnswer> Registry::State::remembered(std::string_view subject, std::int32_t id) {
  const auto known = memberships.find(subject, id);
  if (!known) {
    misses.add();
    return std::nullopt;
  }
  (*known == Membership::registered ? hits : negatives).add();
  return MembershipAnswer{*known, {}};
}

bool Registry::State::spend(const std::string& subject, double tokens) {
  if (buckets.size() >= kMaxBuckets && !buckets.contains(subject)) buckets.clear();
  const MonoTime now = clock.now();
  auto& bucket = buckets.try_emplace(subject, Bucket{options.unknown_ids_per_second, now}).first->second;
  const double since = std::chrono::duration<double>(now - bucket.at).count();
  bucket.at = now;
  bucket.tokens =
      std::min(options.unknown_ids_per_second, bucket.tokens + since * options.unknown_ids_per_second);
  if (bucket.tokens < 1) return false;
  bucket.tokens -= tokens;
  return true;
}

Task<MembershipAnswer> Registry::State::membership(std::shared_ptr<State> self, std::string subject,
                                                   std::int32_t id) {
  if (const auto known = self->memberships.find(subject, id)) co_return MembershipAnswer{*known, {}};
  if (id < 0) co_return MembershipAnswer{Membership::unknown_id, {}};
  MonoTime now = self->clock.now();
  if (self->unknown_ids.contains(id, now)) co_return MembershipAnswer{Membership::unknown_id, {}};
  if (!self->spend(subject, 0)) co_return unavailable("too many unknown ids were asked for");
  const auto flight = join(self, self->subject_flights, id, "versions_of_id",
                           fmt::format("/schemas/ids/{}/versions?deleted=true", id), &parse_subjects_of_id);
  while (flight && !flight->ended) co_await flight->done.wait();
  now = self->clock.now();
  const MonoTime negative_until = now + self->options.negative_ttl;
  if (!flight) co_return unavailable(problem_of(flight));
  switch (flight->asked.standing) {
    case Standing::good:
      break;
    case Standing::not_found:
      self->unknown.add();
      self->spend(subject, 1);
      self->unknown_ids.add(id, now, self->options.negative_ttl);
      self->memberships.put(subject, id, Membership::unknown_id, negative_until);
      co_return MembershipAnswer{Membership::unknown_id, {}};
    case Standing::refused:
    case Standing::failed:
      co_return unavailable(problem_of(flight));
  }
  const auto& subjects = flight->asked.value;
  for (std::size_t i = 0; i < std::min(subjects.size(), kMaxSubjectsOfId); ++i) {
    self->memberships.put(subjects[i], id, Membership::registered, MonoTime::max());
  }
  const bool registered = std::ranges::find(subjects, subject) != subjects.end();
  const auto membership = registered ? Membership::registered : Membership::other_subject;
  if (!registered) self->spend(subject, 1);
  self->memberships.put(subject, id, membership, registered ? MonoTime::max() : negative_until);
  co_return MembershipAnswer{membership, {}};
}

Task<SchemaAnswer> Registry::State::schema(std::shared_ptr<State> self, std::int32_t id) {
  if (auto known = self->schemas.find(id)) co_return SchemaAnswer{.schema = std::move(known), .problem = {}};
  if (id < 0 || self->unknown_ids.contains(id, self->clock.now()))
    co_return SchemaAnswer{.unknown_id = true, .problem = {}};
  const auto flight =
      join(self, self->schema_flights, id, "schema_by_id", fmt::format("/schemas/ids/{}", id), &parse_schema);
  while (flight && !flight->ended) co_await flight->done.wait();
  if (!flight) co_return SchemaAnswer{.problem = problem_of(flight)};
  if (flight->asked.standing == Standing::not_found) {
    self->unknown.add();
    self->unknown_ids.add(id, self->clock.now(), self->options.negative_ttl);
    co_return SchemaAnswer{.unknown_id = true, .problem = {}};
  }
  if (flight->asked.standing != Standing::good) co_return SchemaAnswer{.problem = problem_of(flight)};
  // Who comes first keeps it; all others have the same text.
  auto schema = self->schemas.find(id);
  if (!schema) {
    schema = std::make_shared<const RegisteredSchema>(flight->asked.value);
    self->schemas.put(id, schema);
  }
  co_return SchemaAnswer{.schema = std::move(schema), .problem = {}};
}

Task<SchemaAnswer> Registry::State::version(std::shared_ptr<State> self, std::string subject,
                                            std::int32_t version) {
  // A reference may go to a version that was deleted since.
  const auto caller = self->caller;
  auto asked = co_await caller->ask(
      "schema_by_version",
      fmt::format("/subjects/{}/versions/{}?deleted=true", percent_encoded(subject), version), &parse_schema);
  if (asked.standing == Standing::not_found) co_return SchemaAnswer{.unknown_id = true, .problem = {}};
  if (asked.standing != Standing::good) co_return SchemaAnswer{.problem = std::move(asked.problem)};
  auto schema = std::make_shared<const RegisteredSchema>(std::move(asked.value));
  co_return SchemaAnswer{.schema = std::move(schema), .problem = {}};
}

Task<void> Registry::State::keep_subjects(std::shared_ptr<State> self) {
  while (!self->stopped) {
    const auto caller = self->caller;
    auto asked = co_await caller->ask("subjects", "/subjects", &parse_subjects);
    if (asked.standing == Standing::good) {
      self->subjects = std::move(asked.value);
      self->subjects_known = true;
    }
    const MonoTime next = self->clock.now() + self->options.subjects_refresh;
    while (!self->stopped && self->clock.now() < next) {
      co_await self->stop_event.wait_until(self->home.timers(), next);
    }
  }
}

Registry::Registry(RegistryOptions options, std::unique_ptr<HttpTransport> transport, Shard& home,
                   BlockingPool& blocking, const Clock& clock, Rng& rng, MetricRegistry& metrics)
    : state_(std::make_shared<State>(std::move(options), std::move(transport), home, blocking, clock, rng,
                                     metrics)) {}
Registry::~Registry() = default;

std::optional<MembershipAnswer> Registry::cached_membership(std::string_view subject, std::int32_t id) {
  return state_->remembered(subject, id);
}

Registry::MembershipReader Registry::membership_reader() const {
  return
      [state = state_](std::string_view subject, std::int32_t id) { return state->remembered(subject, id); };
}

Shard& Registry::home() const { return state_->home; }

RegisteredSchemaPtr Registry::cached_schema(std::int32_t id) { return state_->schemas.find(id); }

Task<MembershipAnswer> Registry::membership(std::string subject, std::int32_t id) {
  if (auto known = cached_membership(subject, id)) co_return std::move(*known);
  auto visit = [state = state_, subject = std::move(subject), id] {
    return State::membership(state, subject, id);
  };
  co_return co_await submit_to(state_->home, std::move(visit));
}

Task<SchemaAnswer> Registry::schema(std::int32_t id) {
  if (auto known = cached_schema(id)) co_return SchemaAnswer{.schema = std::move(known), .problem = {}};
  auto visit = [state = state_, id] { return State::schema(state, id); };
  co_return co_await submit_to(state_->home, std::move(visit));
}

Task<SchemaAnswer> Registry::version(std::string subject, std::int32_t version) {
  auto visit = [state = state_, subject = std::move(subject), version] {
    return State::version(state, subject, version);
  };
  co_return co_await submit_to(state_->home, std::move(visit));
}

void Registry::start() { state_->home.start(State::keep_subjects(state_), "schema registry subjects"); }

RegistryState Registry::state() const {
  RegistryState told;
  const Endpoints& endpoints = state_->caller->endpoints();
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    told.endpoints.push_back(
        {without_credentials(endpoints.url(i)), endpoints.is_open(i), endpoints.last_problem(i)});
  }
  told.cached_schemas = state_->schemas.size();
  told.cached_schema_bytes = state_->schemas.size_bytes();
  told.cached_subject_ids = state_->memberships.size();
  told.subjects_known = state_->subjects_known;
  told.subjects = state_->subjects;
  return told;
}

void Registry::reconfigure(RegistryOptions options, std::unique_ptr<HttpTransport> transport) {
  if (state_->stopped) return;
  std::erase_if(state_->earlier, [](const auto& each) { return each.expired(); });
  state_->earlier.push_back(state_->caller);
  state_->caller = state_->make_caller(options, std::move(transport));
}

void Registry::stop() {
  state_->stopped = true;
  state_->caller->stop();
  for (const auto& each : state_->earlier) {
    if (const auto caller = each.lock()) caller->stop();
  }
  state_->stop_event.notify_all();
}

}  // namespace tidegate::schema
