// What the engine needs of a SeaweedFS cluster, and no more: entries and conditional writes of a filer,
// needles of volume servers. rpc/ implements it over gRPC and HTTP; the engine's own tests implement it in
// memory, with every failure that the real one was seen to have.
//
// Calls may be made on any shard and resume on it. Each has a deadline of its own and answers within it:
//   not there                        -> an empty optional, never an error
//   condition not met                -> Outcome::refused, never an error
//   unreachable, broken, timed out   -> Error with kafka_storage_error; the fate of a write is unknown then
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tidegate/base/result.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/runtime/task.h"

namespace tidegate::storage::seaweedmq {

// A piece of a file, stored as one needle of a volume server.
struct Chunk {
  std::string file_id;      // "volume,hexkeyhexcookie"
  std::int64_t offset = 0;  // in the file
  std::uint64_t size_bytes = 0;
  std::int64_t modified_ns = 0;
  bool gzipped = false;   // the volume server or the broker compressed it
  bool manifest = false;  // a list of chunks, which we never write
};

struct Entry {
  std::string name;
  bool is_directory = false;
  std::vector<Chunk> chunks;
  std::map<std::string, std::string> extended;  // extended attributes, bytes
  std::string content;                          // a small file kept inside its entry
  std::uint64_t size_bytes = 0;
  std::int64_t created_s = 0;
  std::int64_t modified_s = 0;
  std::int32_t ttl_s = 0;
};

enum class Outcome { done, refused };

// One change of one directory, applied only while the fence holds. The fence is an entry whose extended
// attribute `Seaweed-X-Amz-ETag` is the epoch; the filer compares it exactly. lock_key and route_key are
// the fence's path, so that every filer sends the call to the one that owns it.
struct FencedChange {
  enum class Kind { put, erase, patch_extended };
  std::string fence_path;
  // The condition: fence entry exists with this ETag. Empty: it must not exist (first acquisition).
  std::string fence_etag;
  Kind kind = Kind::put;
  std::string directory;
  Entry entry;  // put: the whole entry; erase: its name; patch_extended: name and attributes to set
  bool erase_data = true;  // erase: also the chunks
};

class Filer {
 public:
  virtual ~Filer() = default;
  virtual Task<Result<std::optional<Entry>>> lookup(std::string directory, std::string name) = 0;
  // In name order, from behind `after` on (empty: from the first), at most `limit`.
  virtual Task<Result<std::vector<Entry>>> list(std::string directory, std::string prefix, std::string after,
                                                std::size_t limit) = 0;
  // refused: exclusive and there already.
  virtual Task<Result<Outcome>> create(std::string directory, Entry entry, bool exclusive) = 0;
  // Compare-and-set on the extended attribute `key`: refused unless it holds `expected` (nullopt: absent).
  // The entry must exist.
  virtual Task<Result<Outcome>> update(std::string directory, Entry entry, std::string key,
                                       std::optional<std::string> expected) = 0;
  virtual Task<Result<Outcome>> transact(FencedChange change) = 0;
  // Of a directory: with all that is in it. Not there is done.
  virtual Task<Result<void>> erase(std::string directory, std::string name, bool recursive) = 0;
};

// A file id that the volume server will take, and where.
struct Assigned {
  std::string file_id;
  std::string url;            // HOST:PORT
  std::string authorization;  // a JWT, empty where the cluster wants none
};

class Volumes {
 public:
  virtual ~Volumes() = default;
  // From a pool that is filled in blocks; `path` is the file that will hold the chunk (it selects the
  // cluster's rules: collection, replication).
  virtual Task<Result<Assigned>> assign(std::string path) = 0;
  // Completes when every replica has it (and has synced it, when so configured). After an error the id is
  // burnt and its pool is dropped.
  virtual Task<Result<void>> upload(Assigned to, std::vector<SharedBuffer> pieces) = 0;
  // [offset, offset + size) of a chunk's bytes as they were before any compression: the volume server
  // undoes its gzip. Shorter where the chunk ends. Empty optional: the needle is gone (merged, expired,
  // deleted).
  virtual Task<Result<std::optional<SharedBuffer>>> download(std::string file_id, std::uint64_t offset,
                                                             std::uint64_t size_bytes) = 0;
  // Best effort: needles that no entry names.
  virtual Task<void> discard(std::vector<std::string> file_ids) = 0;
};

// Locks of the filers, kept in their memory: all are gone after a restart of the only filer, and the
// generations begin again at 1. They tell who may try; the fence decides.
struct LockAnswer {
  bool granted = false;
  std::string token;            // granted: needed to renew or unlock; the one before is dead
  std::int64_t generation = 0;  // granted: grows by acquisition, stays over renewals
  std::string owner;            // refused: who holds it, where the filer says so
};

class Locks {
 public:
  virtual ~Locks() = default;
  // Acquires (empty token) or renews for whole seconds from now.
  virtual Task<Result<LockAnswer>> lock(std::string name, std::int64_t seconds, std::string owner,
                                        std::string token) = 0;
  // False: it was not ours any more.
  virtual Task<Result<bool>> unlock(std::string name, std::string token) = 0;
  virtual Task<Result<std::optional<std::string>>> lock_owner(std::string name) = 0;
};

struct Backend {
  Filer& filer;
  Volumes& volumes;
};

}  // namespace tidegate::storage::seaweedmq
