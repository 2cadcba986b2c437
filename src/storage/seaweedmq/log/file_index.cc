#include "file_index.h"

#include <algorithm>
#include <iterator>

#include "tidegate/base/assert.h"

namespace tidegate::storage::seaweedmq {

std::vector<LogPart> parts_of(const LogChunk& chunk) {
  std::vector<LogPart> parts;
  const std::uint64_t size = chunk.stored.size_bytes;
  LogPart part{.stored = chunk.stored, .base = chunk.facts.base, .end = chunk.facts.end, .until = size};
  const auto share = [&](const LogPart& of) {
    return size == 0 ? 0 : chunk.facts.record_bytes * (of.until - of.begin) / size;
  };
  // Positions are those of the bytes as they were written.
  for (const ChunkMark& mark : chunk.facts.marks) {
    if (chunk.stored.gzipped || mark.position >= size) break;
    LogPart front = part;
    front.end = part.base = mark.offset;
    front.until = part.begin = mark.position;
    front.record_bytes = share(front);
    parts.push_back(std::move(front));
  }
  part.record_bytes = share(part);
  parts.push_back(std::move(part));
  return parts;
}

void LogFile::add(LogChunk chunk, std::int64_t first_ts, std::int64_t last_ts) {
  chunk.stored.offset = static_cast<std::int64_t>(stored_bytes());
  if (chunks.empty()) first_ts_ns = first_ts;
  last_ts_ns = last_ts;
  end = chunk.facts.end;
  chunks.push_back(std::move(chunk));
}

std::uint64_t LogFile::record_bytes() const {
  std::uint64_t bytes = 0;
  for (const LogChunk& chunk : chunks) bytes += chunk.facts.record_bytes;
  return bytes;
}

std::uint64_t LogFile::stored_bytes() const {
  return chunks.empty()
             ? 0
             : static_cast<std::uint64_t>(chunks.back().stored.offset) + chunks.back().stored.size_bytes;
}

std::int64_t LogFile::max_timestamp() const {
  std::int64_t latest = -1;
  for (const LogChunk& chunk : chunks) latest = std::max(latest, chunk.facts.max_timestamp);
  return latest;
}

std::int64_t LogFile::youngest_ms() const {
  const std::int64_t latest = max_timestamp();
  return latest >= 0 ? latest : last_ts_ns / 1'000'000;
}

Entry entry_of(const LogFile& file) {
  Entry entry;
  entry.name = file.name.to_string();
  entry.size_bytes = file.stored_bytes();
  FileFacts facts{.layout = file.layout,
                  .epoch = file.epoch,
                  .base = file.base,
                  .end = file.end,
                  .first_ts_ns = file.first_ts_ns,
                  .last_ts_ns = file.last_ts_ns,
                  .max_timestamp = file.max_timestamp()};
  for (const LogChunk& chunk : file.chunks) {
    entry.chunks.push_back(chunk.stored);
    facts.chunks.push_back(chunk.facts);
  }
  entry.extended = attributes_of(facts);
  return entry;
}

Result<std::optional<LogFile>> file_of(const Entry& entry) {
  const auto name = LogFileName::parse(entry.name);
  if (!name || entry.is_directory) return std::nullopt;
  auto facts = parse_facts(entry.extended, entry.chunks.size());
  if (!facts) return fail(facts.error().code, entry.name + ": " + facts.error().message);
  if (!*facts) return std::nullopt;
  LogFile file{.name = *name,
               .layout = (*facts)->layout,
               .epoch = (*facts)->epoch,
               .base = (*facts)->base,
               .end = (*facts)->end,
               .first_ts_ns = (*facts)->first_ts_ns,
               .last_ts_ns = (*facts)->last_ts_ns};
  for (std::size_t i = 0; i < entry.chunks.size(); ++i) {
    file.chunks.push_back({.stored = entry.chunks[i], .facts = (*facts)->chunks[i]});
  }
  return file;
}

// -------------------------------------------------------------------------------------------- index

const LogFile* FileIndex::find(const LogFileName& name) const {
  const auto found = std::ranges::lower_bound(files_, name, {}, &LogFile::name);
  return found != files_.end() && found->name == name ? &*found : nullptr;
}

void FileIndex::count_from(std::size_t at) {
  for (; at < files_.size(); ++at)
    files_[at].begin = at == 0 ? 0 : files_[at - 1].begin + files_[at - 1].record_bytes();
}

void FileIndex::put_last(LogFile file) {
  if (!files_.empty() && files_.back().name == file.name) {
    files_.back() = std::move(file);
  } else {
    TIDEGATE_ASSERT(files_.empty() || (files_.back().name < file.name && files_.back().end <= file.base));
    files_.push_back(std::move(file));
  }
  count_from(files_.size() - 1);
}

void FileIndex::put_first(std::vector<LogFile> files) {
  files_.insert(files_.begin(), std::make_move_iterator(files.begin()), std::make_move_iterator(files.end()));
  count_from(0);
}

bool FileIndex::replace(LogFile file) {
  const auto found = std::ranges::lower_bound(files_, file.name, {}, &LogFile::name);
  if (found == files_.end() || found->name != file.name) return false;
  *found = std::move(file);
  count_from(static_cast<std::size_t>(found - files_.begin()));
  return true;
}

std::vector<LogFileName> FileIndex::merge(LogFile file) {
  const auto found = std::ranges::lower_bound(files_, file.name, {}, &LogFile::name);
  if (found == files_.end() || found->name != file.name) return {};
  const auto behind =
      std::find_if(found, files_.end(), [&](const LogFile& other) { return other.end > file.end; });
  if (behind == found || std::prev(behind)->end != file.end ||
      (behind != files_.end() && behind->base < file.end))
    return {};
  std::vector<LogFileName> covered;
  for (auto at = std::next(found); at != behind; ++at) covered.push_back(at->name);
  const auto position = static_cast<std::size_t>(found - files_.begin());
  *found = std::move(file);
  files_.erase(std::next(found), behind);
  count_from(position);
  return covered;
}

void FileIndex::erase(const LogFileName& name) {
  std::erase_if(files_, [&](const LogFile& file) { return file.name == name; });
}

std::size_t FileIndex::find_above(Offset offset) const {
  const auto found = std::ranges::upper_bound(files_, offset, {}, &LogFile::end);
  return static_cast<std::size_t>(found - files_.begin());
}

std::vector<LogChunk> FileIndex::chunks_from(Offset offset, Offset end, std::size_t limit) const {
  std::vector<LogChunk> found;
  for (std::size_t i = find_above(offset); i < files_.size() && files_[i].base < end; ++i) {
    for (const LogChunk& chunk : files_[i].chunks) {
      if (chunk.facts.base >= end || found.size() >= limit) return found;
      if (chunk.facts.end > offset) found.push_back(chunk);
    }
  }
  return found;
}

std::vector<LogPart> FileIndex::parts_from(Offset offset, Offset end, std::size_t chunk_limit) const {
  std::vector<LogPart> found;
  for (const LogChunk& chunk : chunks_from(offset, end, chunk_limit)) {
    for (LogPart& part : parts_of(chunk)) {
      if (part.end > offset && part.base < end) found.push_back(std::move(part));
    }
  }
  return found;
}

std::vector<LogChunk> FileIndex::chunks_within(Offset begin, Offset end) const {
  return chunks_from(begin, end, std::numeric_limits<std::size_t>::max());
}

const LogFile* FileIndex::file_with(const std::string& file_id) const {
  for (const LogFile& file : files_) {
    for (const LogChunk& chunk : file.chunks) {
      if (chunk.stored.file_id == file_id) return &file;
    }
  }
  return nullptr;
}

std::uint64_t FileIndex::record_bytes() const {
  if (files_.empty()) return 0;
  return files_.back().begin + files_.back().record_bytes() - files_.front().begin;
}

std::uint64_t FileIndex::bytes_between(Offset from, Offset end) const {
  const std::size_t first = find_above(from);
  if (first >= files_.size() || from >= end) return 0;
  // Whole files in between, and chunk by chunk in the two at the ends.
  std::size_t last = first;
  if (files_[first].end < end) last = std::min(find_above(end), files_.size() - 1);
  std::uint64_t bytes = 0;
  if (last > first + 1) bytes = files_[last].begin - files_[first + 1].begin;
  for (std::size_t i = first; i <= last; i = i == first && last > first ? last : last + 1) {
    for (const LogChunk& chunk : files_[i].chunks) {
      if (chunk.facts.end > from && chunk.facts.base < end) bytes += chunk.facts.record_bytes;
    }
  }
  return bytes;
}

}  // namespace tidegate::storage::seaweedmq
