#include "cache.h"

#include <cstring>
#include <iterator>
#include <utility>

namespace tidegate::schema {

std::string SubjectCache::key_of(std::string_view subject, std::int32_t id) {
  std::string key(sizeof(id), '\0');
  std::memcpy(key.data(), &id, sizeof(id));
  key += subject;
  return key;
}

std::optional<Membership> SubjectCache::find(std::string_view subject, std::int32_t id) {
  const std::string key = key_of(subject, id);
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(key);
  if (at == entries_.end()) return std::nullopt;
  const auto entry = at->second;
  if (entry->good_until <= clock_.now()) {
    entries_.erase(at);
    by_use_.erase(entry);
    return std::nullopt;
  }
  by_use_.splice(by_use_.begin(), by_use_, entry);
  return entry->membership;
}

void SubjectCache::put(std::string_view subject, std::int32_t id, Membership membership,
                       MonoTime good_until) {
  std::string key = key_of(subject, id);
  const std::lock_guard lock(mutex_);
  if (const auto at = entries_.find(key); at != entries_.end()) {
    by_use_.splice(by_use_.begin(), by_use_, at->second);
    at->second->membership = membership;
    at->second->good_until = good_until;
    return;
  }
  by_use_.push_front({std::move(key), membership, good_until});
  entries_.emplace(by_use_.front().key, by_use_.begin());
  while (entries_.size() > max_entries_) {
    entries_.erase(by_use_.back().key);
    by_use_.pop_back();
    evicted_.add();
  }
}

std::size_t SubjectCache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

RegisteredSchemaPtr SchemaCache::find(std::int32_t id) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(id);
  if (at == entries_.end()) return nullptr;
  by_use_.splice(by_use_.begin(), by_use_, at->second);
  return at->second->schema;
}

void SchemaCache::put(std::int32_t id, RegisteredSchemaPtr schema) {
  constexpr std::size_t kEntryBytes = 256;  // what an entry costs beside its text
  const std::size_t bytes = schema->text.size() + schema->references.size() * kEntryBytes + kEntryBytes;
  const std::lock_guard lock(mutex_);
  if (bytes > max_bytes_ || entries_.contains(id)) return;
  by_use_.push_front({id, std::move(schema), bytes});
  entries_.emplace(id, by_use_.begin());
  bytes_ += bytes;
  while (bytes_ > max_bytes_) {
    bytes_ -= by_use_.back().bytes;
    entries_.erase(by_use_.back().id);
    by_use_.pop_back();
    evicted_.add();
  }
}

std::size_t SchemaCache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::size_t SchemaCache::size_bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void CompiledCache::remove(Entries::iterator entry) {
  bytes_ -= entry->bytes;
  entries_.erase(entry->id);
  by_use_.erase(entry);
}

std::optional<LoadedSchema> CompiledCache::find(std::int32_t id) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(id);
  if (at == entries_.end()) return std::nullopt;
  if (at->second->good_until <= clock_.now()) {
    remove(at->second);
    return std::nullopt;
  }
  by_use_.splice(by_use_.begin(), by_use_, at->second);
  return at->second->loaded;
}

std::size_t CompiledCache::put(std::int32_t id, LoadedSchema loaded, MonoTime good_until) {
  constexpr std::size_t kEntryBytes = 256;
  const std::size_t bytes = kEntryBytes + loaded.problem.size() +
                            (loaded.schema ? loaded.schema->size_bytes() : 0) +
                            (loaded.text ? loaded.text->size() : 0);
  const std::lock_guard lock(mutex_);
  if (const auto at = entries_.find(id); at != entries_.end()) remove(at->second);
  by_use_.push_front({id, std::move(loaded), good_until, bytes});
  entries_.emplace(id, by_use_.begin());
  bytes_ += bytes;
  while (bytes_ > max_bytes_ && entries_.size() > 1) {
    remove(std::prev(by_use_.end()));
    evicted_.add();
  }
  return bytes_;
}

bool UnknownIds::contains(std::int32_t id, MonoTime now) {
  while (!by_end_.empty() && by_end_.front().second <= now) {
    entries_.erase(by_end_.front().first);
    by_end_.pop_front();
  }
  return entries_.contains(id);
}

void UnknownIds::add(std::int32_t id, MonoTime now, Duration ttl) {
  if (contains(id, now)) return;
  if (entries_.size() >= max_entries_) {
    entries_.erase(by_end_.front().first);
    by_end_.pop_front();
  }
  by_end_.emplace_back(id, now + ttl);
  entries_.emplace(id, now + ttl);
}

}  // namespace tidegate::schema
