// Meta data in memory: sorted maps, one a scope. May be called on any shard: a lock, held for one map
// operation (a scan copies at most its limit), is simpler than an owner shard and cheaper than the
// trip there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "memory_quota.h"
#include "tidegate/storage/engine.h"

namespace tidegate::storage {

class MemoryMeta final : public MetaStore {
 public:
  explicit MemoryMeta(std::shared_ptr<MemoryQuota> quota) : quota_(std::move(quota)) {}
  ~MemoryMeta() override { clear(); }

  Task<Result<std::optional<std::string>>> get(std::string scope, std::string key) override;
  Task<Result<void>> put_batch(std::string scope, std::int32_t epoch, std::vector<MetaOp> ops,
                               MetaDurability durability) override;
  Task<Result<std::vector<MetaEntry>>> scan(std::string scope, std::string prefix, std::string after,
                                            std::size_t limit) override;
  Task<Result<std::vector<std::string>>> scopes(std::string prefix, std::string after,
                                                std::size_t limit) override;

  void clear();

 private:
  struct Scope {
    std::int32_t epoch = 0;
    std::map<std::string, std::string> entries;
  };
  Result<void> put(const std::string& name, std::int32_t epoch, std::vector<MetaOp> ops);
  void apply(Scope& scope, MetaOp op);
  std::vector<MetaEntry> entries(const std::string& scope, const std::string& prefix,
                                 const std::string& after, std::size_t limit) const;
  std::vector<std::string> names(const std::string& prefix, const std::string& after,
                                 std::size_t limit) const;

  const std::shared_ptr<MemoryQuota> quota_;
  mutable std::mutex mutex_;
  // A scope that holds nothing stays for as long as its epoch fences somebody.
  std::map<std::string, Scope> scopes_;
};

}  // namespace tidegate::storage
