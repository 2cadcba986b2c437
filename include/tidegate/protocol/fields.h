// How a message declares its layout: once, in a static fields() that names each member with the
// versions that carry it. Decoder, encoder, sizer and the tests' JSON printer, random filler and
// schema dump are visitors over that one list. docs/adding-an-api.md shows the whole way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace tidegate::protocol {

inline constexpr std::int16_t kEveryVersion = std::numeric_limits<std::int16_t>::max();

struct FlexibleFrom {
  std::int16_t version = kEveryVersion;
};
// First version with compact lengths and tagged fields (KIP-482).
constexpr FlexibleFrom flexible_from(std::int16_t version) { return {version}; }
constexpr FlexibleFrom never_flexible() { return {}; }

// The versions of one message that this codec speaks: exactly those with golden bytes.
struct Versions {
  std::int16_t min = 0;
  std::int16_t max = 0;
  FlexibleFrom flexible;

  constexpr bool contains(std::int16_t version) const { return version >= min && version <= max; }
  constexpr bool is_flexible(std::int16_t version) const { return version >= flexible.version; }
};

struct FieldOptions {
  std::int16_t since = 0;              // first version that carries the field
  std::int16_t until = kEveryVersion;  // last one
  std::int16_t nullable_since = 0;     // std::optional members: first version that allows null
  // May hold a value in a version that lacks it, which then is not sent. Without this such a value is
  // an encode error, because the peer would act on something else than what was meant.
  bool ignorable = false;
  int tag = -1;  // KIP-482 tagged field; among themselves declared in ascending order

  constexpr bool is_in(std::int16_t version) const { return version >= since && version <= until; }
  constexpr bool is_tagged() const { return tag >= 0; }
};

namespace detail {
struct AnyVisitor {
  template <class T>
  void field(std::string_view, T&, FieldOptions = {}) {}
};
}  // namespace detail

// A type with a fields() list: a message or a struct nested in one.
template <class T>
concept FieldStruct = requires(T& value, detail::AnyVisitor& visitor) { T::fields(value, visitor); };

// Default member values are the protocol's defaults: what an absent field means.
template <FieldStruct T>
const T& default_of() {
  static const T value{};
  return value;
}

// Whether a member has its default, asked inside fields(): the same member of a default-made struct is
// found by its place. That keeps a default in one spot, the initialiser, and out of the field list.
class MemberDefaults {
 public:
  template <FieldStruct T>
  explicit MemberDefaults(const T& value)
      : base_(reinterpret_cast<const std::byte*>(&value)),
        defaults_(reinterpret_cast<const std::byte*>(&default_of<T>())) {}
  template <class T>
  bool is_default(const T& member) const {
    const std::ptrdiff_t place = reinterpret_cast<const std::byte*>(&member) - base_;
    return member == *reinterpret_cast<const T*>(defaults_ + place);
  }

 private:
  const std::byte* base_;
  const std::byte* defaults_;
};

}  // namespace tidegate::protocol
