// Every response decoder (clients of other brokers, and our own tests); see message_target.h.
#include "fuzz/message_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return tidegate::test::fuzz_message(/*request=*/false, data, size);
}
