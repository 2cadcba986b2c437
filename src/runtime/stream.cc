// The waiting forms of Stream's calls, for code that has nothing better to do than wait.
#include "tidegate/runtime/stream.h"

#include <vector>

namespace tidegate {

Task<Result<std::size_t>> Stream::read_some(MutableByteView into) {
  for (;;) {
    const auto got = try_read(into);
    if (!got) co_return fail(got.error());
    if (*got) co_return **got;
    const auto ready = co_await wait_readable();
    if (!ready) co_return fail(ready.error());
  }
}

Task<Result<void>> Stream::write_all(std::span<const ByteView> views) {
  std::vector<ByteView> left(views.begin(), views.end());
  std::size_t first = 0;
  while (first < left.size()) {
    const auto written = try_write(std::span(left).subspan(first));
    if (!written) co_return fail(written.error());
    std::size_t bytes = *written;
    while (first < left.size() && bytes >= left[first].size()) bytes -= left[first++].size();
    if (first == left.size()) break;
    left[first] = left[first].subspan(bytes);
    const auto ready = co_await wait_writable();
    if (!ready) co_return fail(ready.error());
  }
  co_return Result<void>{};
}

}  // namespace tidegate
