// The filer over gRPC: entries, conditional writes, locks, and what the volume client needs of it. One
// object, called on any shard. Reads and assignments are repeated within their deadline, on another filer
// where there is one; a write never is, because its fate is unknown after a failure: that is the caller's
// to look up.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend.h"
#include "rpc/call.h"
#include "rpc/filer_set.h"
#include "tidegate/base/rng.h"

namespace tidegate::storage::seaweedmq {

// A block of ids, computed from the first: consecutive keys, one cookie.
struct AssignedBlock {
  std::string first_file_id;
  std::size_t count = 0;
  std::string url;  // HOST:PORT of the volume server
  std::string authorization;
};

class FilerClient final : public Filer, public Locks {
 public:
  FilerClient(FilerSet& filers, CallRegistry& calls, RpcMetrics& metrics, const Clock& clock,
              Duration timeout, std::uint64_t seed)
      : filers_(filers), calls_(calls), metrics_(metrics), clock_(clock), timeout_(timeout), rng_(seed) {}

  Task<Result<std::optional<Entry>>> lookup(std::string directory, std::string name) override;
  Task<Result<std::vector<Entry>>> list(std::string directory, std::string prefix, std::string after,
                                        std::size_t limit) override;
  Task<Result<Outcome>> create(std::string directory, Entry entry, bool exclusive) override;
  Task<Result<Outcome>> update(std::string directory, Entry entry, std::string key,
                               std::optional<std::string> expected) override;
  Task<Result<Outcome>> transact(FencedChange change) override;
  Task<Result<void>> erase(std::string directory, std::string name, bool recursive) override;

  Task<Result<LockAnswer>> lock(std::string name, std::int64_t seconds, std::string owner,
                                std::string token) override;
  Task<Result<bool>> unlock(std::string name, std::string token) override;
  Task<Result<std::optional<std::string>>> lock_owner(std::string name) override;

  Task<Result<AssignedBlock>> assign(std::string path, std::size_t count, std::string replication);
  // Of the store of the filer at HOST:GRPCPORT.
  Task<Result<std::int32_t>> signature_of(std::string filer);
  // Where a volume's replicas are, HOST:PORT each; empty when nobody has it.
  Task<Result<std::vector<std::string>>> volume_locations(std::uint32_t volume);

 private:
  template <class Request, class Response>
  Task<Result<Answer<Response>>> call(Method method,
                                      AsyncMethod<filer_pb::SeaweedFiler, Request, Response> function,
                                      Request request, bool repeatable);
  // `attempt(connection, timeout)` gives an answer. The loop of picking, timing, reporting, repeating.
  template <class Response, class Attempt>
  Task<Result<Answer<Response>>> with_filer(Method method, Attempt attempt, bool repeatable);
  Duration jittered(Duration pause);
  std::int64_t now_s() const { return clock_.wall_ms() / 1000; }

  FilerSet& filers_;
  CallRegistry& calls_;
  RpcMetrics& metrics_;
  const Clock& clock_;
  const Duration timeout_;
  std::mutex rng_mutex_;
  SeededRng rng_;
};

}  // namespace tidegate::storage::seaweedmq
