// JSON Schema: a schema of unknown origin compiles or is refused, and any bytes are a value of it or are not.
// An input is a schema's text, a byte 0xff (which no text has), and a record.
#include <algorithm>
#include <vector>

#include "json_schema/json_check.h"
#include "tidegate/base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidegate;
  using namespace tidegate::schema::json_schema;
  const ByteView input(data, size);
  const auto split = std::ranges::find(input, std::uint8_t{0xff});
  const ByteView text(input.begin(), split);
  const ByteView record = split == input.end() ? ByteView() : ByteView(split + 1, input.end());

  // It can refer to itself by a name, too.
  const std::vector<NamedSchema> references{{"again.json", std::string(as_text(text))}};
  auto schema = Schema::compile(as_text(text), references, {.max_types = 1000, .max_pattern_bytes = 16'384});
  if (!schema) {
    TIDEGATE_ASSERT(schema.error().code == ErrorCode::invalid_record && !schema.error().message.empty());
    schema = Schema::compile(as_text(text), {}, {.max_types = 1000, .max_pattern_bytes = 16'384});
    if (!schema) return 0;
  }
  TIDEGATE_ASSERT(schema->size_bytes() > 0);
  const CheckLimits limits{.max_steps = 20'000};
  // A good value stays one with white space around it, and is none any more with something else behind it.
  const bool good = check(*schema, record, limits).empty();
  std::vector<std::uint8_t> longer(record.begin(), record.end());
  longer.push_back(' ');
  TIDEGATE_ASSERT(check(*schema, longer, limits).empty() == good);
  longer.push_back(']');
  TIDEGATE_ASSERT(!good || !check(*schema, longer, limits).empty());
  return 0;
}
