// Producer snapshots: as they are, then with the checksum put right. What parses must be written again
// as the same bytes (ages are cut at the expiration, so only once it has been written by us).
#include <algorithm>
#include <cstdint>
#include <vector>

#include "tidegate/base/assert.h"
#include "tidegate/producers/producer_state_table.h"

namespace {

using namespace tidegate;
using producers::ProducerStateTable;

constexpr MonoTime kNow{std::chrono::hours(1000)};
constexpr producers::ProducerLimits kLimits{.max_producers = 16};

void check(SharedBuffer snapshot) {
  auto table = ProducerStateTable::parse(std::move(snapshot), kLimits, kNow);
  if (!table) {
    TIDEGATE_ASSERT(table.error().code == ErrorCode::corrupt_message);
    return;
  }
  const auto written = table->serialise(kNow);
  const auto again = ProducerStateTable::parse(written, kLimits, kNow);
  TIDEGATE_ASSERT(again.has_value());
  TIDEGATE_ASSERT(std::ranges::equal(again->serialise(kNow).bytes(), written.bytes()));
  // The table can be worked with.
  protocol::BatchHeader header;
  header.base_offset = table->prepared_end();
  header.producer_id = table->size() > 0 ? table->producer_ids().front() : 1;
  header.producer_epoch = 3;
  header.base_sequence = 0;
  header.records_count = 1;
  static_cast<void>(table->prepare(header, kNow));
  TIDEGATE_ASSERT(table->roll_back_to(table->durable_end()));
  static_cast<void>(table->expire(kNow + std::chrono::hours(100)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check(SharedBuffer::copy_of({data, size}));
  if (size < 4) return 0;
  std::vector<std::uint8_t> mended(data, data + size);
  const auto crc = protocol::crc32c(ByteView(mended).first(size - 4));
  for (int i = 0; i < 4; ++i)
    mended[size - 4 + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(crc >> (24 - 8 * i));
  check(SharedBuffer::copy_of(mended));
  return 0;
}
