// SeaweedFS has a Kafka gateway of its own that uses the same namespace. It knows nothing of our fences, so
// the two must not serve the same topics. It gives itself away by the lock that its leader holds.
#pragma once

#include <string>

#include "backend.h"
#include "tidegate/base/metrics.h"

namespace tidegate::storage::seaweedmq {

class ForeignGatewayWatch {
 public:
  explicit ForeignGatewayWatch(MetricRegistry& metrics);

  // Asks who holds the lock. Warns once for each holder, and says when it is gone. An error leaves what was
  // known: it says nothing about the other gateway. nullptr where there are no locks to ask for.
  Task<void> look(Locks* locks);
  // Empty: none was seen. HOST:PORT of its leader as the lock names it.
  const std::string& holder() const { return holder_; }

 private:
  Gauge& present_;
  std::string holder_;
};

}  // namespace tidegate::storage::seaweedmq
