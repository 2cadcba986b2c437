// The log files of one partition as its owner knows them: which offsets and times are in which chunk of which
// file, from the files' entries alone. Lives in a DirectLog, on its shard.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend.h"
#include "format/file_facts.h"
#include "format/names.h"

namespace tidegate::storage::seaweedmq {

struct LogChunk {
  Chunk stored;
  ChunkFacts facts;
};

// What lies between two marks of a chunk, or all of it.
struct LogPart {
  Chunk stored;
  Offset base = 0;
  Offset end = 0;
  std::uint64_t begin = 0;  // bytes of the chunk
  std::uint64_t until = 0;
  std::uint64_t record_bytes = 0;  // about
};
std::vector<LogPart> parts_of(const LogChunk& chunk);

struct LogFile {
  LogFileName name;
  Layout layout = Layout::batch;
  LeaderEpoch epoch = 0;
  Offset base = 0;
  Offset end = 0;
  std::int64_t first_ts_ns = 0;
  std::int64_t last_ts_ns = 0;
  std::vector<LogChunk> chunks;
  std::uint64_t begin = 0;  // record bytes of the files in front, in the index

  void add(LogChunk chunk, std::int64_t first_ts, std::int64_t last_ts);
  std::uint64_t record_bytes() const;
  std::uint64_t stored_bytes() const;
  std::int64_t max_timestamp() const;
  // What retention goes by: the youngest record, or the last append where records carry no time.
  std::int64_t youngest_ms() const;
};

Entry entry_of(const LogFile& file);
// nullopt: no log file, or one that others wrote.
Result<std::optional<LogFile>> file_of(const Entry& entry);

class FileIndex {
 public:
  bool empty() const { return files_.empty(); }
  const std::vector<LogFile>& files() const { return files_; }
  Offset begin() const { return files_.empty() ? 0 : files_.front().base; }
  Offset end() const { return files_.empty() ? 0 : files_.back().end; }
  const LogFile* find(const LogFileName& name) const;

  // Behind all others, or in the place of the last one when it has its name.
  void put_last(LogFile file);
  // In front of all others.
  void put_first(std::vector<LogFile> files);
  // In the place of the one with its name.
  bool replace(LogFile file);
  // In the place of the one with its name and of those behind it that it covers, whose names are given back.
  // Nothing changes when it ends in the middle of one.
  std::vector<LogFileName> merge(LogFile file);
  void erase(const LogFileName& name);

  // The first chunk that ends above `offset`, and those behind it up to `end`, at most `limit`.
  std::vector<LogChunk> chunks_from(Offset offset, Offset end, std::size_t limit) const;
  // The parts of those chunks that have anything of [offset, end).
  std::vector<LogPart> parts_from(Offset offset, Offset end, std::size_t chunk_limit) const;
  // All that overlap [begin, end).
  std::vector<LogChunk> chunks_within(Offset begin, Offset end) const;
  const LogFile* file_with(const std::string& file_id) const;
  std::uint64_t record_bytes() const;
  // Of the chunks that overlap [from, end).
  std::uint64_t bytes_between(Offset from, Offset end) const;

 private:
  std::size_t find_above(Offset offset) const;
  void count_from(std::size_t at);
  std::vector<LogFile> files_;  // ascending
};

}  // namespace tidegate::storage::seaweedmq
