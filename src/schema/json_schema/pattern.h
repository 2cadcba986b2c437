// Patterns of JSON Schema (ECMA-262) as RE2's, which take linear time. Pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tidegate/base/result.h"

namespace re2 {
class RE2;
}

namespace tidegate::schema::json_schema {

// The same pattern in RE2's words. invalid_record with the reason where there is none: lookaround,
// backreferences, escapes that ECMA-262 does not have with its flag u.
Result<std::string> re2_pattern(std::string_view ecma);

class Pattern {
 public:
  // Takes at most about `max_bytes`; invalid_record with the reason for what cannot be compiled.
  static Result<Pattern> compile(std::string_view ecma, std::size_t max_bytes);

  // Whether it is found anywhere in `text`, which is UTF-8.
  bool found_in(std::string_view text) const;
  // Instructions: what a byte of text costs at most.
  std::size_t size() const { return size_; }

 private:
  std::shared_ptr<const re2::RE2> compiled_;
  std::size_t size_ = 0;
};

}  // namespace tidegate::schema::json_schema
