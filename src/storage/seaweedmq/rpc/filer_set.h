// The filers that calls go to. One is preferred and kept, because filers with stores of their own agree
// only after a while; when its breaker is open the next one takes over. Filled by the master client. Any
// thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "rpc/address.h"
#include "rpc/connection.h"

namespace tidegate::storage::seaweedmq {

class FilerSet {
 public:
  using MakeEndpoint = std::function<std::shared_ptr<Endpoint>(const ServerAddress&)>;
  explicit FilerSet(MakeEndpoint make) : make_(std::move(make)) {}

  // The whole list, as a master gave it. Endpoints that stay keep their connections.
  void assign(const std::vector<ServerAddress>& filers);
  // The preferred one, or the next whose breaker lets a call through; the caller reports to it. nullptr
  // when there is none. `failed` was tried just now and comes last.
  std::shared_ptr<Endpoint> pick(const Endpoint* failed = nullptr);
  // The one at HOST:GRPCPORT; nullptr when it is none of them.
  std::shared_ptr<Endpoint> find(const std::string& address) const;
  std::size_t size() const;
  // Some filer's breaker is closed.
  bool any_usable() const;

 private:
  const MakeEndpoint make_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Endpoint>> endpoints_;
  std::size_t preferred_ = 0;
};

}  // namespace tidegate::storage::seaweedmq
