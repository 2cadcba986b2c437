// Every request decoder; see message_target.h.
#include "fuzz/message_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return tidegate::test::fuzz_message(/*request=*/true, data, size);
}
