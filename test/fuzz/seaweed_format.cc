// Whatever lies in the filer or on a volume server: decoders refuse it or give what can be written again.
#include <cstdint>

#include "format/batch_layout.h"
#include "format/names.h"
#include "format/record_layout.h"
#include "format/record_messages.h"
#include "format/records.h"
#include "tidegate/base/assert.h"

namespace {

using namespace tidegate;
using namespace tidegate::storage::seaweedmq;

// What comes out of a chunk can be stored again. (Its bytes need not be the same: a batch that somebody
// stored whole may have been written in other varints than ours.)
void read_records(ByteView bytes) {
  RecordChunkReader reader(SharedBuffer::copy_of(bytes), {.others = true, .max_batch_bytes = 2000});
  RecordChunkBuilder builder;
  std::vector<protocol::RecordBatch> batches;
  while (const auto batch = reader.next()) {
    if (!*batch) break;
    TIDEGATE_ASSERT((*batch)->bytes.size() == (*batch)->header.size_bytes());
    TIDEGATE_ASSERT(protocol::batch_crc_is_valid((*batch)->bytes, (*batch)->header));
    builder.add((*batch)->header, (*batch)->bytes, {}, 1);
    batches.push_back(std::move(**batch));
  }
  if (batches.empty()) return;
  RecordChunkReader again(builder.take().front());
  for (const auto& batch : batches) {
    const auto second = again.next();
    TIDEGATE_ASSERT(second && *second && (*second)->header.base_offset == batch.header.base_offset &&
                    (*second)->header.next_offset() == batch.header.next_offset() &&
                    (*second)->header.records_count == batch.header.records_count &&
                    (*second)->header.producer_id == batch.header.producer_id);
  }
  TIDEGATE_ASSERT(!again.next());
}

// The same of messages of a broker.
void read_messages(ByteView bytes) {
  const SharedBuffer chunk = SharedBuffer::copy_of(bytes);
  FrameReader frames(chunk);
  RecordMessageReader reader;
  while (const auto entry = frames.next()) {
    if (!*entry) break;
    const auto taken = reader.take(**entry, chunk);
    if (!taken.batch) continue;
    const auto& batch = taken.batch->batch;
    TIDEGATE_ASSERT(protocol::batch_crc_is_valid(batch.bytes, batch.header));
    const auto again = record_messages(batch.header, batch.bytes, {}, taken.batch->mark.rank.session);
    RecordMessageReader second;
    std::vector<SharedBuffer> kept;
    std::optional<BatchMessage> found;
    for (const auto& message : again.messages) {
      std::string frame;
      put_frame_head(frame, {.key = as_bytes(message.key)}, message.value.size());
      frame += message.value;
      kept.push_back(SharedBuffer::copy_of(as_bytes(frame)));
      FrameReader one(kept.back());
      const auto entry_again = one.next();
      TIDEGATE_ASSERT(entry_again && *entry_again && !found);
      found = second.take(**entry_again, kept.back()).batch;
    }
    TIDEGATE_ASSERT(found && found->batch.header.base_offset == batch.header.base_offset &&
                    found->batch.header.next_offset() == batch.header.next_offset() &&
                    found->batch.header.records_count == batch.header.records_count);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  const std::string_view text = as_text(bytes);
  // The last case takes what is left, so that one more case does not change what the seeds mean.
  switch (data[0] % 16) {
    case 0: {
      const SharedBuffer chunk = SharedBuffer::copy_of(bytes);
      FrameReader frames(chunk);
      while (const auto entry = frames.next()) {
        if (!*entry) break;
        const auto batch = batch_of_entry(**entry, chunk);
        if (batch) TIDEGATE_ASSERT(batch->bytes.size() == batch->header.size_bytes());
      }
      break;
    }
    case 1: {
      const auto facts = parse_facts({{"tidegate", std::string(text)}}, size > 60 ? (size - 56) / 28 : 0);
      if (facts && *facts) TIDEGATE_ASSERT(attributes_of(**facts).at("tidegate") == text);
      break;
    }
    case 2: {
      const auto scope = parse_scope(text);
      if (scope) TIDEGATE_ASSERT(parse_scope(encode_scope(*scope))->entries == scope->entries);
      break;
    }
    case 3: {
      const auto conf = parse_topic_conf(text);
      if (conf) TIDEGATE_ASSERT(parse_topic_conf(encode_topic_conf(*conf))->slots == conf->slots);
      break;
    }
    case 4: {
      const auto record = parse_topic_record(text);
      if (record) TIDEGATE_ASSERT(parse_topic_record(encode_topic_record(*record)).has_value());
      break;
    }
    case 5: {
      const auto state = parse_state(text);
      if (state) TIDEGATE_ASSERT(parse_state(encode_state(*state)).has_value());
      break;
    }
    case 6: {
      const auto name = unescape_name(text);
      if (name) TIDEGATE_ASSERT(escape_name(*name) == text);
      const auto file = LogFileName::parse(text);
      if (file) TIDEGATE_ASSERT(file->to_string() == text);
      break;
    }
    case 8:
      read_messages(bytes);
      break;
    default:
      read_records(bytes);
  }
  return 0;
}
