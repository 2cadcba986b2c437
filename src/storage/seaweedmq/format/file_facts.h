// What the entry of a log file says about its content, in extended attributes: SeaweedMQ's own (offset_min,
// offset_max, buffer_start) and ours. A take-over, an offset or a time is answered from these without reading
// a byte of the file. Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tidegate/base/ids.h"
#include "tidegate/base/result.h"

namespace tidegate::storage::seaweedmq {

using Attributes = std::map<std::string, std::string>;

enum class Layout : std::uint8_t { batch = 0, record = 1 };
std::string_view layout_name(Layout layout);
std::optional<Layout> parse_layout(std::string_view name);

// Where a batch begins inside of a chunk: whoever wants what is behind it need not fetch what is in front.
struct ChunkMark {
  Offset offset = 0;           // the batch's base offset
  std::uint32_t position = 0;  // in bytes

  bool operator==(const ChunkMark&) const = default;
};

// Of one chunk; they are in offset order and begin where the one in front ends, or behind a gap.
struct ChunkFacts {
  Offset base = 0;  // of its first batch
  Offset end = 0;   // behind its last
  std::int64_t max_timestamp = -1;
  std::uint32_t record_bytes = 0;  // of the batches, frames left out
  std::vector<ChunkMark>
      marks;  // ascending; a few hundred kilobytes from each other, none for the first batch

  bool operator==(const ChunkFacts&) const = default;
};

struct FileFacts {
  Layout layout = Layout::batch;
  LeaderEpoch epoch = 0;
  Offset base = 0;  // what the file stands for: compaction may have left less in it
  Offset end = 0;
  std::int64_t first_ts_ns = 0;
  std::int64_t last_ts_ns = 0;
  std::int64_t max_timestamp = -1;  // largest CreateTime (or append time), in milliseconds
  std::vector<ChunkFacts> chunks;

  bool operator==(const FileFacts&) const = default;
};

// buffer_start is what a broker uses to tell its memory from its files; we have none, so the first offset
// does.
Attributes attributes_of(const FileFacts& facts);
// nullopt: a file that others wrote. corrupt_message: ours, and damaged. `chunks` is how many the entry has.
Result<std::optional<FileFacts>> parse_facts(const Attributes& attributes, std::size_t chunks);

// The content of checkpoint.offset: the last offset that was assigned.
std::string checkpoint_of(Offset last);
std::optional<Offset> parse_checkpoint(std::string_view content);

}  // namespace tidegate::storage::seaweedmq
