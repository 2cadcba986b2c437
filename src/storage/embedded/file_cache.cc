#include "file_cache.h"

namespace tidegate::storage::embedded {

namespace {
// How many held files to look past before giving up for this time.
constexpr int kEvictionProbes = 64;
}  // namespace

FileCache::FileCache(Vfs& vfs, std::size_t limit, MetricRegistry& metrics)
    : vfs_(vfs),
      limit_(limit),
      open_files_(metrics.gauge("tidegate_storage_open_files", "Segment files that are open")) {}

FileRef FileCache::name(std::string path) {
  const std::lock_guard lock(mutex_);
  return FileRef{next_uid_++, std::move(path)};
}

FilePtr FileCache::peek(const FileRef& ref) {
  const std::lock_guard lock(mutex_);
  const auto found = by_uid_.find(ref.uid);
  if (found == by_uid_.end()) return nullptr;
  by_age_.splice(by_age_.end(), by_age_, found->second);
  return found->second->file;
}

IoResult<FilePtr> FileCache::open(const FileRef& ref, OpenMode mode) {
  if (auto file = peek(ref)) return file;
  auto opened = vfs_.open(ref.path, mode);
  if (!opened) return std::unexpected(opened.error());
  FilePtr file = std::move(*opened);
  std::list<Entry> closing;  // files close outside the lock
  const std::lock_guard lock(mutex_);
  if (const auto found = by_uid_.find(ref.uid); found != by_uid_.end()) return found->second->file;
  by_age_.push_back({ref.uid, file});
  by_uid_[ref.uid] = std::prev(by_age_.end());
  evict(closing);
  open_files_.set(static_cast<std::int64_t>(by_age_.size()));
  return file;
}

void FileCache::evict(std::list<Entry>& closing) {
  int probes = kEvictionProbes;
  for (auto entry = by_age_.begin(); by_age_.size() > limit_ && entry != by_age_.end() && probes-- > 0;) {
    const auto next = std::next(entry);
    if (entry->file.use_count() == 1) {
      by_uid_.erase(entry->uid);
      closing.splice(closing.end(), by_age_, entry);
    }
    entry = next;
  }
}

void FileCache::forget(const FileRef& ref) {
  FilePtr closing;
  const std::lock_guard lock(mutex_);
  const auto found = by_uid_.find(ref.uid);
  if (found == by_uid_.end()) return;
  closing = std::move(found->second->file);
  by_age_.erase(found->second);
  by_uid_.erase(found);
  open_files_.set(static_cast<std::int64_t>(by_age_.size()));
}

void FileCache::clear() {
  const std::lock_guard lock(mutex_);
  by_age_.clear();
  by_uid_.clear();
  open_files_.set(0);
}

std::size_t FileCache::size() const {
  const std::lock_guard lock(mutex_);
  return by_age_.size();
}

}  // namespace tidegate::storage::embedded
