#include "fault_disk.h"

#include <algorithm>
#include <cerrno>

namespace tidegate::test {

namespace se = storage::embedded;

namespace {
std::string parent(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos || slash == 0 ? std::string() : path.substr(0, slash);
}
// Torn writes end at a sector, except now and then in the middle of one.
constexpr std::size_t kSector = 512;
}  // namespace

class FaultFile final : public se::VfsFile {
 public:
  FaultFile(std::shared_ptr<FaultDisk> disk, FaultDisk::InodePtr inode, std::uint64_t generation)
      : disk_(std::move(disk)), inode_(std::move(inode)), generation_(generation) {}

  IoResult<std::size_t> pread(MutableByteView into, std::uint64_t at) override {
    const std::lock_guard lock(disk_->mutex_);
    if (int code = disk_->enter(generation_)) return se::io_fail(code, "pread");
    if (at >= inode_->current.size()) return std::size_t{0};
    const std::size_t n = std::min<std::size_t>(into.size(), inode_->current.size() - at);
    std::copy_n(inode_->current.begin() + static_cast<std::ptrdiff_t>(at), n, into.begin());
    return n;
  }
  IoResult<std::size_t> pread_cached(MutableByteView into, std::uint64_t at) override {
    {
      const std::lock_guard lock(disk_->mutex_);
      // Now and then not in the page cache.
      if (disk_->rng_.below(4) == 0) return se::io_fail(EAGAIN, "preadv2");
    }
    return pread(into, at);
  }
  IoResult<void> pwritev(std::span<const ByteView> views, std::uint64_t at) override {
    FaultDisk::Op op;
    op.at = at;
    for (const ByteView view : views) op.bytes.insert(op.bytes.end(), view.begin(), view.end());
    const std::lock_guard lock(disk_->mutex_);
    const int code = disk_->enter_write(generation_);
    return disk_->write(inode_, std::move(op), code);
  }
  IoResult<void> datasync() override {
    const std::lock_guard lock(disk_->mutex_);
    const int code = disk_->enter_sync(generation_);
    if (code != 0) {
      if (!disk_->dark_) disk_->lose_inode(*inode_);
      return se::io_fail(code, "fdatasync");
    }
    disk_->sync_inode(*inode_);
    return {};
  }
  IoResult<void> truncate(std::uint64_t size) override {
    FaultDisk::Op op;
    op.truncate = true;
    op.at = size;
    const std::lock_guard lock(disk_->mutex_);
    int code = disk_->enter(generation_);
    if (code == 0 && disk_->truncate_faults_ > 0) {
      --disk_->truncate_faults_;
      code = EIO;
    }
    return disk_->write(inode_, std::move(op), code);
  }
  IoResult<void> reserve(std::uint64_t) override { return {}; }
  IoResult<std::uint64_t> size() override {
    const std::lock_guard lock(disk_->mutex_);
    if (int code = disk_->enter(generation_)) return se::io_fail(code, "fstat");
    return inode_->current.size();
  }

 private:
  std::shared_ptr<FaultDisk> disk_;
  FaultDisk::InodePtr inode_;
  std::uint64_t generation_;
};

class FaultLock final : public se::VfsLock {
 public:
  explicit FaultLock(std::function<void()> release) : release_(std::move(release)) {}
  ~FaultLock() override { release_(); }

 private:
  std::function<void()> release_;
};

class FaultVfs final : public se::Vfs {
 public:
  FaultVfs(std::shared_ptr<FaultDisk> disk, std::uint64_t generation)
      : disk_(std::move(disk)), generation_(generation) {}

  IoResult<std::unique_ptr<se::VfsFile>> open(const std::string& path, se::OpenMode mode) override {
    const std::lock_guard lock(disk_->mutex_);
    if (int code = disk_->enter(generation_)) return se::io_fail(code, "open");
    auto found = disk_->names_.find(path);
    if (found == disk_->names_.end()) {
      if (mode == se::OpenMode::existing || !disk_->dirs_.contains(parent(path)))
        return se::io_fail(ENOENT, "open");
      found = disk_->names_.emplace(path, std::make_shared<FaultDisk::Inode>()).first;
    } else if (mode == se::OpenMode::create_empty && !found->second->current.empty()) {
      static_cast<void>(disk_->write(found->second, {.truncate = true, .at = 0, .bytes = {}}, 0));
    }
    return std::make_unique<FaultFile>(disk_, found->second, generation_);
  }
  IoResult<se::FileInfo> info(const std::string& path) override {
    const std::lock_guard lock(disk_->mutex_);
    if (int code = disk_->enter(generation_)) return se::io_fail(code, "stat");
    const auto found = disk_->names_.find(path);
    if (found == disk_->names_.end()) return se::io_fail(ENOENT, "stat");
    return se::FileInfo{.size = found->second->current.size()};
  }
  IoResult<std::vector<std::string>> list(const std::string& dir) override {
    const std::lock_guard lock(disk_->mutex_);
    if (int code = disk_->enter(generation_)) return se::io_fail(code, "opendir");
    if (!disk_->dirs_.contains(dir)) return se::io_fail(ENOENT, "opendir");
    std::vector<std::string> names;
    for (const auto& [path, inode] : disk_->names_) {
      if (parent(path) == dir) names.push_back(path.substr(dir.size() + 1));
    }
    for (const auto& path : disk_->dirs_) {
      if (!path.empty() && parent(path) == dir) names.push_back(path.substr(dir.size() + 1));
    }
    return names;
  }
  IoResult<bool> make_dir(const std::string& dir) override {
    const std::lock_guard lock(disk_->mutex_);
    if (int code = disk_->enter(generation_)) return se::io_fail(code, "mkdir");
    if (!disk_->dirs_.contains(parent(dir))) return se::io_fail(ENOENT, "mkdir");
    return disk_->dirs_.insert(dir).second;
  }
  IoResult<void> remove_dir(const std::string& dir) override {
    const std::lock_guard lock(disk_->mutex_);
    if (int code = disk_->enter(generation_)) return se::io_fail(code, "rmdir");
    if (disk_->dirs_.erase(dir) == 0) return se::io_fail(ENOENT, "rmdir");
    return {};
  }
  IoResult<void> rename(const std::string& from, const std::string& to) override {
    const std::lock_guard lock(disk_->mutex_);
    if (int code = disk_->enter(generation_)) return se::io_fail(code, "rename");
    auto node = disk_->names_.extract(from);
    if (node.empty()) return se::io_fail(ENOENT, "rename");
    disk_->names_[to] = node.mapped();
    return {};
  }
  IoResult<void> unlink(const std::string& path) override {
    const std::lock_guard lock(disk_->mutex_);
    if (int code = disk_->enter(generation_)) return se::io_fail(code, "unlink");
    if (disk_->dirs_.contains(path)) return se::io_fail(EISDIR, "unlink");
    if (disk_->names_.erase(path) == 0) return se::io_fail(ENOENT, "unlink");
    return {};
  }
  IoResult<void> sync_dir(const std::string& dir) override {
    const std::lock_guard lock(disk_->mutex_);
    if (int code = disk_->enter_sync(generation_)) return se::io_fail(code, "fsync");
    sync_names(dir == "/" ? std::string() : dir);
    return {};
  }
  IoResult<void> sync_filesystem(const std::string&) override {
    const std::lock_guard lock(disk_->mutex_);
    const int code = disk_->enter_sync(generation_);
    for (auto& [path, inode] : disk_->names_) {
      if (code == 0) {
        disk_->sync_inode(*inode);
      } else if (!disk_->dark_) {
        disk_->lose_inode(*inode);
      }
    }
    if (code != 0) return se::io_fail(code, "syncfs");
    disk_->durable_names_ = disk_->names_;
    disk_->durable_dirs_ = disk_->dirs_;
    return {};
  }
  IoResult<std::uint64_t> free_bytes(const std::string&) override { return UINT64_MAX; }
  IoResult<std::string> boot_id() override {
    const std::lock_guard lock(disk_->mutex_);
    if (int code = disk_->enter(generation_)) return se::io_fail(code, "open");
    return "boot " + std::to_string(disk_->boots_);
  }
  IoResult<std::unique_ptr<se::VfsLock>> lock(const std::string& path) override {
    const std::lock_guard lock(disk_->mutex_);
    if (int code = disk_->enter(generation_)) return se::io_fail(code, "open");
    if (!disk_->locked_.insert(path).second) return se::io_fail(EWOULDBLOCK, "flock");
    return std::make_unique<FaultLock>([disk = disk_, path] {
      const std::lock_guard guard(disk->mutex_);
      disk->locked_.erase(path);
    });
  }

 private:
  void sync_names(const std::string& dir) {
    std::erase_if(disk_->durable_names_, [&](const auto& entry) { return parent(entry.first) == dir; });
    std::erase_if(disk_->durable_dirs_,
                  [&](const std::string& path) { return !path.empty() && parent(path) == dir; });
    for (const auto& [path, inode] : disk_->names_) {
      if (parent(path) == dir) disk_->durable_names_[path] = inode;
    }
    for (const auto& path : disk_->dirs_) {
      if (!path.empty() && parent(path) == dir) disk_->durable_dirs_.insert(path);
    }
  }
  std::shared_ptr<FaultDisk> disk_;
  std::uint64_t generation_;
};

class FaultKv final : public se::Kv {
 public:
  FaultKv(std::shared_ptr<FaultDisk> disk, std::uint64_t generation)
      : disk_(std::move(disk)), generation_(generation) {}
  Result<void> open() override { return {}; }
  void close() override {}
  Result<std::optional<std::string>> get(std::string_view key) override {
    const std::lock_guard lock(disk_->mutex_);
    if (disk_->enter(generation_) != 0) return dead();
    const auto found = disk_->kv_.find(std::string(key));
    if (found == disk_->kv_.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
  }
  Result<void> write(std::span<const se::KvOp> ops, bool sync) override {
    const std::lock_guard lock(disk_->mutex_);
    if (disk_->enter(generation_) != 0) return dead();
    apply(disk_->kv_, ops);
    disk_->unsynced_kv_.emplace_back(ops.begin(), ops.end());
    if (sync) sync_all();
    return {};
  }
  Result<void> scan(std::string_view from, std::string_view prefix,
                    std::function<bool(std::string_view, std::string_view)> each) override {
    std::map<std::string, std::string> copy;
    {
      const std::lock_guard lock(disk_->mutex_);
      if (disk_->enter(generation_) != 0) return dead();
      copy = disk_->kv_;
    }
    for (auto at = copy.lower_bound(std::string(std::max(from, prefix))); at != copy.end(); ++at) {
      if (!at->first.starts_with(prefix) || !each(at->first, at->second)) break;
    }
    return {};
  }
  Result<void> sync() override {
    const std::lock_guard lock(disk_->mutex_);
    if (disk_->enter(generation_) != 0) return dead();
    sync_all();
    return {};
  }

  static void apply(std::map<std::string, std::string>& to, std::span<const se::KvOp> ops) {
    for (const auto& op : ops) {
      if (op.value) {
        to[op.key] = *op.value;
      } else {
        to.erase(op.key);
      }
    }
  }

 private:
  static std::unexpected<Error> dead() { return fail(ErrorCode::kafka_storage_error, "the disk is gone"); }
  void sync_all() {
    disk_->durable_kv_ = disk_->kv_;
    disk_->unsynced_kv_.clear();
  }
  std::shared_ptr<FaultDisk> disk_;
  std::uint64_t generation_;
};

std::unique_ptr<se::Vfs> FaultDisk::mount() {
  return std::make_unique<FaultVfs>(shared_from_this(), generation_);
}
std::unique_ptr<se::Kv> FaultDisk::mount_kv() {
  return std::make_unique<FaultKv>(shared_from_this(), generation_);
}

int FaultDisk::enter(std::uint64_t generation) {
  ++calls_;
  if (dark_at_ != 0 && calls_ >= dark_at_) dark_ = true;
  return dark_ || generation != generation_ ? EIO : 0;
}

int FaultDisk::enter_write(std::uint64_t generation) {
  if (int code = enter(generation)) return code;
  if (write_faults_ == 0) return 0;
  if (writes_until_fault_ > 1) {
    --writes_until_fault_;
    return 0;
  }
  --write_faults_;
  return write_fault_code_;
}

int FaultDisk::enter_sync(std::uint64_t generation) {
  if (int code = enter(generation)) return code;
  ++syncs_;
  if (sync_faults_ == 0) return 0;
  if (syncs_until_fault_ > 1) {
    --syncs_until_fault_;
    return 0;
  }
  --sync_faults_;
  return EIO;
}

void FaultDisk::apply(std::vector<std::uint8_t>& bytes, const Op& op) {
  if (op.truncate) {
    bytes.resize(op.at);
    return;
  }
  if (bytes.size() < op.at + op.bytes.size()) bytes.resize(op.at + op.bytes.size());
  std::copy(op.bytes.begin(), op.bytes.end(), bytes.begin() + static_cast<std::ptrdiff_t>(op.at));
}

// `fault`: a part of the bytes is written all the same, as when a disk fills up (or power goes) in the
// middle.
IoResult<void> FaultDisk::write(const InodePtr& inode, Op op, int fault) {
  if (fault == 0 && !op.truncate) {
    const std::uint64_t grows =
        std::max<std::uint64_t>(op.at + op.bytes.size(), inode->current.size()) - inode->current.size();
    if (used() + grows > capacity_) fault = ENOSPC;
  }
  if (fault != 0) {
    if (op.truncate) return se::io_fail(fault, "ftruncate");
    op.bytes.resize(rng_.below(op.bytes.size() + 1));
    if (fault == ENOSPC && used() + op.bytes.size() > capacity_) op.bytes.clear();
  }
  if (op.truncate || !op.bytes.empty()) {
    apply(inode->current, op);
    inode->unsynced.push_back(std::move(op));
  }
  if (fault != 0) return se::io_fail(fault, "pwritev");
  return {};
}

void FaultDisk::sync_inode(Inode& inode) {
  if (inode.unsynced.empty()) return;
  // What an earlier failed sync lost stays lost: only what is still pending reaches the disk.
  for (const Op& op : inode.unsynced) apply(inode.durable, op);
  inode.unsynced.clear();
}

// A failed sync: the pages count as clean from now on, whether they reached the disk or not.
void FaultDisk::lose_inode(Inode& inode) {
  for (const Op& op : inode.unsynced) {
    if (rng_.below(3) == 0) apply(inode.durable, op);
  }
  inode.unsynced.clear();
}

std::uint64_t FaultDisk::used() const {
  std::uint64_t bytes = 0;
  for (const auto& [path, inode] : names_) bytes += inode->current.size();
  return bytes;
}

void FaultDisk::crash() {
  const std::lock_guard lock(mutex_);
  std::set<Inode*> seen;
  for (auto* names : {&names_, &durable_names_}) {
    for (auto& [path, inode] : *names) {
      if (!seen.insert(inode.get()).second) continue;
      const auto mood = rng_.below(4);  // all, none, or each by itself
      for (Op& op : inode->unsynced) {
        const auto fate = mood == 0 ? 0 : mood == 1 ? 1 : rng_.below(3);
        if (fate == 1) continue;
        if (fate == 2 && !op.truncate) {
          std::size_t keep = rng_.below(op.bytes.size() + 1);
          if (rng_.below(4) != 0) keep -= keep % kSector;
          op.bytes.resize(keep);
        }
        if (op.truncate || !op.bytes.empty()) apply(inode->durable, op);
      }
      inode->unsynced.clear();
      inode->current = inode->durable;
    }
  }
  // Each unsynced name has its own fate too; a lost directory takes everything below with it.
  for (const auto& dir : dirs_) {
    if (!durable_dirs_.contains(dir) && rng_.below(2) == 0) durable_dirs_.insert(dir);
  }
  for (const auto& [path, inode] : names_) {
    if (!durable_names_.contains(path) && rng_.below(2) == 0) durable_names_[path] = inode;
  }
  std::erase_if(durable_names_,
                [&](const auto& entry) { return !names_.contains(entry.first) && rng_.below(2) == 0; });
  // The metadata store's own log keeps a first part.
  const std::size_t kept = rng_.below(unsynced_kv_.size() + 1);
  for (std::size_t i = 0; i < kept; ++i) FaultKv::apply(durable_kv_, unsynced_kv_[i]);
  boot();
}

void FaultDisk::crash_keeping(const std::function<bool(const std::string&)>& keeps) {
  const std::lock_guard lock(mutex_);
  for (const auto& [path, inode] : durable_names_) {
    if (names_.contains(path)) continue;  // below
    inode->unsynced.clear();
    inode->current = inode->durable;
  }
  for (const auto& [path, inode] : names_) {
    if (keeps(path)) {
      sync_inode(*inode);
      durable_names_[path] = inode;
      for (std::string up = parent(path); !up.empty(); up = parent(up)) durable_dirs_.insert(up);
    }
    inode->unsynced.clear();
    inode->current = inode->durable;
  }
  boot();
}

void FaultDisk::boot() {
  std::erase_if(durable_dirs_, [&](const std::string& dir) {
    for (std::string up = parent(dir); !up.empty(); up = parent(up)) {
      if (!durable_dirs_.contains(up)) return true;
    }
    return false;
  });
  std::erase_if(durable_names_,
                [&](const auto& entry) { return !durable_dirs_.contains(parent(entry.first)); });
  dirs_ = durable_dirs_;
  names_ = durable_names_;
  unsynced_kv_.clear();
  kv_ = durable_kv_;
  ++generation_;
  ++boots_;
  dark_at_ = 0;
  dark_ = false;
  locked_.clear();
}

void FaultDisk::kill() {
  const std::lock_guard lock(mutex_);
  ++generation_;
  dark_at_ = 0;
  dark_ = false;
  locked_.clear();
}

void FaultDisk::power_off_after(std::uint64_t calls) {
  const std::lock_guard lock(mutex_);
  dark_at_ = calls_ + calls;
}
void FaultDisk::fail_writes(std::uint64_t after, std::uint64_t times, int code) {
  const std::lock_guard lock(mutex_);
  writes_until_fault_ = after;
  write_faults_ = times;
  write_fault_code_ = code;
}
void FaultDisk::fail_syncs(std::uint64_t after, std::uint64_t times) {
  const std::lock_guard lock(mutex_);
  syncs_until_fault_ = after;
  sync_faults_ = times;
}

void FaultDisk::fail_truncates(std::uint64_t times) {
  const std::lock_guard lock(mutex_);
  truncate_faults_ = times;
}

std::vector<std::string> FaultDisk::files() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, inode] : names_) paths.push_back(path);
  return paths;
}
std::vector<std::uint8_t> FaultDisk::content(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  return names_.at(path)->current;
}
void FaultDisk::set_content(const std::string& path, std::vector<std::uint8_t> bytes) {
  const std::lock_guard lock(mutex_);
  auto& inode = names_[path];
  if (!inode) inode = std::make_shared<Inode>();
  inode->unsynced.clear();
  inode->durable = bytes;
  inode->current = std::move(bytes);
  durable_names_[path] = inode;
}
void FaultDisk::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  names_.erase(path);
  durable_names_.erase(path);
}

}  // namespace tidegate::test
