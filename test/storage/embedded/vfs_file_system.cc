#include "vfs_file_system.h"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <cerrno>

namespace tidegate::test {

namespace se = storage::embedded;
namespace rdb = rocksdb;
using rdb::IODebugContext;
using rdb::IOOptions;
using rdb::IOStatus;
using rdb::Slice;

namespace {

IOStatus status_of(const se::IoError& error) {
  if (error.code == ENOENT) return IOStatus::PathNotFound(error.text());
  if (error.code == ENOSPC) return IOStatus::NoSpace(error.text());
  return IOStatus::IOError(error.text());
}
template <class T>
IOStatus status_of(const se::IoResult<T>& result) {
  return result ? IOStatus::OK() : status_of(result.error());
}

// RocksDB ends a directory's name with a slash now and then, and doubles one in between.
std::string plain(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (c != '/' || out.empty() || out.back() != '/') out.push_back(c);
  }
  if (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

IOStatus read_at(se::VfsFile& file, std::uint64_t at, std::size_t n, Slice* result, char* scratch) {
  auto got = file.pread({reinterpret_cast<std::uint8_t*>(scratch), n}, at);
  *result = Slice(scratch, got ? *got : 0);
  return status_of(got);
}

class Sequential final : public rdb::FSSequentialFile {
 public:
  explicit Sequential(std::unique_ptr<se::VfsFile> file) : file_(std::move(file)) {}
  IOStatus Read(std::size_t n, const IOOptions&, Slice* result, char* scratch, IODebugContext*) override {
    auto status = read_at(*file_, at_, n, result, scratch);
    at_ += result->size();
    return status;
  }
  IOStatus Skip(std::uint64_t n) override {
    at_ += n;
    return IOStatus::OK();
  }

 private:
  std::unique_ptr<se::VfsFile> file_;
  std::uint64_t at_ = 0;
};

class RandomAccess final : public rdb::FSRandomAccessFile {
 public:
  explicit RandomAccess(std::unique_ptr<se::VfsFile> file) : file_(std::move(file)) {}
  IOStatus Read(std::uint64_t at, std::size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    return read_at(*file_, at, n, result, scratch);
  }

 private:
  std::unique_ptr<se::VfsFile> file_;
};

class Writable final : public rdb::FSWritableFile {
 public:
  Writable(std::unique_ptr<se::VfsFile> file, std::uint64_t size) : file_(std::move(file)), size_(size) {}
  using rdb::FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    const ByteView view(reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
    auto wrote = file_->pwritev({&view, 1}, size_);
    if (wrote) size_ += data.size();
    return status_of(wrote);
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions&, IODebugContext*) override {
    auto cut = file_->truncate(size);
    if (cut) size_ = size;
    return status_of(cut);
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return status_of(file_->datasync()); }
  bool IsSyncThreadSafe() const override { return true; }
  std::uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return size_; }

 private:
  std::unique_ptr<se::VfsFile> file_;
  std::uint64_t size_;
};

class Directory final : public rdb::FSDirectory {
 public:
  Directory(se::Vfs& vfs, std::string path) : vfs_(vfs), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return status_of(vfs_.sync_dir(path_)); }

 private:
  se::Vfs& vfs_;
  std::string path_;
};

struct Lock final : rdb::FileLock {
  std::unique_ptr<se::VfsLock> held;
};

// What RocksDB does not ask for here goes to no disk at all: it is not supported.
class VfsFileSystem final : public rdb::FileSystemWrapper {
 public:
  explicit VfsFileSystem(std::unique_ptr<se::Vfs> vfs)
      : rdb::FileSystemWrapper(rdb::FileSystem::Default()), vfs_(std::move(vfs)) {}
  const char* Name() const override { return "VfsFileSystem"; }
  static const char* kClassName() { return "VfsFileSystem"; }

  IOStatus NewSequentialFile(const std::string& path, const rdb::FileOptions&,
                             std::unique_ptr<rdb::FSSequentialFile>* result, IODebugContext*) override {
    auto file = vfs_->open(plain(path), se::OpenMode::existing);
    if (file) *result = std::make_unique<Sequential>(std::move(*file));
    return status_of(file);
  }
  IOStatus NewRandomAccessFile(const std::string& path, const rdb::FileOptions&,
                               std::unique_ptr<rdb::FSRandomAccessFile>* result, IODebugContext*) override {
    auto file = vfs_->open(plain(path), se::OpenMode::existing);
    if (file) *result = std::make_unique<RandomAccess>(std::move(*file));
    return status_of(file);
  }
  IOStatus NewWritableFile(const std::string& path, const rdb::FileOptions&,
                           std::unique_ptr<rdb::FSWritableFile>* result, IODebugContext*) override {
    auto file = vfs_->open(plain(path), se::OpenMode::create_empty);
    if (file) *result = std::make_unique<Writable>(std::move(*file), 0);
    return status_of(file);
  }
  IOStatus ReopenWritableFile(const std::string& path, const rdb::FileOptions&,
                              std::unique_ptr<rdb::FSWritableFile>* result, IODebugContext*) override {
    auto file = vfs_->open(plain(path), se::OpenMode::create);
    if (!file) return status_of(file);
    auto size = (*file)->size();
    if (size) *result = std::make_unique<Writable>(std::move(*file), *size);
    return status_of(size);
  }
  IOStatus ReuseWritableFile(const std::string&, const std::string&, const rdb::FileOptions&,
                             std::unique_ptr<rdb::FSWritableFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("ReuseWritableFile");
  }
  IOStatus NewRandomRWFile(const std::string&, const rdb::FileOptions&, std::unique_ptr<rdb::FSRandomRWFile>*,
                           IODebugContext*) override {
    return IOStatus::NotSupported("NewRandomRWFile");
  }
  IOStatus NewMemoryMappedFileBuffer(const std::string&,
                                     std::unique_ptr<rdb::MemoryMappedFileBuffer>*) override {
    return IOStatus::NotSupported("NewMemoryMappedFileBuffer");
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions&, std::unique_ptr<rdb::FSDirectory>* result,
                        IODebugContext*) override {
    *result = std::make_unique<Directory>(*vfs_, plain(path));
    return IOStatus::OK();
  }
  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    auto info = vfs_->info(plain(path));
    if (!info && info.error().code == ENOENT) return IOStatus::NotFound();
    return status_of(info);
  }
  IOStatus GetChildren(const std::string& dir, const IOOptions&, std::vector<std::string>* result,
                       IODebugContext*) override {
    auto names = vfs_->list(plain(dir));
    if (names) *result = std::move(*names);
    return status_of(names);
  }
  IOStatus GetChildrenFileAttributes(const std::string& dir, const IOOptions& options,
                                     std::vector<rdb::FileAttributes>* result,
                                     IODebugContext* debug) override {
    return rdb::FileSystem::GetChildrenFileAttributes(dir, options, result, debug);
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return status_of(vfs_->unlink(plain(path)));
  }
  IOStatus Truncate(const std::string&, std::size_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::NotSupported("Truncate");
  }
  IOStatus CreateDir(const std::string& dir, const IOOptions&, IODebugContext*) override {
    return status_of(vfs_->make_dir(plain(dir)));
  }
  IOStatus CreateDirIfMissing(const std::string& dir, const IOOptions&, IODebugContext*) override {
    return status_of(vfs_->make_dir(plain(dir)));
  }
  IOStatus DeleteDir(const std::string& dir, const IOOptions&, IODebugContext*) override {
    return status_of(vfs_->remove_dir(plain(dir)));
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, std::uint64_t* size,
                       IODebugContext*) override {
    auto info = vfs_->info(plain(path));
    if (info) *size = info->size;
    return status_of(info);
  }
  IOStatus GetFileModificationTime(const std::string& path, const IOOptions&, std::uint64_t* time,
                                   IODebugContext*) override {
    *time = 0;
    return status_of(vfs_->info(plain(path)));
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* result,
                           IODebugContext*) override {
    *result = path;
    return IOStatus::OK();
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                      IODebugContext*) override {
    return status_of(vfs_->rename(plain(from), plain(to)));
  }
  IOStatus LinkFile(const std::string&, const std::string&, const IOOptions&, IODebugContext*) override {
    return IOStatus::NotSupported("LinkFile");
  }
  IOStatus NumFileLinks(const std::string&, const IOOptions&, std::uint64_t*, IODebugContext*) override {
    return IOStatus::NotSupported("NumFileLinks");
  }
  IOStatus AreFilesSame(const std::string& first, const std::string& second, const IOOptions&, bool* same,
                        IODebugContext*) override {
    *same = plain(first) == plain(second);
    return IOStatus::OK();
  }
  IOStatus LockFile(const std::string& path, const IOOptions&, rdb::FileLock** lock,
                    IODebugContext*) override {
    auto held = vfs_->lock(plain(path));
    if (!held) return status_of(held);
    auto taken = std::make_unique<Lock>();
    taken->held = std::move(*held);
    *lock = taken.release();
    return IOStatus::OK();
  }
  IOStatus UnlockFile(rdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
    delete static_cast<Lock*>(lock);
    return IOStatus::OK();
  }
  IOStatus NewLogger(const std::string&, const IOOptions&, std::shared_ptr<rdb::Logger>*,
                     IODebugContext*) override {
    return IOStatus::NotSupported("NewLogger");
  }
  IOStatus GetFreeSpace(const std::string& path, const IOOptions&, std::uint64_t* free,
                        IODebugContext*) override {
    auto bytes = vfs_->free_bytes(plain(path));
    if (bytes) *free = *bytes;
    return status_of(bytes);
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* is_dir, IODebugContext*) override {
    *is_dir = vfs_->list(plain(path)).has_value();
    return IOStatus::OK();
  }

 private:
  std::unique_ptr<se::Vfs> vfs_;
};

// Keeps the environment as long as the store that uses it.
class KvOnVfs final : public se::Kv {
 public:
  KvOnVfs(std::unique_ptr<se::Vfs> vfs, std::string dir, bool unsynced_writes)
      : env_(rdb::NewCompositeEnv(std::make_shared<VfsFileSystem>(std::move(vfs)))),
        kv_(se::make_rocks_kv(std::move(dir), {.unsynced_writes = unsynced_writes, .env = env_.get()})) {}
  Result<void> open() override { return kv_->open(); }
  void close() override { kv_->close(); }
  Result<std::optional<std::string>> get(std::string_view key) override { return kv_->get(key); }
  Result<void> write(std::span<const se::KvOp> ops, bool sync) override { return kv_->write(ops, sync); }
  Result<void> scan(std::string_view from, std::string_view prefix,
                    std::function<bool(std::string_view, std::string_view)> each) override {
    return kv_->scan(from, prefix, std::move(each));
  }
  Result<void> sync() override { return kv_->sync(); }

 private:
  std::unique_ptr<rdb::Env> env_;
  std::unique_ptr<se::Kv> kv_;
};

}  // namespace

std::unique_ptr<se::Kv> make_rocks_kv_on(std::unique_ptr<se::Vfs> vfs, std::string dir,
                                         bool unsynced_writes) {
  return std::make_unique<KvOnVfs>(std::move(vfs), std::move(dir), unsynced_writes);
}

}  // namespace tidegate::test
