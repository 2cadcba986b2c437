#include "tidegate/protocol/codec.h"

#include <algorithm>

#include "tidegate/base/assert.h"
#include "tidegate/base/module_log.h"

namespace tidegate::protocol {

void report_encode_problem(std::int16_t api_key, std::int16_t version, const std::string& problem) {
  module_log().error("event=encode_problem api_key={} version={} problem=\"{}\"", api_key, version, problem);
#ifndef NDEBUG
  TIDEGATE_ASSERT(problem.empty());
#endif
}

bool operator==(const RecordChunks& a, const RecordChunks& b) {
  if (a.size_bytes() != b.size_bytes()) return false;
  // Walks both lists at once, a run of bytes that lies in one chunk of each at a time.
  std::size_t ia = 0, ib = 0, used_a = 0, used_b = 0;
  while (ia < a.chunks.size() && ib < b.chunks.size()) {
    const ByteView rest_a = a.chunks[ia].bytes().subspan(used_a);
    const ByteView rest_b = b.chunks[ib].bytes().subspan(used_b);
    const std::size_t run = std::min(rest_a.size(), rest_b.size());
    if (!std::ranges::equal(rest_a.first(run), rest_b.first(run))) return false;
    used_a += run;
    used_b += run;
    if (used_a == a.chunks[ia].size()) ++ia, used_a = 0;
    if (used_b == b.chunks[ib].size()) ++ib, used_b = 0;
  }
  return true;
}

}  // namespace tidegate::protocol
