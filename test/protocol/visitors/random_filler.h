// Visitor that gives every field of a version a random value; fields that the version lacks keep
// their default, so that what is encoded is what must come back.
#pragma once

#include <array>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/base/rng.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/base/uuid.h"
#include "tidegate/protocol/fields.h"
#include "tidegate/protocol/records.h"

namespace tidegate::protocol::testkit {

struct RandomFiller {
  Rng& rng;
  std::int16_t version = 0;

  template <class T>
  void field(std::string_view, T& value, const FieldOptions& options = {}) {
    if (!options.is_in(version)) return;
    if (options.is_tagged() && rng.below(3) == 0) return;
    fill_field(value, options);
  }

 private:
  template <class T>
  void fill_field(T& value, const FieldOptions&) {
    fill(value);
  }
  template <class T>
  void fill_field(std::optional<T>& value, const FieldOptions& options) {
    if (version >= options.nullable_since && rng.below(4) == 0) {
      value.reset();
      return;
    }
    T filled{};
    fill(filled);
    value = std::move(filled);
  }

  void fill(bool& value) { value = rng.below(2) == 1; }
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  void fill(T& value) {
    constexpr std::array kEdges = {T{0}, T{1}, static_cast<T>(-1), std::numeric_limits<T>::min(),
                                   std::numeric_limits<T>::max()};
    value = rng.below(3) == 0 ? kEdges[rng.below(kEdges.size())] : static_cast<T>(rng.next());
  }
  // No NaN: it is not equal to itself.
  void fill(double& value) {
    constexpr std::array kEdges = {0.0, -0.0, std::numeric_limits<double>::infinity(),
                                   std::numeric_limits<double>::max(),
                                   std::numeric_limits<double>::denorm_min()};
    value = rng.below(3) == 0 ? kEdges[rng.below(kEdges.size())]
                              : static_cast<double>(static_cast<std::int64_t>(rng.next())) / 1024.0;
  }
  void fill(ErrorCode& value) { value = static_cast<ErrorCode>(static_cast<std::int16_t>(rng.next())); }
  void fill(Uuid& value) {
    for (std::uint8_t& byte : value.bytes) byte = static_cast<std::uint8_t>(rng.next());
  }
  void fill(std::string& value) {
    const std::size_t length = rng.below(8) == 0 ? rng.below(300) : rng.below(20);
    value.resize(length);
    for (char& c : value) c = static_cast<char>(rng.next());
  }
  void fill(std::vector<std::uint8_t>& value) {
    value.resize(rng.below(200));
    for (std::uint8_t& byte : value) byte = static_cast<std::uint8_t>(rng.next());
  }
  void fill(SharedBuffer& value) {
    std::vector<std::uint8_t> bytes;
    fill(bytes);
    value = SharedBuffer::copy_of(bytes);
  }
  void fill(RecordChunks& value) {
    for (std::uint64_t n = rng.below(4); n > 0; --n) {
      SharedBuffer chunk;
      fill(chunk);
      value.add(std::move(chunk));
    }
  }
  template <FieldStruct T>
  void fill(T& value) {
    T::fields(value, *this);
  }
  template <class T>
  void fill(std::vector<T>& value) {
    value.resize(rng.below(4));
    for (T& element : value) fill(element);
  }
};

}  // namespace tidegate::protocol::testkit
