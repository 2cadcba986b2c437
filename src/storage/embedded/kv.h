// An ordered map of bytes on disk, for everything that is not a log: RocksDB in production, a map that
// forgets unsynced writes in tests. Thread-safe; every call may block.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tidegate/base/result.h"

namespace rocksdb {
class Env;
}

namespace tidegate::storage::embedded {

struct KvOp {
  std::string key;
  std::optional<std::string> value;  // nullopt: erase
};

class Kv {
 public:
  virtual ~Kv() = default;
  virtual Result<void> open() = 0;
  virtual void close() = 0;
  virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
  // Atomic. `sync`: on disk when it returns. kafka_storage_error when nothing of it was written.
  virtual Result<void> write(std::span<const KvOp> ops, bool sync) = 0;
  // Entries whose key begins with `prefix`, in key order, from `from` (inclusive) on, until `each` returns
  // false.
  virtual Result<void> scan(std::string_view from, std::string_view prefix,
                            std::function<bool(std::string_view key, std::string_view value)> each) = 0;
  // What was written without sync is on disk when it returns.
  virtual Result<void> sync() = 0;
};

struct RocksKvOptions {
  // Not every write is synced. Then a power cut may leave damage anywhere behind the last one that was,
  // and the store ends in front of it; otherwise damage that is no torn end refuses to open.
  bool unsynced_writes = false;
  // RocksDB's view of the operating system, nullptr for its own; it must outlive the store.
  rocksdb::Env* env = nullptr;
};
std::unique_ptr<Kv> make_rocks_kv(std::string dir, const RocksKvOptions& options);

}  // namespace tidegate::storage::embedded
