// Records as entries of the MetaStore: keys, and which value stands behind which key. The first byte of a
// key is its kind; the kinds are in the order in which a group is put together again.
#include "tidegate/groups/record.h"

#include <fmt/format.h>

#include <utility>

#include "records/layout.h"

namespace tidegate::groups {
namespace {

using protocol::Reader;
using protocol::SizeCounter;
using protocol::Writer;

constexpr std::int8_t kVersion = 1;
// Both heads have one key: a group is of one kind. Their values begin with which.
constexpr char kHead = '0';
constexpr char kClassicMember = '1';
constexpr char kClassicAssignment = '2';
constexpr char kConsumerMember = '3';
constexpr char kTarget = '4';
constexpr char kCurrent = '5';
constexpr char kRegex = '6';
constexpr char kOffset = '7';
constexpr std::int8_t kClassicHeadTag = 1;
constexpr std::int8_t kConsumerHeadTag = 2;
constexpr std::size_t kPartitionBytes = 4;

std::string key_of(char kind, std::string_view name = {}) {
  std::string key;
  key.reserve(1 + name.size());
  key += kind;
  key += name;
  return key;
}

// Topic names hold no NUL; big-endian keeps the partitions of a topic in order.
std::string offset_key(std::string_view topic, std::int32_t partition) {
  auto key = key_of(kOffset, topic);
  key += '\0';
  for (int shift = 24; shift >= 0; shift -= 8) {
    key += static_cast<char>(static_cast<std::uint32_t>(partition) >> shift & 0xffU);
  }
  return key;
}

// `tag` is the byte that tells the heads apart; others have none.
template <class T>
std::string value_of(const T& content, std::int8_t tag = 0) {
  SizeCounter counter;
  Out<SizeCounter> count(counter);
  layout(count, content);
  Writer writer(counter.inline_bytes() + (tag == 0 ? 1 : 2));
  writer.int8(kVersion);
  if (tag != 0) writer.int8(tag);
  Out<Writer> write(writer);
  layout(write, content);
  const auto buffers = std::move(writer).finish();
  return std::string(as_text(buffers.front().bytes()));
}

struct Encoder {
  std::vector<StoredOp>& out;

  void operator()(const PutClassicHead& r) const { put(key_of(kHead), value_of(r.head, kClassicHeadTag)); }
  void operator()(const PutClassicMember& r) const {
    put(key_of(kClassicMember, r.member.member_id), value_of(r.member));
  }
  void operator()(const PutClassicAssignment& r) const {
    put(key_of(kClassicAssignment, r.member_id), value_of(r.assignment));
  }
  void operator()(const EraseClassicMember& r) const {
    erase(key_of(kClassicMember, r.member_id));
    erase(key_of(kClassicAssignment, r.member_id));
  }
  void operator()(const PutConsumerHead& r) const { put(key_of(kHead), value_of(r.head, kConsumerHeadTag)); }
  void operator()(const PutConsumerMember& r) const {
    put(key_of(kConsumerMember, r.member.member_id), value_of(r.member));
  }
  // Nothing stored is nothing assigned.
  void operator()(const PutTargetAssignment& r) const {
    if (r.partitions.empty()) return erase(key_of(kTarget, r.member_id));
    put(key_of(kTarget, r.member_id), value_of(r.partitions));
  }
  void operator()(const PutCurrentAssignment& r) const {
    put(key_of(kCurrent, r.member_id), value_of(r.assignment));
  }
  void operator()(const EraseConsumerMember& r) const {
    erase(key_of(kConsumerMember, r.member_id));
    erase(key_of(kTarget, r.member_id));
    erase(key_of(kCurrent, r.member_id));
  }
  void operator()(const PutRegex& r) const { put(key_of(kRegex, r.regex), value_of(r.resolved)); }
  void operator()(const EraseRegex& r) const { erase(key_of(kRegex, r.regex)); }
  void operator()(const PutOffset& r) const { put(offset_key(r.topic, r.partition), value_of(r.value)); }
  void operator()(const EraseOffset& r) const { erase(offset_key(r.topic, r.partition)); }
  void operator()(const EraseHead&) const { erase(key_of(kHead)); }

 private:
  void put(std::string key, std::string value) const { out.push_back({std::move(key), std::move(value)}); }
  void erase(std::string key) const { out.push_back({std::move(key), std::nullopt}); }
};

std::unexpected<Error> corrupt(std::string_view why) {
  return fail(ErrorCode::corrupt_message, fmt::format("group record: {}", why));
}

template <class T>
T read(Reader& reader) {
  T content;
  In in(reader);
  layout(in, content);
  return content;
}

Result<Record> decode_head(std::string_view name, Reader& reader) {
  if (!name.empty()) return corrupt("bad key");
  const auto tag = reader.int8();
  if (tag == kClassicHeadTag) return PutClassicHead{read<ClassicHead>(reader)};
  if (tag == kConsumerHeadTag) return PutConsumerHead{read<ConsumerHead>(reader)};
  return fail(ErrorCode::unsupported_version, fmt::format("group record: head of kind {}", tag));
}

Result<Record> decode_offset(std::string_view name, Reader& reader) {
  if (name.size() <= kPartitionBytes || name[name.size() - kPartitionBytes - 1] != '\0')
    return corrupt("bad key");
  std::uint32_t partition = 0;
  for (const char byte : name.substr(name.size() - kPartitionBytes)) {
    partition = partition << 8U | static_cast<std::uint8_t>(byte);
  }
  return PutOffset{.topic = std::string(name.substr(0, name.size() - kPartitionBytes - 1)),
                   .partition = static_cast<std::int32_t>(partition),
                   .value = read<CommittedOffset>(reader)};
}

Result<Record> decode_kind(char kind, std::string_view name, Reader& reader) {
  switch (kind) {
    case kHead:
      return decode_head(name, reader);
    case kClassicMember: {
      auto member = read<ClassicMemberData>(reader);
      member.member_id = name;
      return PutClassicMember{std::move(member)};
    }
    case kClassicAssignment:
      return PutClassicAssignment{std::string(name), read<Bytes>(reader)};
    case kConsumerMember: {
      auto member = read<ConsumerMemberData>(reader);
      member.member_id = name;
      return PutConsumerMember{std::move(member)};
    }
    case kTarget:
      return PutTargetAssignment{std::string(name), read<std::vector<TopicPartitions>>(reader)};
    case kCurrent:
      return PutCurrentAssignment{std::string(name), read<CurrentAssignment>(reader)};
    case kRegex:
      return PutRegex{std::string(name), read<ResolvedRegex>(reader)};
    case kOffset:
      return decode_offset(name, reader);
    default:
      return fail(ErrorCode::unsupported_version, fmt::format("group record: key of kind {:#x}", kind));
  }
}

}  // namespace

std::string scope_of_group(std::string_view group_id) {
  return std::string(kGroupScopes) + std::string(group_id);
}

std::optional<std::string> group_of_scope(std::string_view scope) {
  if (!scope.starts_with(kGroupScopes)) return std::nullopt;
  return std::string(scope.substr(kGroupScopes.size()));
}

void encode(const Record& record, std::vector<StoredOp>& out) { std::visit(Encoder{out}, record); }

Result<Record> decode(std::string_view key, std::string_view value) {
  if (key.empty()) return corrupt("empty key");
  Reader reader(SharedBuffer::copy_of(as_bytes(value)));
  const auto version = reader.int8();
  if (!reader.ok()) return corrupt("empty value");
  if (version != kVersion) {
    return fail(ErrorCode::unsupported_version, fmt::format("group record: version {}", version));
  }
  auto record = decode_kind(key.front(), key.substr(1), reader);
  if (!reader.ok()) return corrupt(reader.error().message);
  return record;
}

}  // namespace tidegate::groups
