#include "batch_walker.h"

#include <algorithm>
#include <cerrno>

#include "coding.h"

namespace tidegate::storage::embedded {

using protocol::kBatchHeaderBytes;

namespace {
// Bytes of candidates whose CRC resync() looks at, in ranges behind the damage, and at least this much:
// records can be made to look like headers.
constexpr std::uint64_t kResyncRanges = 4;
constexpr std::uint64_t kResyncBytes = 64U << 20;
}  // namespace

bool header_fits(const protocol::BatchHeader& header, const WalkRange& range,
                 const std::vector<EpochStart>& epochs) {
  const bool in_place =
      range.gaps ? header.base_offset >= range.expected : header.base_offset == range.expected;
  return in_place && header.last_offset_delta >= 0 &&
         header.size_bytes() <= range.end_position - range.position &&
         header.next_offset() <= range.end_offset &&
         header.partition_leader_epoch == epoch_at(epochs, header.base_offset);
}

BatchWalker::BatchWalker(VfsFile& file, WalkRange range, EpochTable epochs, WalkOptions options)
    : file_(file),
      range_(range),
      epochs_(std::move(epochs)),
      options_(options),
      resync_from_(range.position),
      resync_offset_(range.expected) {}

ByteView BatchWalker::window(std::uint64_t at, std::size_t bytes) const {
  return ByteView(window_).subspan(at - window_at_, bytes);
}

// Makes [at, at + bytes) readable through window().
bool BatchWalker::load(std::uint64_t at, std::size_t bytes) {
  if (at >= window_at_ && at + bytes <= window_at_ + window_size_) return true;
  const std::uint64_t left = range_.end_position - at;
  const auto wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(std::max(bytes, options_.window_bytes), left));
  if (window_.size() < wanted) window_.resize(wanted);
  window_at_ = at;
  window_size_ = 0;
  const MutableByteView into(window_.data(), wanted);
  auto got = options_.cached_only ? file_.pread_cached(into, at) : file_.pread(into, at);
  if (!got) {
    error_ = got.error();
    return false;
  }
  window_size_ = *got;
  if (window_size_ >= bytes) return true;
  // Cached reads stop where the page cache does; others only at the end of a file that got shorter.
  error_ = IoError{options_.cached_only ? EAGAIN : ENODATA, "pread"};
  return false;
}

BatchWalker::Step BatchWalker::look() {
  const auto lost = [&] { return error_.code == ENODATA ? Step::damaged : Step::failed; };
  if (range_.position >= range_.end_position || range_.expected >= range_.end_offset) return Step::end;
  if (range_.end_position - range_.position < kBatchHeaderBytes) return Step::damaged;
  if (!load(range_.position, kBatchHeaderBytes)) return lost();
  auto header = protocol::parse_batch_header(window(range_.position, kBatchHeaderBytes));
  if (!header || !header_fits(*header, range_, *epochs_)) return Step::damaged;
  header_ = *header;
  if (!options_.check_crc) return Step::batch;
  if (!load(range_.position, header_.size_bytes())) return lost();
  const ByteView bytes = window(range_.position, header_.size_bytes());
  return protocol::batch_crc_is_valid(bytes, header_) ? Step::batch : Step::damaged;
}

void BatchWalker::pass() {
  // A length that lies was taken for good when the CRC was not looked at: a later resync begins behind
  // this batch's first byte.
  resync_from_ = range_.position + (options_.check_crc ? header_.size_bytes() : 1);
  resync_offset_ = options_.check_crc ? header_.next_offset() : header_.base_offset + 1;
  range_.position += header_.size_bytes();
  range_.expected = header_.next_offset();
}

// The base offset lies outside the CRC: what stands behind the batch has to confirm it.
bool BatchWalker::is_followed_up(WalkRange at, const protocol::BatchHeader& header) {
  at.position += header.size_bytes();
  at.expected = header.next_offset();
  if (at.position == at.end_position) {
    return at.gaps || at.end_offset == kOpenEnd || at.expected == at.end_offset;
  }
  if (at.end_position - at.position < kBatchHeaderBytes || !load(at.position, kBatchHeaderBytes))
    return false;
  auto next = protocol::parse_batch_header(window(at.position, kBatchHeaderBytes));
  return next && header_fits(*next, at, *epochs_);
}

bool BatchWalker::resync() {
  WalkRange probe = range_;
  const Offset lowest = resync_offset_;
  std::uint64_t budget = std::max(kResyncRanges * (range_.end_position - resync_from_), kResyncBytes);
  for (std::uint64_t at = resync_from_; at + kBatchHeaderBytes <= range_.end_position; ++at) {
    if (!load(at, kBatchHeaderBytes)) return false;
    const ByteView bytes = window(at, kBatchHeaderBytes);
    if (bytes[16] != 2) continue;
    const auto offset = get_int<Offset>(bytes.data());
    if (offset < lowest || offset >= range_.end_offset) continue;
    auto header = protocol::parse_batch_header(bytes);
    probe.position = at;
    probe.expected = offset;
    if (!header || !header_fits(*header, probe, *epochs_)) continue;
    if (header->size_bytes() > budget) return false;
    budget -= header->size_bytes();
    if (!load(at, header->size_bytes())) return false;
    if (!protocol::batch_crc_is_valid(window(at, header->size_bytes()), *header)) continue;
    if (!is_followed_up(probe, *header)) continue;
    range_.position = at;
    range_.expected = offset;
    header_ = *header;
    return true;
  }
  return false;
}

ByteView BatchWalker::batch_bytes() {
  if (!load(range_.position, header_.size_bytes())) return {};
  return window(range_.position, header_.size_bytes());
}

}  // namespace tidegate::storage::embedded
