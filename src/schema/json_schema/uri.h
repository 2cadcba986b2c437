// References of JSON Schema: URIs resolved as in RFC 3986 section 5.2. Pure.
#pragma once

#include <string>
#include <string_view>

namespace tidegate::schema::json_schema {

// `base` is a URI, or a relative one that stays so, without a fragment. The answer keeps the fragment.
std::string resolve_uri(std::string_view base, std::string_view reference);

// Bytes for %XX; others stay.
std::string percent_decoded(std::string_view text);

}  // namespace tidegate::schema::json_schema
