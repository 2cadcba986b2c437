// The fewest bytes a type can take on the wire in one version: what an array count is checked
// against before anything is reserved.
#pragma once

#include <algorithm>
#include <concepts>
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
#include "tidegate/protocol/records.h"

namespace tidegate::protocol::detail {

// What of the version decides how a value is laid out.
struct WireForm {
  std::int16_t version = 0;
  bool flexible = false;
};

template <class T>
struct MinSize;

template <class T>
std::size_t min_size_of(WireForm form) {
  // Never zero: a count has to be bounded by something.
  return std::max<std::size_t>(1, MinSize<T>::of(form));
}

template <class T>
  requires std::integral<T> || std::same_as<T, double> || std::same_as<T, ErrorCode>
struct MinSize<T> {
  static std::size_t of(WireForm) { return sizeof(T); }
};
template <>
struct MinSize<Uuid> {
  static std::size_t of(WireForm) { return 16; }
};
template <>
struct MinSize<std::string> {
  static std::size_t of(WireForm form) { return form.flexible ? 1 : 2; }
};
template <class T>
  requires std::same_as<T, SharedBuffer> || std::same_as<T, RecordChunks>
struct MinSize<T> {
  static std::size_t of(WireForm form) { return form.flexible ? 1 : 4; }
};
template <class T>
struct MinSize<std::vector<T>> {
  static std::size_t of(WireForm form) { return form.flexible ? 1 : 4; }
};
template <class T>
struct MinSize<std::optional<T>> {
  // A null takes what an empty one takes; a null struct is its marker byte.
  static std::size_t of(WireForm form) {
    if constexpr (FieldStruct<T>) {
      return 1;
    } else {
      return MinSize<T>::of(form);
    }
  }
};

struct MinSizeVisitor {
  WireForm form;
  std::size_t sum = 0;

  template <class T>
  void field(std::string_view, const T&, const FieldOptions& options = {}) {
    if (!options.is_tagged() && options.is_in(form.version)) sum += MinSize<T>::of(form);
  }
};

template <FieldStruct T>
struct MinSize<T> {
  static std::size_t of(WireForm form) {
    MinSizeVisitor visitor{form, form.flexible ? std::size_t{1} : std::size_t{0}};
    T::fields(default_of<T>(), visitor);
    return visitor.sum;
  }
};

}  // namespace tidegate::protocol::detail
