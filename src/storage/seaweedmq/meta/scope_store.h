// The MetaStore: one entry of the filer for each scope, read and written as a whole by compare-and-set. Puts
// to one scope that come while its entry is being written go together with the next write. A scope has a home
// shard, where its puts queue up; reading is done where it is asked for.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "format/records.h"
#include "inherited_positions.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/suspend.h"
#include "tidegate/storage/engine.h"
#include "versioned_entry.h"

namespace tidegate::storage::seaweedmq {

class ScopeStore final : public MetaStore {
 public:
  // An entry is sent as one message, and once more to whoever watches the filer.
  static constexpr std::size_t kMaxScopeBytes = 4U << 20;

  ScopeStore(Filer& filer, VersionedEntries& entries, ShardPool& shards, PositionFiles positions);

  Task<Result<std::optional<std::string>>> get(std::string scope, std::string key) override;
  Task<Result<void>> put_batch(std::string scope, std::int32_t epoch, std::vector<MetaOp> ops,
                               MetaDurability durability) override;
  Task<Result<std::vector<MetaEntry>>> scan(std::string scope, std::string prefix, std::string after,
                                            std::size_t limit) override;
  Task<Result<std::vector<std::string>>> scopes(std::string prefix, std::string after,
                                                std::size_t limit) override;

  Task<Result<void>> erase_damaged(std::string scope) override;

  void set_open(bool open) { open_ = open; }
  // Until nothing is being written. On shard 0.
  Task<void> drain();

 private:
  struct Put {
    std::int32_t epoch = 0;
    std::vector<MetaOp> ops;
    Result<void> result;
    Resume resume;
  };
  struct Slot {
    std::deque<Put*> waiting;
    std::optional<ScopeContent> content;  // as in the entry with this ETag, as far as we know
    std::string etag;
  };
  using Slots = std::unordered_map<std::string, std::unique_ptr<Slot>>;
  using Group = std::vector<Put*>;

  struct Stored {
    ScopeContent content;
    std::string etag;  // empty: there is no entry, what the content has is inherited
  };

  Task<Result<Stored>> read(std::string scope);
  Task<Result<void>> put_at_home(std::string scope, std::int32_t epoch, std::vector<MetaOp> ops);
  Task<void> write_all(std::string scope);
  Task<void> write_group(Slot* slot, std::string scope, Group group);
  Task<Result<void>> load(Slot* slot, std::string scope);
  // false: another ETag is there.
  Task<Result<bool>> write(Slot* slot, ScopeContent next);
  unsigned home_of(const std::string& scope) const;

  Filer& filer_;
  VersionedEntries& entries_;
  ShardPool& shards_;
  InheritedPositions inherited_;
  std::atomic<bool> open_{false};
  std::vector<Slots> slots_;  // one a shard, touched on that shard alone
};

}  // namespace tidegate::storage::seaweedmq
