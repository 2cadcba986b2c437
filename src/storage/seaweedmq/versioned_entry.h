// Compare-and-set of one small entry of ours: its ETag is a version that nobody writes twice, and a change
// names the one that it replaces. The entry is its own fence, so that the filer that owns it decides, however
// many there are. Any shard.
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "backend.h"

namespace tidegate::storage::seaweedmq {

struct Versioned {
  std::string etag;  // empty: there is no such entry
  std::string content;
};

class VersionedEntries {
 public:
  // `instance` is this run's alone.
  VersionedEntries(Filer& filer, std::string instance) : filer_(filer), instance_(std::move(instance)) {}

  Task<Result<Versioned>> get(std::string directory, std::string name);
  // The new ETag; nullopt: it has another one by now. An error leaves open whether it was written: what is
  // written next, with the ETag of before, either is refused or rules it out.
  Task<Result<std::optional<std::string>>> put(std::string directory, std::string name,
                                               std::string expected_etag, std::string content);
  // false: it has another ETag by now.
  Task<Result<bool>> erase(std::string directory, std::string name, std::string expected_etag);

 private:
  Filer& filer_;
  const std::string instance_;
  std::atomic<std::uint64_t> written_{0};
};

}  // namespace tidegate::storage::seaweedmq
