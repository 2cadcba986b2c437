// A disk in memory that behaves as badly as a real one may. Writes stay unsynced until a sync; a crash
// keeps, drops or tears each of them by itself and forgets names whose directory was not synced. It can
// run full, fail the n-th call, lose the pages of a failed sync, and go dark in the middle of anything.
// It outlives the engines that mount it. Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "kv.h"
#include "tidegate/base/rng.h"
#include "vfs.h"

namespace tidegate::test {

using storage::embedded::IoResult;

class FaultDisk : public std::enable_shared_from_this<FaultDisk> {
 public:
  explicit FaultDisk(std::uint64_t seed) : rng_(seed) {}

  // What an engine is given. After a crash the former ones fail every call.
  std::unique_ptr<storage::embedded::Vfs> mount();
  // The metadata store; what was not synced is lost in a crash but for a random first part of it.
  std::unique_ptr<storage::embedded::Kv> mount_kv();

  // Power off: unsynced writes and names meet their fate, and every mount is dead.
  void crash();
  // A power cut with a chosen outcome: of what was not synced only the paths that `keeps` names survive,
  // whole (with the directories above them).
  void crash_keeping(const std::function<bool(const std::string& path)>& keeps);
  // The process was killed: nothing is lost, every mount is dead.
  void kill();

  // From the n-th call from now on (1: the next) every call fails until crash() or kill().
  void power_off_after(std::uint64_t calls);
  bool is_dark() const { return dark_; }
  // The n-th write from now on fails with ENOSPC (having written a random part), and so do `times` in all.
  void fail_writes(std::uint64_t after, std::uint64_t times, int code);
  // The n-th sync from now on fails and loses what it was to make durable.
  void fail_syncs(std::uint64_t after, std::uint64_t times);
  // So many truncates from now on fail.
  void fail_truncates(std::uint64_t times);
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
  std::uint64_t calls() const { return calls_; }
  std::uint64_t syncs() const { return syncs_; }

  // The files as they are, for faults by hand.
  std::vector<std::string> files() const;
  std::vector<std::uint8_t> content(const std::string& path) const;
  // Changes what is on the disk, as if it had always been so.
  void set_content(const std::string& path, std::vector<std::uint8_t> bytes);
  void remove(const std::string& path);

 private:
  friend class FaultFile;
  friend class FaultVfs;
  friend class FaultKv;
  struct Op {
    bool truncate = false;
    std::uint64_t at = 0;  // or the new size
    std::vector<std::uint8_t> bytes;
  };
  struct Inode {
    std::vector<std::uint8_t> durable;
    std::vector<std::uint8_t> current;
    std::vector<Op> unsynced;
  };
  using InodePtr = std::shared_ptr<Inode>;
  static void apply(std::vector<std::uint8_t>& bytes, const Op& op);
  // 0, or the errno that this call is to fail with.
  int enter(std::uint64_t generation);
  int enter_write(std::uint64_t generation);
  int enter_sync(std::uint64_t generation);
  IoResult<void> write(const InodePtr& inode, Op op, int fault);
  void sync_inode(Inode& inode);
  void lose_inode(Inode& inode);
  std::uint64_t used() const;
  // Ends a crash: what is durable is all there is.
  void boot();

  mutable std::mutex mutex_;
  SeededRng rng_;
  std::map<std::string, InodePtr> names_;
  std::map<std::string, InodePtr> durable_names_;
  std::set<std::string> dirs_{""};
  std::set<std::string> durable_dirs_{""};
  std::set<std::string> locked_;
  std::map<std::string, std::string> kv_;
  std::map<std::string, std::string> durable_kv_;
  std::vector<std::vector<storage::embedded::KvOp>> unsynced_kv_;
  std::uint64_t generation_ = 1;
  std::uint64_t boots_ = 1;
  std::uint64_t calls_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t dark_at_ = 0;
  std::atomic<bool> dark_{false};
  std::uint64_t writes_until_fault_ = 0;
  std::uint64_t write_faults_ = 0;
  int write_fault_code_ = 0;
  std::uint64_t syncs_until_fault_ = 0;
  std::uint64_t sync_faults_ = 0;
  std::uint64_t truncate_faults_ = 0;
  std::uint64_t capacity_ = UINT64_MAX;
};

}  // namespace tidegate::test
