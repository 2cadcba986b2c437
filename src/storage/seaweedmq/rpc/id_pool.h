// File ids in blocks: one assignment gives many, so that an upload waits for none. One pool for each topic
// (its directory selects the cluster's rules) on each shard; coroutines of that shard that find it empty
// wait for the one that fills it. A pool begins small and grows with its use, because the master counts what
// it has promised as stored: idle topics with a hundred ids each would make volumes look full.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "backend.h"
#include "rpc/file_id.h"
#include "rpc/filer_client.h"
#include "tidegate/runtime/event.h"

namespace tidegate::storage::seaweedmq {

class IdPool {
 public:
  using Fill = std::function<Task<Result<AssignedBlock>>(std::string path, std::size_t count)>;
  // Signs a token for an id; empty when we have no key.
  using Sign = std::function<std::string(const std::string& file_id)>;

  IdPool(const Clock& clock, std::size_t block, Fill fill, Sign sign)
      : clock_(clock), block_(block), fill_(std::move(fill)), sign_(std::move(sign)) {}

  Task<Result<Assigned>> take(std::string path);
  // Nothing more from this volume: it refused an upload.
  void drop_volume(std::uint32_t volume);
  std::size_t pools() const { return pools_.size(); }

  static constexpr std::size_t kPools = 4096;
  static constexpr std::size_t kFirstBlock = 4;
  // A volume may fill up or move meanwhile, and the cluster forgets what it promised.
  static constexpr Duration kBlockLife = std::chrono::seconds(30);

 private:
  struct Pool {
    FileId next;
    std::size_t left = 0;
    std::string url;
    std::string token;  // the cluster's own, good for one id only
    MonoTime good_until{};
    MonoTime used_at{};
    std::size_t wanted = kFirstBlock;  // ids to ask for next
    bool one_each = false;             // the cluster's token is all that we have
    bool filling = false;
    Event filled;
    std::optional<Error> trouble;  // of the last filling; whoever waited for it fails with it
  };
  bool has_id(const Pool& pool) const { return pool.left > 0 && clock_.now() < pool.good_until; }
  Assigned take_from(Pool& pool);
  Task<void> fill(std::shared_ptr<Pool> pool, std::string path);
  std::shared_ptr<Pool> pool_of(const std::string& directory);

  const Clock& clock_;
  const std::size_t block_;
  const Fill fill_;
  const Sign sign_;
  std::map<std::string, std::shared_ptr<Pool>> pools_;
};

// "/topics/NAMESPACE/TOPIC" of a path below it; of another path, its directory.
std::string pool_directory(const std::string& path);

}  // namespace tidegate::storage::seaweedmq
