// Stored entries of groups: the first byte says how long the key is, then key and value. What can be read
// is written again as an entry that reads the same, and a group takes it or refuses it with a reason.
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "tidegate/base/assert.h"
#include "tidegate/base/bytes.h"
#include "tidegate/base/rng.h"
#include "tidegate/groups/group.h"

namespace {

using namespace tidegate;

groups::StoredOp written(const groups::Record& record) {
  std::vector<groups::StoredOp> ops;
  groups::encode(record, ops);
  TIDEGATE_ASSERT(ops.size() == 1 && ops.front().value.has_value());
  return ops.front();
}

void load(const groups::Record& head, const groups::Record& record) {
  const groups::GroupLimits limits;
  const groups::NoTopics topics;
  SeededRng rng(1);
  groups::Group group("g", limits, topics, rng);
  TIDEGATE_ASSERT(group.apply(head).has_value());
  if (const auto applied = group.apply(record); !applied) {
    TIDEGATE_ASSERT(applied.error().code == ErrorCode::corrupt_message);
    return;
  }
  // What does not fit together is damage: whoever loads the group leaves it alone then.
  if (const auto fits = group.check_stored(); !fits) {
    TIDEGATE_ASSERT(fits.error().code == ErrorCode::corrupt_message);
    return;
  }
  const groups::Now now{.mono = {std::chrono::hours(1)}, .wall_ms = 1};
  static_cast<void>(group.on(groups::Loaded{}, now));
  static_cast<void>(group.on(groups::ExpireOffsets{}, now));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || data[0] > size - 1) return 0;
  const auto text = as_text({data + 1, size - 1});
  const auto key = text.substr(0, data[0]);
  const auto record = groups::decode(key, text.substr(data[0]));
  if (!record) {
    const auto code = record.error().code;
    TIDEGATE_ASSERT(code == ErrorCode::corrupt_message || code == ErrorCode::unsupported_version);
    return 0;
  }
  // An empty target is stored as nothing at all, and read back as that.
  const auto* const target = std::get_if<groups::PutTargetAssignment>(&*record);
  if (target != nullptr && target->partitions.empty()) {
    std::vector<groups::StoredOp> ops;
    groups::encode(*record, ops);
    TIDEGATE_ASSERT(ops.size() == 1 && ops.front().key == key && !ops.front().value.has_value());
    load(groups::PutConsumerHead{}, *record);
    return 0;
  }
  const auto once = written(*record);
  TIDEGATE_ASSERT(once.key == key);
  const auto again = groups::decode(once.key, *once.value);
  TIDEGATE_ASSERT(again.has_value());
  TIDEGATE_ASSERT(written(*again).value == once.value);
  load(groups::PutClassicHead{}, *record);
  load(groups::PutConsumerHead{}, *record);
  return 0;
}
