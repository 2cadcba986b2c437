// Client of a Confluent-compatible Schema Registry. Its caches answer on any thread; what they do not
// know is asked for on the home shard, one request at a time for each id, with retries, several base
// URLs and a circuit breaker for each. A registry that is away costs no thread and no shard: look-ups
// fail at once while the breaker is open, and what the caches hold goes on to be right (ids never change
// their meaning). Made by app/; broker/ asks it for topics that have schema validation.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/result.h"
#include "tidegate/base/rng.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/task.h"
#include "tidegate/schema/http.h"

namespace tidegate::schema {

enum class SchemaType { avro, protobuf, json };
std::string_view schema_type_name(SchemaType type);

struct SchemaReference {
  std::string name;  // as the schema's text names it
  std::string subject;
  std::int32_t version = 0;
};

// As registered. Immutable: a registry never changes what an id means.
struct RegisteredSchema {
  SchemaType type = SchemaType::avro;
  std::string text;
  std::vector<SchemaReference> references;
};
using RegisteredSchemaPtr = std::shared_ptr<const RegisteredSchema>;

// Whether a schema id belongs to a subject. `unavailable`: nobody can tell now.
enum class Membership : std::uint8_t { registered, other_subject, unknown_id, unavailable };
struct MembershipAnswer {
  Membership membership = Membership::unavailable;
  std::string problem;  // with unavailable
};
struct SchemaAnswer {
  RegisteredSchemaPtr schema;  // nullptr: see the others
  bool unknown_id = false;     // false: nobody can tell now, or it is no usable answer
  std::string problem;
};

struct RegistryOptions {
  std::vector<std::string> urls;               // base URLs, tried in this order
  Duration timeout = std::chrono::seconds(3);  // of a look-up, with all its tries
  Duration connect_timeout = std::chrono::seconds(1);
  int tries = 3;  // rounds through the base URLs
  std::size_t max_body_bytes = 4U << 20;
  std::size_t schema_cache_bytes = 64U << 20;
  std::size_t subject_cache_entries = 10'000;
  Duration negative_ttl = std::chrono::seconds(5);
  double unknown_ids_per_second = 50;  // look-ups of one subject that end in "unknown"
  Duration subjects_refresh = std::chrono::seconds(60);
};

// For people: GET /schemas of the admin listener. No credentials.
struct RegistryState {
  struct Endpoint {
    std::string url;
    bool open = false;  // the breaker: not asked for now
    std::string last_problem;
  };
  std::vector<Endpoint> endpoints;
  std::size_t cached_schemas = 0;
  std::size_t cached_schema_bytes = 0;
  std::size_t cached_subject_ids = 0;
  bool subjects_known = false;
  std::vector<std::string> subjects;  // sorted; as of the last refresh
};

class Registry {
 public:
  // `home` runs the look-ups and uses `rng`. What is passed by reference outlives this.
  Registry(RegistryOptions options, std::unique_ptr<HttpTransport> transport, Shard& home,
           BlockingPool& blocking, const Clock& clock, Rng& rng, MetricRegistry& metrics);
  ~Registry();
  Registry(const Registry&) = delete;

  // What the caches know, on any thread; nullopt: ask.
  std::optional<MembershipAnswer> cached_membership(std::string_view subject, std::int32_t id);
  RegisteredSchemaPtr cached_schema(std::int32_t id);
  // cached_membership for work on other threads, which may outlive this.
  using MembershipReader = std::function<std::optional<MembershipAnswer>(std::string_view, std::int32_t)>;
  MembershipReader membership_reader() const;
  // The shard that runs the look-ups.
  Shard& home() const;

  // From the caches or the registry, on any shard. Return within the timeout.
  Task<MembershipAnswer> membership(std::string subject, std::int32_t id);
  Task<SchemaAnswer> schema(std::int32_t id);
  // The schema text behind a reference.
  Task<SchemaAnswer> version(std::string subject, std::int32_t version);

  // Begins to keep the list of subjects, which only people look at. On the home shard.
  void start();
  // On the home shard.
  RegistryState state() const;
  // From now on asks other base URLs of the same registry, with other credentials, or as patiently as
  // `options` say; what is under way ends as it began, and the caches stay. Of `options` only what is about
  // one look-up counts. On the home shard.
  void reconfigure(RegistryOptions options, std::unique_ptr<HttpTransport> transport);
  // Ends requests under way. Look-ups afterwards say unavailable. On the home shard.
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// An http or https URL with a host; without its trailing slash. invalid_config with the reason, which does
// not repeat the URL's credentials.
Result<std::string> check_registry_url(std::string_view url);
// The URL without user and password.
std::string without_credentials(std::string_view url);
// For one segment of a path: everything but unreserved characters (RFC 3986) is escaped.
std::string percent_encoded(std::string_view text);

}  // namespace tidegate::schema
