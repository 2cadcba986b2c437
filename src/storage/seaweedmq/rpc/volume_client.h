// Needles of volume servers, on one shard: assign from the pool, upload, download, delete. Where a volume
// lives is asked of the filer and remembered for a while.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend.h"
#include "rpc/breaker.h"
#include "rpc/filer_client.h"
#include "rpc/http_client.h"
#include "rpc/id_pool.h"

namespace tidegate::storage::seaweedmq {

class VolumeClient final : public Volumes {
 public:
  VolumeClient(Shard& shard, const ClientOptions& options, FilerClient& filer, RpcMetrics& metrics,
               std::uint64_t seed);

  Task<Result<Assigned>> assign(std::string path) override;
  Task<Result<void>> upload(Assigned to, std::vector<SharedBuffer> pieces) override;
  // What is more than a message may have is asked for in parts.
  Task<Result<std::optional<SharedBuffer>>> download(std::string file_id, std::uint64_t offset,
                                                     std::uint64_t size_bytes) override;
  Task<void> discard(std::vector<std::string> file_ids) override;

  // Whether a chunk could be stored now: an id is to be had, and its server answers.
  Task<Result<void>> probe();

  void close() { http_.close(); }

  // More than volume servers take in one needle, unless they are told to.
  static constexpr std::uint64_t kMaxDownloadBytes = 512U << 20;
  static constexpr std::size_t kVolumesRemembered = 10'000;
  static constexpr Duration kLocationLife = std::chrono::minutes(10);

 private:
  struct Place {
    std::vector<std::string> urls;
    MonoTime good_until{};
  };
  // The replicas of a volume, from memory unless `afresh`.
  Task<Result<std::vector<std::string>>> locate(std::uint32_t volume, bool afresh);
  // One request to one server, under its breaker.
  Task<Result<HttpResponse>> exchange(Method method, std::string server, HttpRequest request);
  struct Fetched {
    bool gone = false;  // every replica that answered says so
    SharedBuffer bytes;
  };
  Task<Result<Fetched>> fetch(FileId id, std::uint64_t offset, std::uint64_t size_bytes, bool afresh);
  Task<Result<std::optional<SharedBuffer>>> download_part(FileId id, std::uint64_t offset,
                                                          std::uint64_t size_bytes);
  std::shared_ptr<Breaker> breaker_of(const std::string& server);
  std::string url_of(const std::string& server, const std::string& file_id) const;
  std::string token(const std::string& key, const std::string& file_id) const;

  Shard& shard_;
  const ClientOptions options_;
  FilerClient& filer_;
  RpcMetrics& metrics_;
  HttpClient http_;
  SeededRng rng_;
  IdPool pool_;
  std::map<std::uint32_t, Place> places_;
  std::map<std::string, std::shared_ptr<Breaker>> breakers_;
};

}  // namespace tidegate::storage::seaweedmq
