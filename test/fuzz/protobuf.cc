// Protobuf: a schema of unknown origin compiles or is refused, and any bytes are a record of it or are not,
// as libprotobuf says too where it makes something of the schema. An input is a schema's text, a byte 0xff
// (which no text has), and a message path with a message.
#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protobuf/message_path.h"
#include "protobuf/protobuf_check.h"
#include "tidegate/base/assert.h"

namespace {

using namespace tidegate;
namespace pb = google::protobuf;

class Ignored final : public pb::io::ErrorCollector, public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(int, pb::io::ColumnNumber, const std::string&) override {}
  void AddError(const std::string&, const std::string&, const pb::Message*, ErrorLocation,
                const std::string&) override {}
};

// libprotobuf's verdict on a message of the first type; nullopt: it has none.
std::optional<bool> peer_takes(std::string_view text, ByteView message) {
  Ignored errors;
  pb::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  pb::io::Tokenizer tokens(&stream, &errors);
  pb::FileDescriptorProto file;
  file.set_name("<peer>");
  if (!pb::compiler::Parser().Parse(&tokens, &file)) return std::nullopt;
  pb::DescriptorPool pool(pb::DescriptorPool::generated_pool());
  const pb::FileDescriptor* built = pool.BuildFileCollectingErrors(file, &errors);
  if (built == nullptr || built->message_type_count() == 0) return std::nullopt;
  pb::DynamicMessageFactory factory(&pool);
  const std::unique_ptr<pb::Message> into(factory.GetPrototype(built->message_type(0))->New());
  return into->ParseFromArray(message.data(), static_cast<int>(message.size()));
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  pb::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidegate::schema::protobuf;
  const ByteView input(data, size);
  const auto split = std::ranges::find(input, std::uint8_t{0xff});
  const ByteView text(input.begin(), split);
  const ByteView record = split == input.end() ? ByteView() : ByteView(split + 1, input.end());

  const auto schema = Schema::compile(as_text(text));
  if (!schema) {
    TIDEGATE_ASSERT(schema.error().code == ErrorCode::invalid_record && !schema.error().message.empty());
    return 0;
  }
  TIDEGATE_ASSERT(schema->size_bytes() > 0);
  const bool good = check(*schema, record).empty();
  const MessagePath path = read_message_path(record, schema->nesting());
  if (!path.problem.empty()) {
    TIDEGATE_ASSERT(!good);
    return 0;
  }
  // A good record is none any more with a field number 0 behind it.
  if (good) {
    std::vector<std::uint8_t> longer(record.begin(), record.end());
    longer.push_back(0);
    TIDEGATE_ASSERT(!check(*schema, longer).empty());
  }
  const std::uint32_t first = schema->find(std::vector<std::uint32_t>{0}).first;
  if (const auto theirs = peer_takes(as_text(text), path.message)) {
    TIDEGATE_ASSERT(check_message(*schema, first, path.message).empty() == *theirs);
  }
  return 0;
}
