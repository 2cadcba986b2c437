// Errors are values: Result<T> is what every fallible call returns. The code is Kafka's, because at
// the end most errors are told to a Kafka client; the message is for logs and error_message fields.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "tidegate/base/error_code.h"

namespace tidegate {

struct Error {
  ErrorCode code = ErrorCode::unknown_server_error;
  std::string message;
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message = {}) {
  return std::unexpected<Error>(Error{code, std::move(message)});
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

}  // namespace tidegate
