// Consumer protocol bytes, by hand on Reader and Writer: the metadata has a version in front instead of a
// request header, and readers must take versions that do not exist yet.
#include "tidegate/groups/consumer_protocol.h"

#include <algorithm>
#include <limits>

#include "tidegate/base/assert.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/protocol/reader.h"
#include "tidegate/protocol/writer.h"

namespace tidegate::groups {
namespace {

using protocol::Reader;
using protocol::SizeCounter;
using protocol::Writer;

// Members' metadata comes in requests that are bounded already; decoded it may be some times its size.
constexpr std::size_t kDecodedBytesLimit = std::size_t{64} << 20U;

Reader reader_of(ByteView bytes) { return Reader(SharedBuffer::copy_of(bytes), kDecodedBytesLimit); }

std::optional<std::string> read_string(Reader& in) {
  const auto length = in.string_length(false);
  if (length < 0) return std::nullopt;
  const auto size = static_cast<std::size_t>(length);
  if (!in.charge(size)) return std::nullopt;
  return std::string(as_text(in.view(size)));
}

std::string read_name(Reader& in) {
  auto text = read_string(in);
  if (!text && in.ok()) in.fail("null where a name belongs");
  return std::move(text).value_or("");
}

std::optional<std::vector<std::uint8_t>> read_bytes(Reader& in) {
  const auto length = in.bytes_length(false);
  if (length < 0) return std::nullopt;
  const auto size = static_cast<std::size_t>(length);
  if (!in.charge(size)) return std::nullopt;
  const auto view = in.view(size);
  return std::vector<std::uint8_t>(view.begin(), view.end());
}

template <class ReadOne>
void read_array(Reader& in, std::size_t least_bytes, std::size_t memory_each, ReadOne read_one) {
  const auto count = in.array_count(false);
  if (count < 0) {
    if (in.ok()) in.fail("null array");
    return;
  }
  const auto size = static_cast<std::size_t>(count);
  in.promise(size, least_bytes);
  if (!in.ok() || !in.charge(size * memory_each)) return;
  for (std::size_t i = 0; i < size && in.ok(); ++i) {
    in.redeem(least_bytes);
    read_one();
  }
}

std::vector<NamedTopicPartitions> read_partitions(Reader& in) {
  std::vector<NamedTopicPartitions> topics;
  read_array(in, 6, sizeof(NamedTopicPartitions), [&] {
    auto& topic = topics.emplace_back();
    topic.topic = read_name(in);
    read_array(in, 4, sizeof(std::int32_t), [&] { topic.partitions.push_back(in.int32()); });
  });
  return topics;
}

std::int16_t read_version(Reader& in, std::int16_t highest) {
  const auto version = in.int16();
  if (in.ok() && version < 0) in.fail("version below 0");
  return std::min(version, highest);
}

template <class Sink>
void write_string(Sink& out, const std::string& text) {
  TIDEGATE_ASSERT(text.size() <= std::numeric_limits<std::int16_t>::max());
  out.int16(static_cast<std::int16_t>(text.size()));
  out.copy(as_bytes(text));
}

template <class Sink>
void write_bytes(Sink& out, const std::optional<std::vector<std::uint8_t>>& bytes) {
  out.int32(bytes ? static_cast<std::int32_t>(bytes->size()) : -1);
  if (bytes) out.copy(*bytes);
}

template <class Sink>
void write_partitions(Sink& out, const std::vector<NamedTopicPartitions>& topics) {
  out.int32(static_cast<std::int32_t>(topics.size()));
  for (const auto& topic : topics) {
    write_string(out, topic.topic);
    out.int32(static_cast<std::int32_t>(topic.partitions.size()));
    for (const auto partition : topic.partitions) out.int32(partition);
  }
}

template <class Sink>
void write(Sink& out, const ConsumerProtocolSubscription& subscription, std::int16_t version) {
  out.int16(version);
  out.int32(static_cast<std::int32_t>(subscription.topics.size()));
  for (const auto& topic : subscription.topics) write_string(out, topic);
  write_bytes(out, subscription.user_data);
  if (version >= 1) write_partitions(out, subscription.owned_partitions);
  if (version >= 2) out.int32(subscription.generation_id);
  if (version >= 3) {
    if (subscription.rack_id) {
      write_string(out, *subscription.rack_id);
    } else {
      out.int16(-1);
    }
  }
}

template <class Sink>
void write(Sink& out, const ConsumerProtocolAssignment& assignment, std::int16_t version) {
  out.int16(version);
  write_partitions(out, assignment.assigned_partitions);
  write_bytes(out, assignment.user_data);
}

template <class Message>
std::vector<std::uint8_t> encode(const Message& message, std::int16_t version) {
  TIDEGATE_ASSERT(version >= 0 && version <= Message::kHighestVersion);
  SizeCounter size;
  write(size, message, version);
  Writer out(size.inline_bytes());
  write(out, message, version);
  std::vector<std::uint8_t> bytes;
  bytes.reserve(size.inline_bytes());
  for (const auto& slice : std::move(out).finish()) {
    bytes.insert(bytes.end(), slice.bytes().begin(), slice.bytes().end());
  }
  return bytes;
}

}  // namespace

Result<std::int16_t> consumer_protocol_version(ByteView bytes) {
  auto in = reader_of(bytes.first(std::min<std::size_t>(bytes.size(), 2)));
  const auto version = read_version(in, std::numeric_limits<std::int16_t>::max());
  if (!in.ok()) return fail(in.error());
  return version;
}

Result<ConsumerProtocolSubscription> decode_subscription(ByteView bytes) {
  auto in = reader_of(bytes);
  ConsumerProtocolSubscription subscription;
  const auto version = read_version(in, ConsumerProtocolSubscription::kHighestVersion);
  read_array(in, 2, sizeof(std::string), [&] { subscription.topics.push_back(read_name(in)); });
  subscription.user_data = read_bytes(in);
  if (version >= 1) subscription.owned_partitions = read_partitions(in);
  if (version >= 2) subscription.generation_id = in.int32();
  if (version >= 3) subscription.rack_id = read_string(in);
  if (!in.ok()) return fail(in.error());
  return subscription;
}

Result<ConsumerProtocolAssignment> decode_assignment(ByteView bytes) {
  ConsumerProtocolAssignment assignment;
  if (bytes.empty()) return assignment;
  auto in = reader_of(bytes);
  read_version(in, ConsumerProtocolAssignment::kHighestVersion);
  assignment.assigned_partitions = read_partitions(in);
  assignment.user_data = read_bytes(in);
  if (!in.ok()) return fail(in.error());
  return assignment;
}

std::vector<std::uint8_t> encode_subscription(const ConsumerProtocolSubscription& subscription,
                                              std::int16_t version) {
  return encode(subscription, version);
}

std::vector<std::uint8_t> encode_assignment(const ConsumerProtocolAssignment& assignment,
                                            std::int16_t version) {
  return encode(assignment, version);
}

}  // namespace tidegate::groups
