#include "segment_reader.h"

#include <algorithm>
#include <cerrno>

namespace tidegate::storage::embedded {

namespace {

using Kind = SegmentReadResult::Kind;
// On a shard a read holds up everything else; off it the bound is on one buffer.
constexpr std::size_t kMaxCachedRead = 1U << 20;
constexpr std::size_t kMaxRead = 8U << 20;
constexpr std::size_t kHeaderWindow = 4096;

SegmentReadResult result_of(Kind kind) {
  SegmentReadResult result;
  result.kind = kind;
  return result;
}

// Moves `walker` to the batch that holds `from`; nothing when it got there.
IoResult<std::optional<Kind>> find_batch(BatchWalker& walker, Offset from, bool may_resync, bool gaps) {
  bool first = true;
  for (;;) {
    switch (walker.look()) {
      case BatchWalker::Step::batch:
        if (walker.header().next_offset() > from) {
          if (walker.header().base_offset > from && !gaps) return std::optional(Kind::damaged);
          return std::optional<Kind>();
        }
        walker.pass();
        break;
      case BatchWalker::Step::end:
        // The file ends before the offsets do.
        return std::optional(gaps ? Kind::passed : Kind::damaged);
      case BatchWalker::Step::failed:
        return std::unexpected(walker.error());
      case BatchWalker::Step::damaged:
        if (!may_resync) return std::optional(first ? Kind::wrong_start : Kind::damaged);
        if (!walker.resync() || walker.expected() > from) return std::optional(Kind::damaged);
        break;
    }
    first = false;
  }
}

// How many bytes at the front of `bytes` are whole good batches within the limits.
SegmentReadResult take_batches(MutableBuffer buffer, std::size_t size, const SegmentRead& read,
                               WalkRange at) {
  SegmentReadResult result;
  result.next_offset = at.expected;
  std::size_t taken = 0;
  while (size - taken >= protocol::kBatchHeaderBytes && at.expected < at.end_offset) {
    const ByteView rest = ByteView(buffer.bytes()).subspan(taken, size - taken);
    auto header = protocol::parse_batch_header(rest);
    if (!header || !header_fits(*header, at, *read.epochs)) break;
    const std::size_t bytes = header->size_bytes();
    if (bytes > rest.size() || header->next_offset() > read.limits.end) break;
    if (taken + bytes > read.limits.max_bytes && !(taken == 0 && read.limits.at_least_one_batch)) break;
    if (!protocol::batch_crc_is_valid(rest.first(bytes), *header)) break;
    taken += bytes;
    ++result.batches;
    at.position += bytes;
    at.expected = header->next_offset();
  }
  result.kind = taken > 0 ? Kind::data : Kind::damaged;
  result.next_offset = at.expected;
  result.next_position = at.position;
  result.bytes = std::move(buffer).freeze(taken);
  return result;
}

}  // namespace

IoResult<SegmentReadResult> read_segment(VfsFile& file, const SegmentRead& read, bool cached_only) {
  // First by headers alone; when that meets damage, with every CRC and a search for what is good behind it.
  for (const bool careful : {false, true}) {
    if (careful && cached_only) return io_fail(EAGAIN, "pread");
    BatchWalker walker(file, read.range, read.epochs,
                       {.check_crc = careful,
                        .cached_only = cached_only,
                        .window_bytes = careful ? 256U << 10 : kHeaderWindow});
    auto missed = find_batch(walker, read.from, careful, read.range.gaps);
    if (!missed) return std::unexpected(missed.error());
    if (*missed) {
      if (!careful && (**missed == Kind::damaged || read.certain_start)) continue;
      return result_of(**missed);
    }
    const std::size_t first = walker.header().size_bytes();
    if (walker.header().next_offset() > read.limits.end) return result_of(Kind::nothing);
    if (first > read.limits.max_bytes && !read.limits.at_least_one_batch) return result_of(Kind::nothing);
    WalkRange at = read.range;
    at.position = walker.position();
    at.expected = walker.expected();
    const std::size_t bound =
        std::max(first, std::min(read.limits.max_bytes, cached_only ? kMaxCachedRead : kMaxRead));
    MutableBuffer buffer(
        static_cast<std::size_t>(std::min<std::uint64_t>(bound, at.end_position - at.position)));
    auto got = cached_only ? file.pread_cached(buffer.bytes(), at.position)
                           : file.pread(buffer.bytes(), at.position);
    if (!got) return std::unexpected(got.error());
    if (*got < first && cached_only) return io_fail(EAGAIN, "pread");
    auto taken = take_batches(std::move(buffer), *got, read, at);
    if (taken.kind == Kind::data || careful) return taken;
  }
  return result_of(Kind::damaged);
}

}  // namespace tidegate::storage::embedded
