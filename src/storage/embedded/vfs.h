// What the log asks of the operating system, and nothing else: tests put a file system in its place
// that drops, tears and reorders unsynced writes. Thread-safe; every call may block but pread_cached.
// Errors are errno values with the name of the call.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tidegate/base/bytes.h"
#include "tidegate/base/result.h"

namespace tidegate::storage::embedded {

struct IoError {
  int code = 0;           // errno
  const char* call = "";  // static storage
  // "pwritev: No space left on device"
  std::string text() const;
  bool would_block() const;
};
template <class T = void>
using IoResult = std::expected<T, IoError>;
inline std::unexpected<IoError> io_fail(int code, const char* call) {
  return std::unexpected<IoError>(IoError{code, call});
}
// kafka_storage_error with "what: call: reason".
Error storage_error(const std::string& what, const IoError& error);

class VfsFile {
 public:
  virtual ~VfsFile() = default;
  // Reads until `into` is full or the file ends; returns how much it got.
  virtual IoResult<std::size_t> pread(MutableByteView into, std::uint64_t at) = 0;
  // Only what needs no disk: may return less, or fail with would_block().
  virtual IoResult<std::size_t> pread_cached(MutableByteView into, std::uint64_t at) = 0;
  // Writes everything, or fails having written any part of it.
  virtual IoResult<void> pwritev(std::span<const ByteView> views, std::uint64_t at) = 0;
  // Content and size are on disk when it returns. After a failure unsynced bytes may be gone although
  // reads still show them, and a later success says nothing about them.
  virtual IoResult<void> datasync() = 0;
  virtual IoResult<void> truncate(std::uint64_t size) = 0;
  // Reserves space up to `size` without changing the file's size.
  virtual IoResult<void> reserve(std::uint64_t size) = 0;
  virtual IoResult<std::uint64_t> size() = 0;
};

// Held as long as the object lives.
class VfsLock {
 public:
  virtual ~VfsLock() = default;
};

enum class OpenMode {
  existing,      // read and write; ENOENT when it is not there
  create,        // read and write; made when it is not there
  create_empty,  // read and write; made, or emptied
};

struct FileInfo {
  std::uint64_t size = 0;
  std::int64_t modified_ms = 0;
};

class Vfs {
 public:
  virtual ~Vfs() = default;
  virtual IoResult<std::unique_ptr<VfsFile>> open(const std::string& path, OpenMode mode) = 0;
  virtual IoResult<FileInfo> info(const std::string& path) = 0;
  // Names in a directory, without "." and "..".
  virtual IoResult<std::vector<std::string>> list(const std::string& dir) = 0;
  // False when it was there already.
  virtual IoResult<bool> make_dir(const std::string& dir) = 0;
  virtual IoResult<void> remove_dir(const std::string& dir) = 0;  // an empty one
  virtual IoResult<void> rename(const std::string& from, const std::string& to) = 0;
  virtual IoResult<void> unlink(const std::string& path) = 0;
  // Names made, renamed and removed in `dir` are on disk when it returns.
  virtual IoResult<void> sync_dir(const std::string& dir) = 0;
  // Everything on the file system that holds `path` is on disk when it returns; reports any write
  // error since the last call.
  virtual IoResult<void> sync_filesystem(const std::string& path) = 0;
  virtual IoResult<std::uint64_t> free_bytes(const std::string& path) = 0;
  // EWOULDBLOCK when another holder has it, in this process or another.
  virtual IoResult<std::unique_ptr<VfsLock>> lock(const std::string& path) = 0;
  // Another one after each start of the machine: what was unsynced before is gone or on disk since.
  virtual IoResult<std::string> boot_id() = 0;
};

std::unique_ptr<Vfs> make_posix_vfs();

// A small file at once; and an unlink-and-rmdir of a whole tree two levels deep or less.
IoResult<std::string> read_file(Vfs& vfs, const std::string& path, std::size_t max_bytes);
// Durably, by way of a temporary name: afterwards the file is whole or not there.
IoResult<void> write_file(Vfs& vfs, const std::string& dir, const std::string& name,
                          std::string_view content);
IoResult<void> remove_tree(Vfs& vfs, const std::string& dir);

}  // namespace tidegate::storage::embedded
