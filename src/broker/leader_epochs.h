// What a log's leader epochs say: where an epoch ended, and whether a client's log has another history
// (KIP-320, KIP-595). Pure. Used by fetch, ListOffsets and OffsetForLeaderEpoch on the owner shard.
#pragma once

#include <optional>
#include <span>

#include "tidegate/base/error_code.h"
#include "tidegate/base/ids.h"
#include "tidegate/storage/engine.h"

namespace tidegate::broker {

struct EpochEnd {
  LeaderEpoch epoch = kNoEpoch;
  Offset end = -1;
};

// none, fenced_leader_epoch or unknown_leader_epoch; -1 from the client skips the check.
inline ErrorCode check_leader_epoch(LeaderEpoch from_client, LeaderEpoch ours) {
  if (from_client == kNoEpoch || from_client == ours) return ErrorCode::none;
  return from_client < ours ? ErrorCode::fenced_leader_epoch : ErrorCode::unknown_leader_epoch;
}

// The largest epoch at or below `epoch`, and where the next one began (the log end for the newest).
// {-1, -1} for an epoch that this log never saw and that is above all it did.
EpochEnd end_of_epoch(std::span<const storage::EpochStart> epochs, LeaderEpoch epoch, Offset log_end);

// The epoch of the record at `offset`.
LeaderEpoch epoch_at(std::span<const storage::EpochStart> epochs, Offset offset);

}  // namespace tidegate::broker
