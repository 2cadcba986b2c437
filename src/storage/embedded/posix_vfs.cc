// The Vfs of production: Linux system calls.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "vfs.h"

namespace tidegate::storage::embedded {

namespace {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// iovec count per call; the kernel's own limit is 1024.
constexpr std::size_t kMaxVectors = 512;

class PosixFile final : public VfsFile {
 public:
  explicit PosixFile(Fd fd) : fd_(std::move(fd)) {}

  IoResult<std::size_t> pread(MutableByteView into, std::uint64_t at) override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t n =
          ::pread(fd_.get(), into.data() + done, into.size() - done, static_cast<off_t>(at + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return io_fail(errno, "pread");
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  IoResult<std::size_t> pread_cached(MutableByteView into, std::uint64_t at) override {
    iovec vector{into.data(), into.size()};
    const ssize_t n = ::preadv2(fd_.get(), &vector, 1, static_cast<off_t>(at), RWF_NOWAIT);
    if (n >= 0) return static_cast<std::size_t>(n);
    // A file system that cannot tell has to be asked on a thread that may block.
    if (errno == EOPNOTSUPP || errno == EINTR) return io_fail(EAGAIN, "preadv2");
    return io_fail(errno, "preadv2");
  }

  IoResult<void> pwritev(std::span<const ByteView> views, std::uint64_t at) override {
    std::array<iovec, kMaxVectors> vectors;
    std::size_t index = 0;
    std::size_t skip = 0;  // bytes of views[index] that are written
    while (index < views.size()) {
      std::size_t count = 0;
      for (std::size_t i = index; i < views.size() && count < kMaxVectors; ++i, ++count) {
        const ByteView view = i == index ? views[i].subspan(skip) : views[i];
        vectors[count] = {const_cast<std::uint8_t*>(view.data()), view.size()};
      }
      const ssize_t n = ::pwritev(fd_.get(), vectors.data(), static_cast<int>(count), static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return io_fail(errno, "pwritev");
      at += static_cast<std::uint64_t>(n);
      auto left = static_cast<std::size_t>(n);
      bool moved = n > 0;
      while (index < views.size() && left >= views[index].size() - skip) {
        left -= views[index].size() - skip;
        skip = 0;
        ++index;
        moved = true;
      }
      skip += left;
      if (!moved) return io_fail(EIO, "pwritev");
    }
    return {};
  }

  IoResult<void> datasync() override {
    if (::fdatasync(fd_.get()) != 0) return io_fail(errno, "fdatasync");
    return {};
  }
  IoResult<void> truncate(std::uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return io_fail(errno, "ftruncate");
    return {};
  }
  IoResult<void> reserve(std::uint64_t size) override {
    if (::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size)) != 0) {
      return io_fail(errno, "fallocate");
    }
    return {};
  }
  IoResult<std::uint64_t> size() override {
    struct stat info{};
    if (::fstat(fd_.get(), &info) != 0) return io_fail(errno, "fstat");
    return static_cast<std::uint64_t>(info.st_size);
  }

 private:
  Fd fd_;
};

class PosixLock final : public VfsLock {
 public:
  explicit PosixLock(Fd fd) : fd_(std::move(fd)) {}

 private:
  Fd fd_;
};

IoResult<Fd> open_dir(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return io_fail(errno, "open");
  return fd;
}

class PosixVfs final : public Vfs {
 public:
  IoResult<std::unique_ptr<VfsFile>> open(const std::string& path, OpenMode mode) override {
    int flags = O_RDWR | O_CLOEXEC;
    if (mode != OpenMode::existing) flags |= O_CREAT;
    if (mode == OpenMode::create_empty) flags |= O_TRUNC;
    Fd fd(::open(path.c_str(), flags, 0640));
    if (fd.get() < 0) return io_fail(errno, "open");
    return std::make_unique<PosixFile>(std::move(fd));
  }

  IoResult<FileInfo> info(const std::string& path) override {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) return io_fail(errno, "stat");
    return FileInfo{.size = static_cast<std::uint64_t>(info.st_size),
                    .modified_ms = info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1'000'000};
  }

  IoResult<std::vector<std::string>> list(const std::string& dir) override {
    DIR* handle = ::opendir(dir.c_str());
    if (handle == nullptr) return io_fail(errno, "opendir");
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(handle)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    const int failed = errno;
    ::closedir(handle);
    if (failed != 0) return io_fail(failed, "readdir");
    return names;
  }

  IoResult<bool> make_dir(const std::string& dir) override {
    if (::mkdir(dir.c_str(), 0750) == 0) return true;
    if (errno == EEXIST) return false;
    return io_fail(errno, "mkdir");
  }
  IoResult<void> remove_dir(const std::string& dir) override {
    if (::rmdir(dir.c_str()) != 0) return io_fail(errno, "rmdir");
    return {};
  }
  IoResult<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return io_fail(errno, "rename");
    return {};
  }
  IoResult<void> unlink(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return io_fail(errno, "unlink");
    return {};
  }
  IoResult<void> sync_dir(const std::string& dir) override {
    auto fd = open_dir(dir);
    if (!fd) return std::unexpected(fd.error());
    if (::fsync(fd->get()) != 0) return io_fail(errno, "fsync");
    return {};
  }

  IoResult<void> sync_filesystem(const std::string& path) override {
    // The kernel reports write errors since the descriptor was opened: one that stays open sees those
    // that happened before the call.
    if (filesystem_ == nullptr) {
      auto fd = open_dir(path);
      if (!fd) return std::unexpected(fd.error());
      if (::syncfs(fd->get()) != 0) return io_fail(errno, "syncfs");
      return {};
    }
    if (::syncfs(filesystem_->get()) != 0) return io_fail(errno, "syncfs");
    return {};
  }

  IoResult<std::uint64_t> free_bytes(const std::string& path) override {
    struct statvfs info{};
    if (::statvfs(path.c_str(), &info) != 0) return io_fail(errno, "statvfs");
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  }

  IoResult<std::unique_ptr<VfsLock>> lock(const std::string& path) override {
    Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
    if (fd.get() < 0) return io_fail(errno, "open");
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return io_fail(errno, "flock");
    // syncfs wants a descriptor that stays open. Not a dup(): that would hold the lock as well.
    Fd filesystem(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (filesystem.get() < 0) return io_fail(errno, "open");
    filesystem_ = std::make_unique<Fd>(std::move(filesystem));
    return std::make_unique<PosixLock>(std::move(fd));
  }

  IoResult<std::string> boot_id() override {
    const Fd fd(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
    if (fd.get() < 0) return io_fail(errno, "open");
    // No size is known of such a file before it is read.
    std::array<char, 64> text{};
    const ssize_t n = ::read(fd.get(), text.data(), text.size());
    if (n <= 0) return io_fail(n < 0 ? errno : ENODATA, "read");
    return std::string(text.data(), static_cast<std::size_t>(n));
  }

 private:
  std::unique_ptr<Fd> filesystem_;
};

}  // namespace

std::unique_ptr<Vfs> make_posix_vfs() { return std::make_unique<PosixVfs>(); }

}  // namespace tidegate::storage::embedded
