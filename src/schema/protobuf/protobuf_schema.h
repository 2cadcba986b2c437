// A Protobuf schema, compiled: a flat list of messages that refer to each other by index. libprotobuf's
// parser and descriptor pool make it and are gone afterwards: what is kept is what a walk over encoded
// messages needs. Immutable; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/result.h"

namespace tidegate::schema::protobuf {

inline constexpr std::uint32_t kNone = UINT32_MAX;

// How a field is encoded.
enum class Shape : std::uint8_t { varint, fixed32, fixed64, bytes, text, message, group };

struct Field {
  std::uint32_t number = 0;
  Shape shape = Shape::varint;  // text: bytes that have to be UTF-8
  bool repeated = false;
  std::uint32_t message = kNone;   // of messages and groups
  std::uint32_t required = kNone;  // its place among the message's required fields
  std::uint32_t choice = kNone;    // its oneof
  std::uint32_t symbols = kNone;   // its enumeration, when other numbers count as an unknown field
  std::string name;
};

struct Message {
  std::string name;           // full name
  std::vector<Field> fields;  // by number, known extensions among them
  std::uint32_t required_count = 0;
  bool reaches_required = false;  // by itself or through its fields
  bool is_map_entry = false;
  // Nested messages in the order of their descriptors, and the same without those that map fields and groups
  // made: serializers number them either way.
  std::vector<std::uint32_t> nested;
  std::vector<std::uint32_t> declared;
};

struct CompileLimits {
  std::size_t max_types = 10'000;   // messages and enumerations
  std::size_t max_fields = 20'000;  // statements and list items: fields, values, ranges
  std::size_t max_depth = 64;       // of nested definitions
  // Of all full names together: a long package name is in every one of them.
  std::size_t max_name_bytes = 4U << 20;
};

// A file that others import.
struct NamedText {
  std::string name;
  std::string text;
};

class Schema {
 public:
  // `text` and the references' are .proto files, or file descriptors in Base64; `references` are what the
  // imports name, beside the files that known_files.h has. invalid_record with the reason for what
  // libprotobuf makes no schema of, and beyond a limit. Options do not decide which bytes are good and are
  // not looked at.
  static Result<Schema> compile(std::string_view text, std::span<const NamedText> references = {},
                                const CompileLimits& limits = {});

  const Message& message(std::uint32_t index) const { return messages_[index]; }
  bool has_symbol(std::uint32_t symbols, std::int32_t number) const;
  // The messages that a path names: by descriptors, and by declarations where that is another one; kNone
  // for either that does not exist.
  struct Named {
    std::uint32_t first = kNone;
    std::uint32_t other = kNone;
  };
  Named find(std::span<const std::uint32_t> path) const;
  // The longest path.
  std::size_t nesting() const { return nesting_; }
  // About what it takes in memory.
  std::size_t size_bytes() const;

 private:
  friend class Flattener;
  std::vector<Message> messages_;
  std::vector<std::vector<std::int32_t>> symbols_;  // sorted
  std::vector<std::uint32_t> nested_;               // of the file
  std::vector<std::uint32_t> declared_;
  std::size_t nesting_ = 0;
};

}  // namespace tidegate::schema::protobuf
