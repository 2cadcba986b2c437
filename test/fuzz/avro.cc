// Avro: a schema of unknown origin compiles or is refused, and any bytes are a value of it or are not. An
// input is a schema's text, a byte 0xff (which no text has), and a datum.
#include <algorithm>

#include "avro/avro_check.h"
#include "tidegate/base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidegate;
  using namespace tidegate::schema::avro;
  const ByteView input(data, size);
  const auto split = std::ranges::find(input, std::uint8_t{0xff});
  const ByteView text(input.begin(), split);
  const ByteView datum = split == input.end() ? ByteView() : ByteView(split + 1, input.end());

  const auto schema = Schema::compile(as_text(text));
  if (!schema) {
    TIDEGATE_ASSERT(schema.error().code == ErrorCode::invalid_record && !schema.error().message.empty());
    return 0;
  }
  TIDEGATE_ASSERT(schema->size_bytes() > 0);
  // A good value is none any more with a byte behind it.
  if (!check(*schema, datum).empty()) return 0;
  std::vector<std::uint8_t> longer(datum.begin(), datum.end());
  longer.push_back(0);
  TIDEGATE_ASSERT(!check(*schema, longer).empty());
  return 0;
}
