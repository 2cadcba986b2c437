// The backend of the daemon: a Client over gRPC and HTTP.
#pragma once

#include <memory>

#include "backend_source.h"
#include "rpc/client.h"

namespace tidegate::storage::seaweedmq {

class ClientSource final : public BackendSource {
 public:
  explicit ClientSource(std::unique_ptr<Client> client) : client_(std::move(client)), volumes_(*client_) {}

  Task<Result<void>> open() override;
  Task<void> close() override { return client_->stop(); }
  Backend backend() override { return {.filer = client_->filer(), .volumes = volumes_}; }
  BrokerClient* brokers() override { return client_->finds_brokers() ? &client_->brokers() : nullptr; }
  void on_ring_change(std::function<void()> listener) override {
    client_->on_ring_change(std::move(listener));
  }
  Locks* locks() override { return &client_->locks(); }
  std::string missing() const override { return client_->missing(); }

 private:
  // The client has one for each shard; this is the one of whoever calls.
  class CurrentVolumes final : public Volumes {
   public:
    explicit CurrentVolumes(Client& client) : client_(client) {}
    Task<Result<Assigned>> assign(std::string path) override {
      return client_.volumes().assign(std::move(path));
    }
    Task<Result<void>> upload(Assigned to, std::vector<SharedBuffer> pieces) override {
      return client_.volumes().upload(std::move(to), std::move(pieces));
    }
    Task<Result<std::optional<SharedBuffer>>> download(std::string file_id, std::uint64_t offset,
                                                       std::uint64_t size_bytes) override {
      return client_.volumes().download(std::move(file_id), offset, size_bytes);
    }
    Task<void> discard(std::vector<std::string> file_ids) override {
      return client_.volumes().discard(std::move(file_ids));
    }

   private:
    Client& client_;
  };

  const std::unique_ptr<Client> client_;
  CurrentVolumes volumes_;
};

}  // namespace tidegate::storage::seaweedmq
