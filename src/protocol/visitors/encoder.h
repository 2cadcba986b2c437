// Visitor that writes a message, or with a SizeCounter in the Writer's place only measures it.
// Included by the messages' own .cc files alone.
//
// Values that the version cannot carry are noted as a problem while measuring; the bytes stay well
// formed, so that a slip of ours does not cost the client its connection.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/assert.h"
#include "tidegate/base/error_code.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/base/uuid.h"
#include "tidegate/protocol/fields.h"
#include "tidegate/protocol/records.h"
#include "tidegate/protocol/writer.h"
#include "visitors/min_size.h"

namespace tidegate::protocol::detail {

struct EncodeContext {
  WireForm form;
  std::string problem;  // the first one

  void note(std::string_view field, std::string_view what);
};

template <class Sink, FieldStruct T>
void encode_struct(Sink& out, EncodeContext& context, const T& value);

// Length or count of something present; null is below.
template <class Sink>
void encode_string_length(Sink& out, const EncodeContext& context, std::size_t length) {
  if (context.form.flexible) {
    out.unsigned_varint(static_cast<std::uint32_t>(length + 1));
  } else {
    out.int16(static_cast<std::int16_t>(length));
  }
}
template <class Sink>
void encode_length(Sink& out, const EncodeContext& context, std::size_t length) {
  if (context.form.flexible) {
    out.unsigned_varint(static_cast<std::uint32_t>(length + 1));
  } else {
    out.int32(static_cast<std::int32_t>(length));
  }
}

template <class Sink>
void encode_value(Sink& out, EncodeContext&, std::int8_t value) {
  out.int8(value);
}
template <class Sink>
void encode_value(Sink& out, EncodeContext&, std::int16_t value) {
  out.int16(value);
}
template <class Sink>
void encode_value(Sink& out, EncodeContext&, std::int32_t value) {
  out.int32(value);
}
template <class Sink>
void encode_value(Sink& out, EncodeContext&, std::int64_t value) {
  out.int64(value);
}
template <class Sink>
void encode_value(Sink& out, EncodeContext&, std::uint16_t value) {
  out.int16(static_cast<std::int16_t>(value));
}
template <class Sink>
void encode_value(Sink& out, EncodeContext&, double value) {
  out.int64(std::bit_cast<std::int64_t>(value));
}
template <class Sink>
void encode_value(Sink& out, EncodeContext&, bool value) {
  out.int8(value ? 1 : 0);
}
template <class Sink>
void encode_value(Sink& out, EncodeContext&, const Uuid& value) {
  out.uuid(value);
}
template <class Sink>
void encode_value(Sink& out, EncodeContext&, ErrorCode value) {
  out.int16(static_cast<std::int16_t>(value));
}

// The part of a string that fits the protocol's 32767 bytes.
std::string_view clip_string(EncodeContext& context, std::string_view text);

template <class Sink>
void encode_value(Sink& out, EncodeContext& context, const std::string& value) {
  const std::string_view text = clip_string(context, value);
  encode_string_length(out, context, text.size());
  out.copy(as_bytes(text));
}
template <class Sink>
void encode_value(Sink& out, EncodeContext& context, const std::vector<std::uint8_t>& value) {
  encode_length(out, context, value.size());
  out.copy(value);
}
template <class Sink>
void encode_value(Sink& out, EncodeContext& context, const SharedBuffer& value) {
  encode_length(out, context, value.size());
  out.append(value);
}
template <class Sink>
void encode_value(Sink& out, EncodeContext& context, const RecordChunks& value) {
  encode_length(out, context, value.size_bytes());
  for (const SharedBuffer& chunk : value.chunks) out.append(chunk);
}
template <class Sink, FieldStruct T>
void encode_value(Sink& out, EncodeContext& context, const T& value) {
  encode_struct(out, context, value);
}
template <class Sink, class T>
void encode_value(Sink& out, EncodeContext& context, const std::vector<T>& value) {
  encode_length(out, context, value.size());
  for (const T& element : value) encode_value(out, context, element);
}

template <class Sink, class T>
void encode_null(Sink& out, const EncodeContext& context, const std::optional<T>&) {
  if constexpr (FieldStruct<T>) {
    out.int8(-1);
  } else if (context.form.flexible) {
    out.unsigned_varint(0);
  } else if constexpr (std::same_as<T, std::string>) {
    out.int16(-1);
  } else {
    out.int32(-1);
  }
}

template <class Sink, class T>
void encode_field(Sink& out, EncodeContext& context, std::string_view, const T& value, const FieldOptions&) {
  encode_value(out, context, value);
}
template <class Sink, class T>
void encode_field(Sink& out, EncodeContext& context, std::string_view name, const std::optional<T>& value,
                  const FieldOptions& options) {
  if (!value && context.form.version >= options.nullable_since) {
    encode_null(out, context, value);
    return;
  }
  if (!value) context.note(name, "is null");
  if constexpr (FieldStruct<T>) out.int8(1);
  encode_value(out, context, value ? *value : T{});
}

// Writes the plain fields, counts the tagged ones that are to be sent, and notes values that no field
// of this version can carry.
template <class Sink>
struct PlainFieldEncoder {
  Sink& out;
  EncodeContext& context;
  MemberDefaults defaults;
  std::uint32_t tags = 0;

  template <class T>
  void field(std::string_view name, const T& value, const FieldOptions& options = {}) {
    if (!options.is_in(context.form.version)) {
      if (!options.ignorable && !defaults.is_default(value)) context.note(name, "is set");
    } else if (!options.is_tagged()) {
      encode_field(out, context, name, value, options);
    } else if (!defaults.is_default(value)) {
      ++tags;
    }
  }
};

template <class Sink>
struct TaggedFieldEncoder {
  Sink& out;
  EncodeContext& context;
  MemberDefaults defaults;
  int previous = -1;

  template <class T>
  void field(std::string_view name, const T& value, const FieldOptions& options = {}) {
    if (!options.is_tagged() || !options.is_in(context.form.version) || defaults.is_default(value)) return;
    TIDEGATE_ASSERT(options.tag > previous);
    previous = options.tag;
    SizeCounter size;
    encode_field(size, context, name, value, options);
    out.unsigned_varint(static_cast<std::uint32_t>(options.tag));
    out.unsigned_varint(static_cast<std::uint32_t>(size.total_bytes()));
    encode_field(out, context, name, value, options);
  }
};

template <class Sink, FieldStruct T>
void encode_struct(Sink& out, EncodeContext& context, const T& value) {
  PlainFieldEncoder<Sink> plain{out, context, MemberDefaults(value)};
  T::fields(value, plain);
  if (!context.form.flexible) return;
  out.unsigned_varint(plain.tags);
  if (plain.tags == 0) return;
  TaggedFieldEncoder<Sink> tagged{out, context, MemberDefaults(value)};
  T::fields(value, tagged);
}

}  // namespace tidegate::protocol::detail
