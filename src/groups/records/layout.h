// How values of records are laid out: one function a type, used for counting, writing and reading alike,
// so that the three cannot differ. Byte tables: docs/group-records.md.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "tidegate/base/bytes.h"
#include "tidegate/groups/record.h"
#include "tidegate/protocol/reader.h"
#include "tidegate/protocol/writer.h"

namespace tidegate::groups {

// Over a SizeCounter or a Writer: what it visits is written.
template <class Sink>
class Out {
 public:
  explicit Out(Sink& sink) : sink_(sink) {}

  void i8(std::int8_t value) { sink_.int8(value); }
  void i32(std::int32_t value) { sink_.int32(value); }
  void i64(std::int64_t value) { sink_.int64(value); }
  void id(const Uuid& value) { sink_.uuid(value); }
  void text(std::string_view value) { bytes(as_bytes(value)); }
  void blob(const Bytes& value) { bytes(value); }
  void maybe_text(const std::optional<std::string>& value) {
    if (value) return text(*value);
    sink_.unsigned_varint(0);
  }
  template <class Enum>
  void one_of(Enum value, Enum /*last*/) {
    i8(static_cast<std::int8_t>(value));
  }
  template <class T, class Each>
  void list(const std::vector<T>& values, Each each) {
    sink_.unsigned_varint(static_cast<std::uint32_t>(values.size()) + 1);
    for (const auto& value : values) each(*this, value);
  }
  bool has(bool present) {
    i8(present ? 1 : 0);
    return present;
  }

 private:
  void bytes(ByteView value) {
    sink_.unsigned_varint(static_cast<std::uint32_t>(value.size()) + 1);
    sink_.copy(value);
  }
  Sink& sink_;
};

// Over a Reader: what it visits is filled in. Zero and empty after the first mistake.
class In {
 public:
  explicit In(protocol::Reader& reader) : reader_(reader) {}

  void i8(std::int8_t& value) { value = reader_.int8(); }
  void i32(std::int32_t& value) { value = reader_.int32(); }
  void i64(std::int64_t& value) { value = reader_.int64(); }
  void id(Uuid& value) { value = reader_.uuid(); }
  void text(std::string& value) { value = as_text(bytes()); }
  void blob(Bytes& value) {
    const auto view = bytes();
    value.assign(view.begin(), view.end());
  }
  void maybe_text(std::optional<std::string>& value) {
    const auto length = reader_.bytes_length(true);
    if (length >= 0) value = as_text(reader_.view(static_cast<std::size_t>(length)));
  }
  template <class Enum>
  void one_of(Enum& value, Enum last) {
    const auto number = reader_.int8();
    if (number < 0 || number > static_cast<std::int8_t>(last)) return reader_.fail("no such alternative");
    value = static_cast<Enum>(number);
  }
  // Every element takes a byte at least, so that a count beyond the bytes is a lie.
  template <class T, class Each>
  void list(std::vector<T>& values, Each each) {
    const auto count = reader_.array_count(true);
    if (count < 0 || static_cast<std::size_t>(count) > reader_.remaining()) return reader_.fail("bad count");
    for (std::int32_t i = 0; i < count && reader_.ok(); ++i) each(*this, values.emplace_back());
  }
  bool has(bool) { return reader_.boolean(); }

 private:
  ByteView bytes() {
    const auto length = reader_.bytes_length(true);
    if (length < 0) reader_.fail("null where a value must be");
    return reader_.view(length < 0 ? 0 : static_cast<std::size_t>(length));
  }
  protocol::Reader& reader_;
};

inline constexpr auto kEachText = [](auto& io, auto& value) { io.text(value); };
inline constexpr auto kEachPartitions = [](auto& io, auto& value) {
  io.id(value.topic);
  io.list(value.partitions, [](auto& inner, auto& partition) { inner.i32(partition); });
};
inline constexpr auto kEachProtocol = [](auto& io, auto& value) {
  io.text(value.name);
  io.blob(value.metadata);
};

template <class Io, class Head>
  requires std::is_same_v<std::remove_const_t<Head>, ClassicHead>
void layout(Io& io, Head& head) {
  io.one_of(head.phase, ClassicPhase::stable);
  io.i32(head.generation);
  io.maybe_text(head.protocol_type);
  io.maybe_text(head.protocol);
  io.maybe_text(head.leader);
  io.i64(head.phase_since_ms);
}

template <class Io, class Member>
  requires std::is_same_v<std::remove_const_t<Member>, ClassicMemberData>
void layout(Io& io, Member& member) {
  io.maybe_text(member.instance_id);
  io.text(member.client_id);
  io.text(member.client_host);
  io.i32(member.session_timeout_ms);
  io.i32(member.rebalance_timeout_ms);
  io.list(member.protocols, kEachProtocol);
}

template <class Io, class Head>
  requires std::is_same_v<std::remove_const_t<Head>, ConsumerHead>
void layout(Io& io, Head& head) {
  io.i32(head.group_epoch);
  io.i32(head.target_epoch);
  auto hash = static_cast<std::int64_t>(head.topics_hash);
  io.i64(hash);
  if constexpr (!std::is_const_v<Head>) head.topics_hash = static_cast<std::uint64_t>(hash);
  io.text(head.assignor);
  io.i64(head.empty_since_ms);
}

template <class Io, class Member>
  requires std::is_same_v<std::remove_const_t<Member>, ConsumerMemberData>
void layout(Io& io, Member& member) {
  io.maybe_text(member.instance_id);
  io.maybe_text(member.rack_id);
  io.text(member.client_id);
  io.text(member.client_host);
  io.i32(member.rebalance_timeout_ms);
  io.list(member.subscribed_topics, kEachText);
  io.maybe_text(member.subscribed_regex);
  io.maybe_text(member.assignor);
  if (!io.has(member.classic.has_value())) return;
  if constexpr (!std::is_const_v<Member>) member.classic.emplace();
  io.i32(member.classic->session_timeout_ms);
  io.list(member.classic->protocols, kEachProtocol);
}

template <class Io, class Assignment>
  requires std::is_same_v<std::remove_const_t<Assignment>, CurrentAssignment>
void layout(Io& io, Assignment& assignment) {
  io.i32(assignment.member_epoch);
  io.i32(assignment.previous_epoch);
  io.one_of(assignment.state, ReconcileState::unreleased_partitions);
  io.list(assignment.assigned, kEachPartitions);
  io.list(assignment.revoking, kEachPartitions);
}

template <class Io, class Regex>
  requires std::is_same_v<std::remove_const_t<Regex>, ResolvedRegex>
void layout(Io& io, Regex& regex) {
  io.list(regex.topics, kEachText);
  io.i64(regex.resolved_at_ms);
}

template <class Io, class Value>
  requires std::is_same_v<std::remove_const_t<Value>, CommittedOffset>
void layout(Io& io, Value& value) {
  io.i64(value.offset);
  io.i32(value.leader_epoch);
  io.text(value.metadata);
  io.i64(value.committed_at_ms);
  io.i64(value.expires_at_ms);
  io.id(value.topic_id);
}

template <class Io, class Value>
  requires std::is_same_v<std::remove_const_t<Value>, std::vector<TopicPartitions>>
void layout(Io& io, Value& value) {
  io.list(value, kEachPartitions);
}

template <class Io, class Value>
  requires std::is_same_v<std::remove_const_t<Value>, Bytes>
void layout(Io& io, Value& value) {
  io.blob(value);
}

}  // namespace tidegate::groups
