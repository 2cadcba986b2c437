// Producer ids for InitProducerId: each is given out once in the life of the data directory. They are
// reserved in blocks that are on disk before the first of a block is used; what a crash leaves of a
// block is lost, never given out twice. State lives on shard 0; callable from any shard.
#pragma once

#include <cstdint>
#include <memory>

#include "tidegate/base/result.h"
#include "tidegate/runtime/task.h"

namespace tidegate::broker {

struct BrokerParts;

class ProducerIds {
 public:
  explicit ProducerIds(const BrokerParts& parts);
  ~ProducerIds();

  // coordinator_not_available when no block could be reserved: clients try again.
  Task<Result<std::int64_t>> next();

  static constexpr std::int64_t kBlock = 1000;

 private:
  struct State;
  const BrokerParts& parts_;
  std::shared_ptr<State> state_;
};

}  // namespace tidegate::broker
