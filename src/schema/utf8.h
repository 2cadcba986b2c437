// Whether bytes are UTF-8, as the checks of every format ask of text. Pure.
#pragma once

#include "tidegate/base/bytes.h"

namespace tidegate::schema {

// RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF.
bool is_utf8(ByteView text);

}  // namespace tidegate::schema
