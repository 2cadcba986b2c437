// Visitor that makes one array of a message long and every array on the way to it one element long:
// the shapes that take the most memory for their bytes.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "tidegate/protocol/fields.h"

namespace tidegate::protocol::testkit {

struct Bloater {
  std::size_t which = 0;  // arrays still to be passed over
  std::size_t count = 0;
  std::int16_t version = 0;
  bool done = false;

  template <class T>
  void field(std::string_view, T& value, const FieldOptions& options = {}) {
    if (!done && options.is_in(version)) visit(value);
  }

 private:
  template <class T>
  void visit(T&) {}
  template <FieldStruct T>
  void visit(T& value) {
    T::fields(value, *this);
  }
  template <class T>
  void visit(std::optional<T>& value) {
    T inner{};
    visit(inner);
    if (done) value = std::move(inner);
  }
  void visit(std::vector<std::uint8_t>&) {}
  template <class T>
  void visit(std::vector<T>& value) {
    if (which == 0) {
      value.resize(count);
      done = true;
      return;
    }
    --which;
    T element{};
    visit(element);
    if (done) value.push_back(std::move(element));
  }
};

}  // namespace tidegate::protocol::testkit
