// A filer on loopback: entries with their conditions, transactions sent on to the ring's owner, locks in
// memory, ids from the volume servers it is told of. Its quirks are those of the real one: errors in
// bodies, two shapes of "not there", chunks deleted by the update that drops them, locks that a restart
// forgets and generations that begin again.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <grpcpp/server.h>

#include "fake/faults.h"
#include "fake/volume.h"
#include "seaweedfs/filer.grpc.pb.h"

namespace tidegate::test {

// What outlives a restart of a filer; filers on a shared store share one.
struct EntryStore {
  std::int32_t signature = 4711;
  std::recursive_mutex mutex;
  std::map<std::string, std::map<std::string, filer_pb::Entry>> directories;
};

class FakeFiler final : public filer_pb::SeaweedFiler::Service {
 public:
  struct Volume {
    std::uint32_t id = 0;
    std::string url;
  };
  struct Surroundings {
    // Volume servers that take writes, and where a volume is.
    std::function<std::vector<Volume>()> writable;
    std::function<std::vector<std::string>(std::uint32_t)> locate;
    std::function<void(const std::string& file_id)> delete_needle;
    std::function<std::string(const std::string& file_id)> sign;  // empty: no tokens
    // The filer that owns a key of the ring; nullptr or itself: this one.
    std::function<FakeFiler*(const std::string& key)> owner;
  };
  FakeFiler(EntryStore& store, Surroundings around, int port = 0);
  ~FakeFiler() override;

  int port() const { return port_; }
  Faults& faults() { return faults_; }
  void answer_missing_with_not_found(bool on) { not_found_ = on; }
  void answer_chunks_with_fid_only(bool on) { fid_only_ = on; }
  // A file kept inside its entry, as SeaweedFS's own tools write their configuration. False for no path.
  bool put_content(const std::string& path, const std::string& content);
  // One more chunk of a file, as a broker flushes one: `bytes` become a needle of `needles`.
  bool append_chunk(const std::string& directory, const std::string& name, const std::string& bytes,
                    const std::map<std::string, std::string>& attributes, std::uint32_t volume,
                    NeedleStore& needles);
  // What a master would have booked on its volumes for the ids that were given out.
  std::uint64_t booked_bytes() const { return booked_.load(); }
  int forwarded() const { return forwarded_.load(); }

  using Context = grpc::ServerContext;
  grpc::Status LookupDirectoryEntry(Context*, const filer_pb::LookupDirectoryEntryRequest*,
                                    filer_pb::LookupDirectoryEntryResponse*) override;
  grpc::Status ListEntries(Context*, const filer_pb::ListEntriesRequest*,
                           grpc::ServerWriter<filer_pb::ListEntriesResponse>*) override;
  grpc::Status CreateEntry(Context*, const filer_pb::CreateEntryRequest*,
                           filer_pb::CreateEntryResponse*) override;
  grpc::Status UpdateEntry(Context*, const filer_pb::UpdateEntryRequest*,
                           filer_pb::UpdateEntryResponse*) override;
  grpc::Status DeleteEntry(Context*, const filer_pb::DeleteEntryRequest*,
                           filer_pb::DeleteEntryResponse*) override;
  grpc::Status ObjectTransaction(Context*, const filer_pb::ObjectTransactionRequest*,
                                 filer_pb::ObjectTransactionResponse*) override;
  grpc::Status AssignVolume(Context*, const filer_pb::AssignVolumeRequest*,
                            filer_pb::AssignVolumeResponse*) override;
  grpc::Status LookupVolume(Context*, const filer_pb::LookupVolumeRequest*,
                            filer_pb::LookupVolumeResponse*) override;
  grpc::Status DistributedLock(Context*, const filer_pb::LockRequest*, filer_pb::LockResponse*) override;
  grpc::Status DistributedUnlock(Context*, const filer_pb::UnlockRequest*,
                                 filer_pb::UnlockResponse*) override;
  grpc::Status GetFilerConfiguration(Context*, const filer_pb::GetFilerConfigurationRequest*,
                                     filer_pb::GetFilerConfigurationResponse*) override;
  grpc::Status FindLockOwner(Context*, const filer_pb::FindLockOwnerRequest*,
                             filer_pb::FindLockOwnerResponse*) override;

 private:
  struct Lock {
    std::string token;
    std::string owner;
    std::int64_t generation = 0;
    std::int64_t expires_ns = 0;
  };
  // Empty: go on. Else the answer; `after` then tells that the deed comes first.
  std::optional<grpc::Status> fault(Context* context, const std::string& method, std::string* body,
                                    std::optional<grpc::Status>* after);
  filer_pb::Entry* find(const std::string& directory, const std::string& name);
  filer_pb::Entry* find(const std::string& path);
  void make_parents(const std::string& directory);
  std::pair<filer_pb::FilerError, std::string> put(const std::string& directory, const filer_pb::Entry& entry,
                                                   bool exclusive);
  std::string remove(const std::string& directory, const std::string& name, bool data, bool recursive,
                     bool ignore_errors);
  void delete_chunks(const filer_pb::Entry& from, const filer_pb::Entry* keep);
  bool holds(const filer_pb::WriteCondition& condition, const filer_pb::Entry* entry) const;
  grpc::Status transact_here(const filer_pb::ObjectTransactionRequest& request,
                             filer_pb::ObjectTransactionResponse& response);
  filer_pb::Entry shown(const filer_pb::Entry& entry) const;
  Lock* live_lock(const std::string& name);

  EntryStore& store_;
  const Surroundings around_;
  Faults faults_;
  std::atomic<bool> not_found_{false};
  std::atomic<bool> fid_only_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<int> forwarded_{0};
  std::atomic<std::uint64_t> booked_{0};
  std::map<std::string, Lock> locks_;
  std::int64_t generation_ = 0;
  std::int64_t tokens_ = 0;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace tidegate::test
