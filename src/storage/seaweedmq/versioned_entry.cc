#include "versioned_entry.h"

#include <chrono>

#include <fmt/format.h>

#include "cluster/fence.h"
#include "format/names.h"
#include "tidegate/runtime/shard.h"

namespace tidegate::storage::seaweedmq {

namespace {

// A call has its own deadline and its own retries; this is for what went wrong on the way back.
constexpr int kAttempts = 3;
constexpr Duration kPause = std::chrono::milliseconds(20);

Task<void> pause(int attempt) {
  Shard* const shard = Shard::current();
  co_await shard->timers().sleep_until(shard->clock().now() + kPause * (attempt + 1));
}

Versioned versioned(std::optional<Entry> entry) {
  if (!entry) return {};
  const auto etag = entry->extended.find(kEtagAttribute);
  return {.etag = etag == entry->extended.end() ? "?" : etag->second, .content = std::move(entry->content)};
}

}  // namespace

Task<Result<Versioned>> VersionedEntries::get(std::string directory, std::string name) {
  auto found = co_await filer_.lookup(directory, name);
  if (!found) co_return fail(std::move(found.error()));
  co_return versioned(std::move(*found));
}

Task<Result<std::optional<std::string>>> VersionedEntries::put(std::string directory, std::string name,
                                                               std::string expected_etag,
                                                               std::string content) {
  FencedChange change{
      .fence_path = paths::join(directory, name), .fence_etag = expected_etag, .directory = directory};
  change.entry.name = name;
  change.entry.size_bytes = content.size();
  change.entry.content = std::move(content);
  std::string etag = fmt::format("{}.{}", instance_, ++written_);
  change.entry.extended[kEtagAttribute] = etag;
  for (int attempt = 0;; ++attempt) {
    auto written = co_await filer_.transact(change);
    if (written && *written == Outcome::done) co_return etag;
    auto now = co_await get(directory, name);
    if (now && now->etag == etag) co_return etag;
    // Sending the same again is safe: whichever comes first makes the other one be refused.
    if (now && now->etag != expected_etag) co_return std::nullopt;
    if (attempt + 1 == kAttempts) {
      if (!written) co_return fail(std::move(written.error()));
      if (!now) co_return fail(std::move(now.error()));
      co_return fail(ErrorCode::kafka_storage_error, "the filer refuses to change " + change.fence_path);
    }
    co_await pause(attempt);
  }
}

Task<Result<bool>> VersionedEntries::erase(std::string directory, std::string name,
                                           std::string expected_etag) {
  FencedChange change{.fence_path = paths::join(directory, name),
                      .fence_etag = expected_etag,
                      .kind = FencedChange::Kind::erase,
                      .directory = directory};
  change.entry.name = name;
  for (int attempt = 0;; ++attempt) {
    auto erased = co_await filer_.transact(change);
    if (erased && *erased == Outcome::done) co_return true;
    auto now = co_await get(directory, name);
    if (now && now->etag.empty()) co_return true;
    if (now && now->etag != expected_etag) co_return false;
    if (attempt + 1 == kAttempts) {
      co_return fail(ErrorCode::kafka_storage_error, "the filer does not erase " + change.fence_path);
    }
    co_await pause(attempt);
  }
}

}  // namespace tidegate::storage::seaweedmq
