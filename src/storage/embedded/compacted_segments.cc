#include "compacted_segments.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include "coding.h"
#include "context.h"
#include "keys.h"
#include "layout.h"
#include "tidegate/base/module_log.h"

namespace tidegate::storage::embedded {

namespace {

constexpr std::uint8_t kVersion = 1;

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// The base in the name of a segment that was appended, or of its index.
std::optional<Offset> plain_base(const std::string& name) {
  if (name.ends_with(".index")) return layout::segment_base(name.substr(0, name.size() - 6) + ".log");
  return layout::segment_base(name);
}

}  // namespace

Result<std::vector<CompactedSegment>> load_compacted(Kv& kv, const PartitionId& id) {
  auto stored = kv.get(keys::partition(keys::kCompacted, id));
  if (!stored) return fail(std::move(stored.error()));
  std::vector<CompactedSegment> segments;
  if (!*stored) return segments;
  ValueReader reader(**stored);
  bool good = reader.integer<std::uint8_t>() == kVersion;
  while (good && reader.remaining() > 0) {
    CompactedSegment segment;
    segment.base = reader.integer<Offset>();
    segment.end = reader.integer<Offset>();
    segment.size = reader.integer<std::uint64_t>();
    segment.generation = reader.integer<std::uint32_t>();
    good = reader.ok() && segment.generation > 0 && segment.base < segment.end &&
           (segments.empty() || segments.back().end <= segment.base);
    segments.push_back(segment);
  }
  if (!good)
    return fail(ErrorCode::kafka_storage_error,
                "metadata store: a list of compacted segments cannot be read");
  return segments;
}

Result<void> store_compacted(Kv& kv, const PartitionId& id, std::span<const CompactedSegment> segments) {
  KvOp op{keys::partition(keys::kCompacted, id), std::nullopt};
  if (!segments.empty()) {
    ValueWriter value;
    value.integer(kVersion);
    for (const CompactedSegment& segment : segments) {
      value.integer(segment.base).integer(segment.end).integer(segment.size).integer(segment.generation);
    }
    op.value = value.take();
  }
  return kv.write({&op, 1}, true);
}

IoResult<SettledCompaction> settle_compacted(EngineContext& context, const PartitionId& id,
                                             const std::string& dir, Offset log_start,
                                             std::vector<std::string>& names) {
  const auto lost = [&](const Error& error) {
    module_log().error("event=compacted_segments topic_id={} partition={} error=\"{}\"", id.topic.to_string(),
                       id.index, error.message);
    return io_fail(EIO, "metadata store");
  };
  auto stored = load_compacted(*context.kv, id);
  if (!stored) return lost(stored.error());
  const std::set<std::string> there(names.begin(), names.end());
  SettledCompaction settled;
  std::set<std::string> live;
  std::vector<CompactedSegment> listed;
  for (const CompactedSegment& segment : *stored) {
    settled.end = std::max(settled.end, segment.end);
    if (segment.end <= log_start) continue;
    listed.push_back(segment);
    const std::string name = name_of(layout::segment_path(dir, segment.base, segment.generation));
    if (!there.contains(name)) continue;  // damage: what is left of the older files is as good as it gets
    live.insert(name);
    live.insert(name_of(layout::index_path(dir, segment.base, segment.generation)));
    settled.segments.push_back(segment);
  }
  const auto is_leftover = [&](const std::string& name) {
    if (layout::is_compacted_name(name)) return !live.contains(name);
    const auto base = plain_base(name);
    return base && std::ranges::any_of(settled.segments, [&](const CompactedSegment& segment) {
             return *base >= segment.base && *base < segment.end;
           });
  };
  std::vector<std::string> leftovers;
  std::ranges::copy_if(names, std::back_inserter(leftovers), is_leftover);
  if (!leftovers.empty() || listed.size() != stored->size()) {
    // The list may be in the operating system's memory alone, if the write of before was cut short: no file
    // goes before it is on disk.
    if (auto wrote = store_compacted(*context.kv, id, listed); !wrote) return lost(wrote.error());
  }
  for (const std::string& name : leftovers) {
    const auto gone = context.vfs->unlink(dir + "/" + name);
    if (!gone && gone.error().code != ENOENT) return std::unexpected(gone.error());
  }
  std::erase_if(names, is_leftover);
  return settled;
}

}  // namespace tidegate::storage::embedded
