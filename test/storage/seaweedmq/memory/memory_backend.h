// A SeaweedFS in memory, for the engine's own tests: what backend.h promises, with every failure that the
// real one was seen to have, at the calls that a script picks. MemoryCluster is what lives on a filer's and
// the volume servers' disks; it outlives the engines that connect to it. Thread-safe; a call resumes on its
// shard.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend_source.h"
#include "tidegate/base/rng.h"

namespace tidegate::test {

namespace seaweed = storage::seaweedmq;

enum class SeaweedOp { lookup, list, create, update, transact, erase, assign, upload, download };

struct SeaweedCall {
  SeaweedOp op = SeaweedOp::lookup;
  std::string path;  // of the entry, or a file id
};

// What befalls a call.
enum class SeaweedFault {
  none,
  error_before,  // fails, nothing happened
  error_after,   // fails, and happened all the same
  error_late,    // fails, and happens when release_late() is called: a message that was under way
  late_held,     // the same, and that it fails is said after resume_held() only
  refused,       // a write: its condition is said not to hold, and nothing happened
  stale,         // a lookup or a list: as it was at keep_view(), at a filer that lags behind
};

class MemoryCluster {
 public:
  explicit MemoryCluster(std::uint64_t seed = 1) : rng_(seed) {}

  // Asked at every call; under the lock, so it must not call back. Empty: no faults.
  using Script = std::function<SeaweedFault(const SeaweedCall&)>;
  void set_script(Script script);
  // The n-th call of this kind from now on (1: the next), and `times` in all, meet `fault`.
  void strike(SeaweedOp op, SeaweedFault fault, int nth = 1, int times = 1);
  // What error_late held back happens now, in order. Returns how many changed anything.
  int release_late();
  void keep_view();
  // Calls take up to so many turns of their shard.
  void set_delay_turns(unsigned turns) { delay_turns_ = turns; }
  // Calls of this kind come back only after resume_held(). They have had their effect already.
  void hold(SeaweedOp op);
  // Those that are held stay so; no others are.
  void stop_holding();
  // The calls come back in the order in which they were held, or in the opposite one.
  void resume_held(bool newest_first = false);
  std::size_t held() const;

  // For looking and for faults by hand.
  std::vector<std::string> paths(const std::string& under) const;  // of entries that are no directories
  std::optional<seaweed::Entry> entry(const std::string& path) const;
  void set_entry(const std::string& path, seaweed::Entry entry);
  void drop_entry(const std::string& path);
  std::size_t needles() const;
  std::vector<std::string> needle_ids() const;
  std::size_t unnamed_needles() const;  // that no entry names
  void drop_needle(const std::string& file_id);
  SharedBuffer needle(const std::string& file_id) const;
  void set_needle(const std::string& file_id, SharedBuffer bytes);
  std::uint64_t calls(SeaweedOp op) const;
  std::uint64_t downloaded_bytes() const;

 private:
  friend class MemoryClient;
  using Change = std::function<bool()>;  // under the lock; false: refused

  // All under the lock.
  SeaweedFault fate(const SeaweedCall& call);
  bool transact(const seaweed::FencedChange& change);
  void put(const std::string& path, seaweed::Entry entry);
  void erase_one(const std::string& path, bool data);
  void make_parents(const std::string& directory);

  mutable std::mutex mutex_;
  SeededRng rng_;
  std::map<std::string, seaweed::Entry> entries_;  // by path
  std::map<std::string, seaweed::Entry> view_;     // as entries_ were
  std::map<std::string, SharedBuffer> needles_;
  std::uint64_t next_needle_ = 1;
  std::int64_t clock_s_ = 1'700'000'000;
  Script script_;
  std::vector<std::pair<SeaweedOp, std::pair<SeaweedFault, std::pair<int, int>>>> strikes_;
  std::deque<Change> late_;
  std::map<SeaweedOp, std::uint64_t> calls_;
  std::uint64_t downloaded_bytes_ = 0;
  std::map<SeaweedOp, bool> holds_;
  std::vector<std::function<void()>> held_;
  std::atomic<unsigned> delay_turns_{1};
};

// One process's connection.
class MemoryClient final : public seaweed::Filer, public seaweed::Volumes {
 public:
  explicit MemoryClient(MemoryCluster& cluster) : cluster_(cluster) {}
  // As if the process had been killed: no call has any effect from now on.
  void kill() { dead_ = true; }
  // As if it could not reach anything for a while.
  void cut_off(bool cut) { dead_ = cut; }

  Task<Result<std::optional<seaweed::Entry>>> lookup(std::string directory, std::string name) override;
  Task<Result<std::vector<seaweed::Entry>>> list(std::string directory, std::string prefix, std::string after,
                                                 std::size_t limit) override;
  Task<Result<seaweed::Outcome>> create(std::string directory, seaweed::Entry entry, bool exclusive) override;
  Task<Result<seaweed::Outcome>> update(std::string directory, seaweed::Entry entry, std::string key,
                                        std::optional<std::string> expected) override;
  Task<Result<seaweed::Outcome>> transact(seaweed::FencedChange change) override;
  Task<Result<void>> erase(std::string directory, std::string name, bool recursive) override;
  Task<Result<seaweed::Assigned>> assign(std::string path) override;
  Task<Result<void>> upload(seaweed::Assigned to, std::vector<SharedBuffer> pieces) override;
  Task<Result<std::optional<SharedBuffer>>> download(std::string file_id, std::uint64_t offset,
                                                     std::uint64_t size_bytes) override;
  Task<void> discard(std::vector<std::string> file_ids) override;

  // What the engine wants to be called for when the filers' ring changes; on shard 0.
  std::function<void()> ring_changes;

 private:
  // Lets the shard do other things, as a call over the network would.
  Task<void> travel(SeaweedOp op, bool held = false);
  Task<Result<seaweed::Outcome>> write(SeaweedCall call, MemoryCluster::Change change);

  MemoryCluster& cluster_;
  std::atomic<bool> dead_{false};
};

// What an engine is given; `client` may outlive it.
class MemorySource final : public seaweed::BackendSource {
 public:
  MemorySource(std::shared_ptr<MemoryCluster> cluster, std::shared_ptr<MemoryClient> client)
      : cluster_(std::move(cluster)), client_(std::move(client)) {}
  seaweed::Backend backend() override { return {.filer = *client_, .volumes = *client_}; }
  void on_ring_change(std::function<void()> listener) override {
    client_->ring_changes = std::move(listener);
  }

 private:
  const std::shared_ptr<MemoryCluster> cluster_;  // empty: somebody else keeps it
  const std::shared_ptr<MemoryClient> client_;
};

}  // namespace tidegate::test
