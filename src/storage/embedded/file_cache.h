// Open files, bounded: the least recently used one that nobody holds is closed. A log holds the files
// with bytes that are not yet synced, so those are never closed: closing would lose the error of a failed
// write-back. Thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "tidegate/base/metrics.h"
#include "vfs.h"

namespace tidegate::storage::embedded {

using FilePtr = std::shared_ptr<VfsFile>;

// Names one file for its whole life; a file made anew under the same path gets another one.
struct FileRef {
  std::uint64_t uid = 0;
  std::string path;
};

class FileCache {
 public:
  FileCache(Vfs& vfs, std::size_t limit, MetricRegistry& metrics);

  FileRef name(std::string path);
  // The open file, or nullptr: no I/O.
  FilePtr peek(const FileRef& ref);
  IoResult<FilePtr> open(const FileRef& ref, OpenMode mode);
  // Forgets the file; it closes when its last holder lets go.
  void forget(const FileRef& ref);
  void clear();
  std::size_t size() const;
  std::size_t limit() const { return limit_; }

 private:
  struct Entry {
    std::uint64_t uid;
    FilePtr file;
  };
  void evict(std::list<Entry>& closing);

  Vfs& vfs_;
  const std::size_t limit_;
  Gauge& open_files_;
  mutable std::mutex mutex_;
  std::uint64_t next_uid_ = 1;
  std::list<Entry> by_age_;  // oldest first
  std::unordered_map<std::uint64_t, std::list<Entry>::iterator> by_uid_;
};

}  // namespace tidegate::storage::embedded
