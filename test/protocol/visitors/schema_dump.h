// Visitor that writes down what fields() declares, in the text form of test/golden/schema.txt, which
// is made from the definitions inside Kafka's own client.
#pragma once

#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/base/uuid.h"
#include "tidegate/protocol/fields.h"
#include "tidegate/protocol/records.h"

namespace tidegate::protocol::testkit {

// The last part of a type's name: Kafka's name of the struct.
template <class T>
std::string short_type_name() {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(typeid(T).name(), nullptr, nullptr, &status), std::free);
  const std::string_view text = name.get();
  const std::size_t colon = text.rfind("::");
  return std::string(colon == std::string_view::npos ? text : text.substr(colon + 2));
}

template <class T>
struct TypeShape {
  using Element = T;
  static constexpr bool array = false;
  static constexpr bool nullable = false;
};
template <class T>
  requires(!std::same_as<T, std::uint8_t>)
struct TypeShape<std::vector<T>> : TypeShape<T> {
  static constexpr bool array = true;
};
template <class T>
struct TypeShape<std::optional<T>> : TypeShape<T> {
  static constexpr bool nullable = true;
};

template <class T>
std::string type_name() {
  if constexpr (FieldStruct<T>) {
    return short_type_name<T>();
  } else if constexpr (std::same_as<T, bool>) {
    return "bool";
  } else if constexpr (std::same_as<T, ErrorCode>) {
    return "error_code";
  } else if constexpr (std::same_as<T, Uuid>) {
    return "uuid";
  } else if constexpr (std::same_as<T, std::string>) {
    return "string";
  } else if constexpr (std::same_as<T, std::vector<std::uint8_t>>) {
    return "bytes";
  } else if constexpr (std::same_as<T, SharedBuffer> || std::same_as<T, RecordChunks>) {
    return "records";
  } else if constexpr (std::same_as<T, double>) {
    return "float64";
  } else {
    return fmt::format("{}int{}", std::is_unsigned_v<T> ? "u" : "", 8 * sizeof(T));
  }
}

inline std::string default_text(bool value) { return value ? "true" : "false"; }
template <std::integral T>
std::string default_text(T value) {
  return fmt::format("{}", static_cast<std::int64_t>(value));
}
inline std::string default_text(double value) { return fmt::format("{}", value); }
inline std::string default_text(ErrorCode value) { return fmt::format("{}", static_cast<int>(value)); }
inline std::string default_text(const Uuid& value) { return value.is_zero() ? "zero" : value.to_string(); }
inline std::string default_text(const std::string& value) { return fmt::format("\"{}\"", value); }
inline std::string default_text(const SharedBuffer& value) { return value.empty() ? "empty" : "filled"; }
inline std::string default_text(const RecordChunks& value) { return value.empty() ? "empty" : "filled"; }
template <class T>
std::string default_text(const std::vector<T>& value) {
  return value.empty() ? "empty" : "filled";
}
template <FieldStruct T>
std::string default_text(const T&) {
  return "struct";
}
template <class T>
std::string default_text(const std::optional<T>& value) {
  return value ? default_text(*value) : "null";
}

struct SchemaDump {
  struct Range {
    int min = 0;
    int max = 0;
    bool operator==(const Range&) const = default;
  };
  std::string& out;
  std::string path;
  Range holder;  // the versions of what this struct stands in

  template <class T>
  void field(std::string_view name, const T& value, const FieldOptions& options = {}) {
    using Shape = TypeShape<T>;
    using Element = typename Shape::Element;
    const Range range{std::max<int>(holder.min, options.since), std::min<int>(holder.max, options.until)};
    const std::string here = fmt::format("{}{}{}", path, name, Shape::array ? "[]" : "");
    out += fmt::format("  {} {} {}-{}", here, type_name<Element>(), range.min, range.max);
    if (Shape::nullable)
      out += fmt::format(" nullable {}+", std::max<int>(range.min, options.nullable_since));
    if (options.ignorable && range != holder) out += " ignorable";
    if (options.is_tagged()) out += fmt::format(" tag {}", options.tag);
    out += fmt::format(" default {}\n", default_text(value));
    if constexpr (FieldStruct<Element>) {
      SchemaDump inner{out, here + ".", range};
      Element::fields(default_of<Element>(), inner);
    }
  }
};

template <FieldStruct M>
std::string schema_of() {
  const Versions& versions = M::versions;
  const bool ever = versions.flexible.version != kEveryVersion;
  std::string out =
      fmt::format("{} key {} versions {}-{} flexible {}\n", short_type_name<M>(), M::kApiKey, versions.min,
                  versions.max, ever ? fmt::format("{}+", versions.flexible.version) : "never");
  SchemaDump dump{out, "", {versions.min, versions.max}};
  M::fields(default_of<M>(), dump);
  return out;
}

}  // namespace tidegate::protocol::testkit
