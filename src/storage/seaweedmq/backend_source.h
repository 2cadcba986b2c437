// How an engine comes by its backend: made and opened at its start, closed when it stops.
#pragma once

#include <functional>
#include <string>

#include "backend.h"

namespace tidegate::storage::seaweedmq {

class BrokerClient;

class BackendSource {
 public:
  virtual ~BackendSource() = default;
  // On shard 0. Returns at once, whatever is reachable; an error is one that no waiting mends.
  virtual Task<Result<void>> open() { co_return Result<void>{}; }
  // On shard 0. Calls that are made later fail.
  virtual Task<void> close() { co_return; }
  // What it refers to lives as long as this.
  virtual Backend backend() = 0;
  // nullptr where brokers of SeaweedMQ are not looked for.
  virtual BrokerClient* brokers() { return nullptr; }
  // nullptr where there are none to ask for.
  virtual Locks* locks() { return nullptr; }
  // `listener` is called on shard 0 when other filers than before answer for some entries, which may be
  // behind by what was written last. Before open().
  virtual void on_ring_change(std::function<void()> listener) { static_cast<void>(listener); }
  // Empty when everything answers; else what is missing, in words for /readyz. Any shard.
  virtual std::string missing() const { return {}; }
};

}  // namespace tidegate::storage::seaweedmq
