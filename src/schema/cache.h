// What the registry has said, kept for any thread: which ids belong to which subject, schemas by id as they
// are registered and as they are compiled. All are bounded and forget what was used least lately. A lock is
// held for a look-up, never for I/O.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "schema_loader.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"
#include "tidegate/schema/registry.h"

namespace tidegate::schema {

// (subject, id) -> membership. "registered" stays until it is pushed out; the others until `good_until`,
// because the schema may be registered the next moment.
class SubjectCache {
 public:
  SubjectCache(std::size_t max_entries, const Clock& clock, Counter& evicted)
      : max_entries_(max_entries), clock_(clock), evicted_(evicted) {}

  std::optional<Membership> find(std::string_view subject, std::int32_t id);
  void put(std::string_view subject, std::int32_t id, Membership membership, MonoTime good_until);
  std::size_t size() const;

 private:
  struct Entry {
    std::string key;
    Membership membership;
    MonoTime good_until;
  };
  static std::string key_of(std::string_view subject, std::int32_t id);

  const std::size_t max_entries_;
  const Clock& clock_;
  Counter& evicted_;
  mutable std::mutex mutex_;
  std::list<Entry> by_use_;  // the latest in front
  std::unordered_map<std::string_view, std::list<Entry>::iterator> entries_;
};

class SchemaCache {
 public:
  SchemaCache(std::size_t max_bytes, Counter& evicted) : max_bytes_(max_bytes), evicted_(evicted) {}

  RegisteredSchemaPtr find(std::int32_t id);
  // One that is larger than all of the cache is not kept.
  void put(std::int32_t id, RegisteredSchemaPtr schema);
  std::size_t size() const;
  std::size_t size_bytes() const;

 private:
  struct Entry {
    std::int32_t id;
    RegisteredSchemaPtr schema;
    std::size_t bytes;
  };

  const std::size_t max_bytes_;
  Counter& evicted_;
  mutable std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::list<Entry> by_use_;
  std::unordered_map<std::int32_t, std::list<Entry>::iterator> entries_;
};

// Compiled schemas, and until when not to look again at those that cannot be used.
class CompiledCache {
 public:
  CompiledCache(std::size_t max_bytes, const Clock& clock, Counter& evicted)
      : max_bytes_(max_bytes), clock_(clock), evicted_(evicted) {}

  std::optional<LoadedSchema> find(std::int32_t id);
  // Returns the bytes of all that is kept now. The newest is kept whatever its size: without it a batch
  // that needs it could never be checked.
  std::size_t put(std::int32_t id, LoadedSchema loaded, MonoTime good_until);

 private:
  struct Entry {
    std::int32_t id;
    LoadedSchema loaded;
    MonoTime good_until;
    std::size_t bytes;
  };
  using Entries = std::list<Entry>;
  void remove(Entries::iterator entry);

  const std::size_t max_bytes_;
  const Clock& clock_;
  Counter& evicted_;
  std::mutex mutex_;
  std::size_t bytes_ = 0;
  Entries by_use_;
  std::unordered_map<std::int32_t, Entries::iterator> entries_;
};

// Ids that do not exist, and until when not to ask for them again. Home shard only.
class UnknownIds {
 public:
  explicit UnknownIds(std::size_t max_entries) : max_entries_(max_entries) {}
  bool contains(std::int32_t id, MonoTime now);
  void add(std::int32_t id, MonoTime now, Duration ttl);

 private:
  const std::size_t max_entries_;
  std::list<std::pair<std::int32_t, MonoTime>> by_end_;  // all have the same lifetime: the first ends first
  std::unordered_map<std::int32_t, MonoTime> entries_;
};

}  // namespace tidegate::schema
