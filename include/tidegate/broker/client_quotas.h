// Client quotas (KIP-13, KIP-55, KIP-124, KIP-546): what was set, kept in the meta store and known on every
// shard, and what clients have used of it. Where several gateways share a store each has what the others set
// once it has looked, every client.quotas.refresh.interval.ms; what a quota allows it allows on each of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "tidegate/base/clock.h"
#include "tidegate/base/result.h"
#include "tidegate/broker/quota_table.h"
#include "tidegate/runtime/task.h"

namespace tidegate::broker {

struct BrokerParts;

// One entity's changes. A bound of nullopt removes the quota, also one that is not there.
struct QuotaChange {
  struct Op {
    QuotaKind kind = QuotaKind::producer_byte_rate;
    std::optional<double> bound;
  };
  QuotaEntity entity;
  std::vector<Op> ops;
};

class ClientQuotas {
 public:
  explicit ClientQuotas(const BrokerParts& parts);
  ~ClientQuotas();

  // Begins to read what is stored; when that fails, again later. Until it is there nobody is kept to a quota:
  // a store that hangs holds up no client. On shard 0.
  void start();
  // Likewise: no read begins after it. False when one does not end before the deadline.
  Task<bool> stop(MonoTime deadline);

  // What is set, on the calling shard; nullptr: nothing.
  const QuotaTable* table() const;
  std::shared_ptr<const QuotaTable> shared_table() const;

  // Each result stands for the change at the same place: policy_violation beyond
  // client.quotas.max.entities, and what the store says. Those that are good are written at once and hold
  // on every shard when it returns; with validate_only nothing is written. Any shard.
  Task<std::vector<Result<void>>> alter(std::vector<QuotaChange> changes, bool validate_only);

  // For one request of a client, on any shard: how long it has to be quiet, 0 without a quota.
  // What a client has produced: counted in any case.
  Duration produced(std::string_view user, std::string_view client_id, std::size_t bytes);
  // What a client is about to be given: when the result is not 0 nothing is counted, and it gets nothing.
  Duration may_fetch(std::string_view user, std::string_view client_id, std::size_t bytes);
  // What went along with that.
  void fetched(std::string_view user, std::string_view client_id, std::size_t bytes);
  // The most that a client can be given at once; nullopt: no quota says.
  std::optional<std::size_t> largest_fetch(std::string_view user, std::string_view client_id) const;
  // What shards have worked for a request of a client: counted in any case.
  Duration worked(std::string_view user, std::string_view client_id, Duration time);
  // Counts a client that is made to wait, for metrics.
  void count_throttled(QuotaKind kind, Duration wait);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::broker
