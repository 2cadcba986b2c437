// Finds out where a log ends when it is opened or after a crash. Blocking; nothing else uses the
// partition's files meanwhile.
#pragma once

#include <optional>
#include <vector>

#include "context.h"

namespace tidegate::storage::embedded {

struct FoundSegment {
  Offset base = 0;
  Offset end = 0;  // of the last one: the log's end
  std::uint64_t size = 0;
  std::uint32_t generation = 0;  // of a compacted one
};

struct RecoveredLog {
  std::vector<FoundSegment> segments;  // ascending
  Offset log_start = 0;
  Offset log_end = 0;
  DurableEnd durable;
  // The last segment does not end where the log does: the next append opens another.
  bool must_roll = false;
  bool cut = false;
  EpochTable epochs;
};

// The partition's files as they count: leftovers below log start are removed, what follows the durable
// end is checked batch by batch, and the log is cut at the first bad one (then the leader epoch rises,
// durably and before the cut). Everything that remains is synced, unless the slot says that it is.
// What is damaged below the durable end stays: reads report it.
Result<RecoveredLog> recover_log(EngineContext& context, const PartitionId& id);

}  // namespace tidegate::storage::embedded
