// Gateways that share the partitions of one topic out among themselves, on a clock that the test turns.
#pragma once

#include <optional>
#include <vector>

#include "lease_rig.h"

namespace tidegate::test {

inline constexpr std::int32_t kPartitions = 12;
// A round follows each renewal, of which there are five in a lease.
inline constexpr Duration kRound = kTestLease / 5 + kStep;
// A lease and a fifth until its session is ended, a renewal of whoever sees it, and two rounds.
inline constexpr Duration kTakeOver = kTestLease * 6 / 5 + kRound * 3;

class SharesRig : public LeaseRig {
 public:
  SharesRig() { options.shares = true; }

  std::unique_ptr<Gateway> with_topic() {
    auto made = gateway();
    EXPECT_TRUE(made->make_topic(kPartitions));
    return made;
  }
  Result<storage::Appended> append(Gateway& gateway, std::int32_t partition, const std::string& value) {
    auto log = gateway.open(partition);
    if (!log) return fail(log.error());
    auto batches = list(batch_of({value}));
    return shards().run([&] { return (*log)->append((*log)->leader_epoch(), batches); });
  }
  std::optional<Values> values(Gateway& gateway, std::int32_t partition) {
    auto log = gateway.open(partition);
    if (!log) return std::nullopt;
    return values(**log);
  }
  std::optional<Values> values(storage::PartitionLog& log) {
    Values all;
    for (Offset from = 0;;) {
      auto read = shards().run([&] { return log.read(from, {}); });
      if (!read) return std::nullopt;
      if (read->batches == 0) return all;
      for (auto& value : values_of(records_of(*read))) all.push_back(std::move(value));
      from = read->next_offset;
    }
  }
  static NodeId leader(Gateway& gateway, std::int32_t partition) {
    return gateway.cluster().owner_of({kTopicId, partition}).node;
  }
};

// Partitions that the gateway is named for, by its own view.
inline std::vector<std::int32_t> led_by(Gateway& gateway) {
  std::vector<std::int32_t> led;
  for (std::int32_t i = 0; i < kPartitions; ++i) {
    if (SharesRig::leader(gateway, i) == gateway.cluster().self()) led.push_back(i);
  }
  return led;
}

}  // namespace tidegate::test
