// The MetaStore over the Kv. Writes from all shards gather while one is on its way and go together in
// the next: one sync for many groups.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "context.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/suspend.h"
#include "tidegate/storage/engine.h"

namespace tidegate::storage::embedded {

class MetaTable final : public MetaStore {
 public:
  explicit MetaTable(EngineContext& context) : context_(context) {}

  Task<Result<std::optional<std::string>>> get(std::string scope, std::string key) override;
  Task<Result<void>> put_batch(std::string scope, std::int32_t epoch, std::vector<MetaOp> ops,
                               MetaDurability durability) override;
  Task<Result<std::vector<MetaEntry>>> scan(std::string scope, std::string prefix, std::string after,
                                            std::size_t limit) override;
  Task<Result<std::vector<std::string>>> scopes(std::string prefix, std::string after,
                                                std::size_t limit) override;

  // True when something was written without a sync since the last call.
  bool take_unsynced() { return unsynced_.exchange(false); }
  // Between start() and stop() alone; what waits in the queue at the stop fails.
  void set_open(bool open);
  bool idle() const;

 private:
  struct Put {
    std::string scope;
    std::int32_t epoch = 0;
    std::vector<MetaOp> ops;
    bool sync = false;
    Result<void> result;
    Shard* from = nullptr;
    Resume resume;
  };
  void enqueue(Put& put);
  void drain();
  void write_group(std::vector<Put*>& group);

  EngineContext& context_;
  mutable std::mutex mutex_;
  std::vector<Put*> queue_;
  bool draining_ = false;
  bool open_ = false;
  std::atomic<bool> unsynced_{false};
};

}  // namespace tidegate::storage::embedded
