// Visitor that fills a message from a Reader. Included by the messages' own .cc files alone.
//
// A struct is read in one pass over its plain fields and then, in flexible versions, its tagged
// section: known tags by looking the tag up in fields(), unknown ones skipped by their size.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/base/uuid.h"
#include "tidegate/protocol/fields.h"
#include "tidegate/protocol/reader.h"
#include "tidegate/protocol/records.h"
#include "visitors/min_size.h"

namespace tidegate::protocol::detail {

// The size of one tag's content; 0 after a failure. `previous` starts at -1.
std::size_t next_tag(Reader& in, std::int64_t& previous);
// A tagged section none of whose tags is known.
void skip_tagged_section(Reader& in);

template <FieldStruct T>
void decode_struct(Reader& in, WireForm form, T& out);

inline void decode_value(Reader& in, WireForm, std::int8_t& out) { out = in.int8(); }
inline void decode_value(Reader& in, WireForm, std::int16_t& out) { out = in.int16(); }
inline void decode_value(Reader& in, WireForm, std::int32_t& out) { out = in.int32(); }
inline void decode_value(Reader& in, WireForm, std::int64_t& out) { out = in.int64(); }
inline void decode_value(Reader& in, WireForm, std::uint16_t& out) {
  out = static_cast<std::uint16_t>(in.int16());
}
inline void decode_value(Reader& in, WireForm, double& out) { out = std::bit_cast<double>(in.int64()); }
inline void decode_value(Reader& in, WireForm, bool& out) { out = in.boolean(); }
inline void decode_value(Reader& in, WireForm, Uuid& out) { out = in.uuid(); }
inline void decode_value(Reader& in, WireForm, ErrorCode& out) { out = static_cast<ErrorCode>(in.int16()); }

// These give false for null and leave `out` as it was.
bool decode_nullable(Reader& in, WireForm form, std::string& out);
bool decode_nullable(Reader& in, WireForm form, std::vector<std::uint8_t>& out);
bool decode_nullable(Reader& in, WireForm form, SharedBuffer& out);
bool decode_nullable(Reader& in, WireForm form, RecordChunks& out);

template <FieldStruct T>
void decode_value(Reader& in, WireForm form, T& out) {
  decode_struct(in, form, out);
}

// The one marker byte of a nullable struct is the same in every version.
template <FieldStruct T>
bool decode_nullable(Reader& in, WireForm form, T& out) {
  const std::int8_t marker = in.int8();
  if (marker < 0 || !in.ok()) return false;
  decode_struct(in, form, out);
  return true;
}

template <class T>
  requires(!std::same_as<T, std::uint8_t>)
bool decode_nullable(Reader& in, WireForm form, std::vector<T>& out) {
  const std::int32_t count = in.array_count(form.flexible);
  if (count < 0 || !in.ok()) return false;
  const std::size_t each_bytes = min_size_of<T>(form);
  in.promise(static_cast<std::size_t>(count), each_bytes);
  if (!in.charge(static_cast<std::size_t>(count) * sizeof(T))) return true;
  out.reserve(static_cast<std::size_t>(count));
  for (std::int32_t i = 0; i < count; ++i) {
    in.redeem(each_bytes);
    decode_value(in, form, out.emplace_back());
    if (!in.ok()) {
      in.add_path(static_cast<std::size_t>(i));
      return true;
    }
  }
  return true;
}

template <class T>
concept NullableOnTheWire =
    requires(Reader& in, WireForm form, T& value) { decode_nullable(in, form, value); };

// A type that can be null on the wire, in a place that does not allow it. (Structs can stand without
// the marker byte, so they have an overload of their own above.)
template <class T>
  requires(NullableOnTheWire<T> && !FieldStruct<T>)
void decode_value(Reader& in, WireForm form, T& out) {
  if (!decode_nullable(in, form, out)) in.fail("null is not allowed here");
}

template <class T>
void decode_field(Reader& in, WireForm form, T& out, const FieldOptions&) {
  decode_value(in, form, out);
}
template <class T>
void decode_field(Reader& in, WireForm form, std::optional<T>& out, const FieldOptions& options) {
  // Not emplace(): a struct nested in its message does not count as default constructible while the
  // message is being defined, and std::optional remembers that.
  out = T{};
  if (decode_nullable(in, form, *out)) return;
  out.reset();
  if (form.version < options.nullable_since) in.fail("null is not allowed in this version");
}

struct PlainFieldDecoder {
  Reader& in;
  WireForm form;

  template <class T>
  void field(std::string_view name, T& value, const FieldOptions& options = {}) {
    if (!in.ok() || options.is_tagged() || !options.is_in(form.version)) return;
    decode_field(in, form, value, options);
    if (!in.ok()) in.add_path(name);
  }
};

struct TaggedFieldDecoder {
  Reader& in;
  WireForm form;
  std::int64_t tag = 0;
  bool found = false;

  template <class T>
  void field(std::string_view name, T& value, const FieldOptions& options = {}) {
    if (options.tag != tag || !options.is_in(form.version)) return;
    found = true;
    decode_field(in, form, value, options);
    if (in.ok() && in.remaining() > 0) in.fail("tagged field has bytes behind its end");
    if (!in.ok()) in.add_path(name);
  }
};

template <FieldStruct T>
void decode_tagged_section(Reader& in, WireForm form, T& out) {
  const std::uint32_t count = in.unsigned_varint();
  std::int64_t tag = -1;
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    const std::size_t size = next_tag(in, tag);
    const std::size_t outer_end = in.enter(size);
    if (!in.ok()) return;
    TaggedFieldDecoder visitor{in, form, tag};
    T::fields(out, visitor);
    if (!visitor.found) in.skip(size);
    in.leave(outer_end);
  }
}

template <FieldStruct T>
void decode_struct(Reader& in, WireForm form, T& out) {
  PlainFieldDecoder visitor{in, form};
  T::fields(out, visitor);
  if (form.flexible && in.ok()) decode_tagged_section(in, form, out);
}

}  // namespace tidegate::protocol::detail
