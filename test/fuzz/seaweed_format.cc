// Whatever lies in the filer or on a volume server: decoders refuse it or give what can be written again.
#include <cstdint>

#include "format/batch_layout.h"
#include "format/names.h"
#include "format/records.h"
#include "tidegate/base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidegate;
  using namespace tidegate::storage::seaweedmq;
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  const std::string_view text = as_text(bytes);
  switch (data[0] % 7) {
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
    default: {
      const auto name = unescape_name(text);
      if (name) TIDEGATE_ASSERT(escape_name(*name) == text);
      const auto file = LogFileName::parse(text);
      if (file) TIDEGATE_ASSERT(file->to_string() == text);
    }
  }
  return 0;
}
