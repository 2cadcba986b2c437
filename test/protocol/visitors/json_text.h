// Builds JSON text piece by piece. Out of line on purpose: the printer that uses it is instantiated
// for every message, and a JSON library in there costs minutes under the sanitizers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tidegate/base/bytes.h"

namespace tidegate::protocol::testkit {

class JsonText {
 public:
  void open(char bracket);
  void close(char bracket);
  // A field's name, from snake case to Kafka's camel case.
  void key(std::string_view snake_case);
  // The start of an array's next element.
  void element();
  void number(std::int64_t value);
  void real(double value);
  void boolean(bool value);
  void null();
  void string(std::string_view utf8);
  void base64(ByteView bytes);

  std::string take() && { return std::move(out_); }

 private:
  void comma();

  std::string out_;
};

}  // namespace tidegate::protocol::testkit
