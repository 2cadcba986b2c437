// This gateway's session: an entry that it rewrites by compare-and-set several times in a lease. While it
// does, its lease holds and nobody takes its fences; when it stops, the others erase the entry, after the
// lease, and what is fenced for a session that has no entry is anybody's. A session that was erased never
// comes back: its gateway begins another one, and asks each of its fences anew whether it is still its own.
// The entry says who the gateway is. Its node id is its own by another entry, which names the session: as
// with a fence, whoever finds that session ended may have the id.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>

#include "backend.h"
#include "gateway_record.h"
#include "session_watch.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/shard.h"
#include "versioned_entry.h"

namespace tidegate::storage::seaweedmq {

class Session {
 public:
  struct Standing {
    std::string name;
    std::uint64_t generation = 0;
  };

  // Whether the process of a gateway has ended for certain; false also when it cannot be told.
  using HasEnded = std::function<bool(const std::string& process)>;

  // A lease of zero: there are no sessions, and whoever wants a fence takes it. `instance` is this run's
  // alone.
  Session(Backend backend, VersionedEntries& entries, ShardPool& shards, const Clock& clock,
          std::string instance, Duration lease, HasEnded process_has_ended);

  // Who this gateway is. Before open(), on shard 0, as what follows.
  void introduce(Member self, std::string process);
  // Begins it. Can be called again after an error, which it has to be within a lease or so:
  // kafka_storage_error also while another gateway has the node id.
  Task<Result<void>> open();
  // From now on it is renewed, and what has ended is cleared away. `each_time` is called behind each renewal.
  void keep(std::function<Task<void>()> each_time);
  // On shard 0. Nothing holds from now on, until another session has begun and its fences are confirmed.
  void start_anew();
  // Ends it: whatever was fenced for it is free at once. The logs have been closed by then.
  Task<void> close();

  // Any shard. Whether the lease holds and is that of `generation`.
  bool holds(std::uint64_t generation) const;
  Standing standing() const;
  // The gateways that serve, this one among them, as last listed. Any shard.
  std::vector<Member> members() const;
  // Whether a fence that names this session may be taken.
  Task<Result<bool>> has_ended(std::string name);

 private:
  Task<void> run();
  Task<Result<void>> renew();
  Task<Result<void>> put_entry();
  Task<Result<void>> claim_node();
  void note_members(const std::vector<Entry>& sessions);
  bool ended_here(const std::string& content) const;
  Task<Result<bool>> has_ended_at_home(std::string name);
  // Of another session's entry.
  Task<Result<bool>> clear_if_ended(std::string name, Versioned entry);
  Task<void> clear_others();
  void begin_another();
  Task<void> leave();
  bool lapsed() const { return Duration(valid_until_ns_.load()) <= clock_.now().since_start; }

  const Backend backend_;
  VersionedEntries& entries_;
  ShardPool& shards_;
  const Clock& clock_;
  const std::string instance_;
  const Duration lease_;
  const HasEnded process_has_ended_;
  // Holds before this time. Read before the generation and written behind it.
  std::atomic<std::int64_t> valid_until_ns_{0};
  std::atomic<std::uint64_t> generation_{1};
  mutable std::mutex mutex_;
  std::string name_;             // under mutex_, changed on shard 0
  std::vector<Member> members_;  // under mutex_
  // On shard 0.
  SessionWatch watch_;
  std::string etag_;     // of the entry; empty: there is none yet
  bool certain_ = true;  // whether etag_ is
  bool begun_ = false;   // the entry has been there
  GatewayRecord self_;   // serving: the node id is claimed for this session
  bool running_ = false;
  bool ending_ = false;
  bool anew_ = false;  // another one is to begin
  std::function<Task<void>()> each_time_;
  Event changed_;
};

}  // namespace tidegate::storage::seaweedmq
