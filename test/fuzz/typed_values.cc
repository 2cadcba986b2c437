// Typed columns of a schema of unknown origin. A valid value comes back byte for byte, proved or not; bytes
// that somebody else stored are refused, or are columns of a value that the schema allows. An input is a
// schema's text (Avro), a byte 0xff, and bytes that are taken once for a value and once for what is stored.
#include <algorithm>
#include <string>

#include "format/record_value.h"
#include "tidegate/base/assert.h"
#include "typed_value.h"

namespace {

using namespace tidegate;
using namespace tidegate::schema;

const storage::seaweedmq::RecordValueFormat kFormat;
constexpr std::int32_t kId = 7;

void store_and_get_back(const CompiledSchema& schema, const DeclaredColumns& declared, ByteView datum) {
  std::string value{'\0', '\0', '\0', '\0', static_cast<char>(kId)};
  value.append(as_text(datum));
  const Framed framed = unframe(Field::value, as_bytes(value), {});
  TIDEGATE_ASSERT(framed.problem.empty() && framed.id == kId);
  ValueWriter writer(kFormat, declared);
  const TypedValue made = writer.make(as_bytes(value), framed, &schema);
  const auto back = value_of(kFormat, as_bytes(made.stored),
                             [&](std::int32_t id) { return id == kId ? &schema : nullptr; });
  TIDEGATE_ASSERT(back && *back == value);
}

void read_what_is_stored(const CompiledSchema& schema, ByteView stored) {
  if (const auto value = value_of(kFormat, stored, [&](std::int32_t) { return &schema; }); !value)
    TIDEGATE_ASSERT(value.error().code == ErrorCode::corrupt_message && !value.error().message.empty());
  const ValueColumns* const columns = schema.value_columns({});
  const auto record = kFormat.decode(stored);
  if (!record) {
    TIDEGATE_ASSERT(record.error().code == ErrorCode::corrupt_message);
    return;
  }
  if (columns == nullptr) return;
  std::string body;
  if (!columns->write(*record, body)) return;
  TIDEGATE_ASSERT(schema.check(as_bytes(body)).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  const auto split = std::ranges::find(input, std::uint8_t{0xff});
  const ByteView text(input.begin(), split);
  const ByteView rest = split == input.end() ? ByteView() : ByteView(split + 1, input.end());

  const auto schema = compile_schema(
      {.type = SchemaType::avro, .text = std::string(as_text(text)), .references = {}}, {}, {});
  if (!schema) return 0;
  if ((*schema)->check(rest).empty()) {
    // A topic without columns, then one that has those of the schema.
    DeclaredColumns declared;
    store_and_get_back(**schema, declared, rest);
    if (const ValueColumns* const columns = (*schema)->value_columns({}); columns != nullptr) {
      add_columns(declared, declarable(*columns));
      store_and_get_back(**schema, declared, rest);
    }
  }
  read_what_is_stored(**schema, rest);
  return 0;
}
