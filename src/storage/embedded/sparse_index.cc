#include "sparse_index.h"

#include <algorithm>

#include "coding.h"

namespace tidegate::storage::embedded {

namespace {

constexpr std::uint32_t kSealed = 1;
constexpr std::size_t kMaxFileEntries = 4U << 20;

// offset 8, position 8, max timestamp 8, flags 4, CRC-32C 4 over the segment's base offset and the rest.
std::uint32_t entry_crc(Offset base, ByteView entry) {
  std::uint8_t seed[8];
  put_int(seed, base);
  return protocol::crc32c(entry.first(28), protocol::crc32c(ByteView(seed, 8)));
}

void encode(std::string& out, Offset base, const IndexEntry& entry, std::uint32_t flags) {
  std::uint8_t bytes[SparseIndex::kEntryBytes];
  put_int(bytes, entry.offset);
  put_int(bytes + 8, entry.position);
  put_int(bytes + 16, entry.max_timestamp);
  put_int(bytes + 24, flags);
  put_int(bytes + 28, entry_crc(base, {bytes, 28}));
  out.append(reinterpret_cast<const char*>(bytes), sizeof(bytes));
}

}  // namespace

SparseIndex::SparseIndex(Offset base) : base_(base) {
  entries_.push_back({.offset = base, .position = 0, .max_timestamp = -1});
}

void SparseIndex::push(IndexEntry entry) {
  entries_.push_back(entry);
  if (entries_.size() <= kMaxEntries) return;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entries_.size(); i += 2) entries_[kept++] = entries_[i];
  entries_.resize(kept);
  thinning_ *= 2;
}

void SparseIndex::note(const protocol::BatchHeader& header, std::uint64_t position,
                       std::uint64_t interval_bytes) {
  if (position - entries_.back().position >= interval_bytes * thinning_) {
    const IndexEntry entry{header.base_offset, position, max_timestamp_};
    push(entry);
    fresh_.push_back(entry);
  }
  // A batch that compaction emptied has a timestamp in its header and no record that has it.
  if (header.records_count > 0) max_timestamp_ = std::max(max_timestamp_, header.max_timestamp);
}

void SparseIndex::note_gap(Offset offset, std::uint64_t position) {
  if (position == entries_.back().position) {
    entries_.back().offset = offset;  // the segment's very first batch is damaged
    return;
  }
  const IndexEntry entry{offset, position, max_timestamp_};
  push(entry);
  fresh_.push_back(entry);
}

void SparseIndex::truncate(std::uint64_t position) {
  const auto beyond = [&](const IndexEntry& entry) {
    return entry.position > 0 && entry.position >= position;
  };
  max_is_exact_ = false;
  const auto dropped = std::erase_if(entries_, beyond);
  if (std::erase_if(fresh_, beyond) < dropped) written_ = 0;  // in the file too: it is written anew
}

const IndexEntry& SparseIndex::at_or_before(Offset offset) const {
  auto above = std::upper_bound(entries_.begin(), entries_.end(), offset,
                                [](Offset o, const IndexEntry& entry) { return o < entry.offset; });
  return above == entries_.begin() ? *above : *std::prev(above);
}

std::optional<IndexEntry> SparseIndex::after(Offset offset) const {
  auto above = std::upper_bound(entries_.begin(), entries_.end(), offset,
                                [](Offset o, const IndexEntry& entry) { return o < entry.offset; });
  if (above == entries_.end()) return std::nullopt;
  return *above;
}

const IndexEntry& SparseIndex::before_time(std::int64_t timestamp) const {
  // max_timestamp never falls from entry to entry.
  auto reached = std::partition_point(entries_.begin(), entries_.end(), [&](const IndexEntry& entry) {
    return entry.max_timestamp < timestamp;
  });
  return reached == entries_.begin() ? *reached : *std::prev(reached);
}

SparseIndex::Flush SparseIndex::take_flush(std::optional<Seal> seal) {
  Flush flush;
  if (written_ == 0) {  // from the start, be it the first time or after a cut
    fresh_ = entries_;
  }
  flush.position = written_ * kEntryBytes;
  for (const IndexEntry& entry : fresh_) encode(flush.bytes, base_, entry, 0);
  written_ += fresh_.size();
  fresh_.clear();
  fresh_.shrink_to_fit();
  if (seal) {
    encode(flush.bytes, base_, {seal->end_offset, seal->size, max_timestamp_}, kSealed);
  }
  return flush;
}

bool IndexFile::write(Vfs& vfs, const std::string& path, const SparseIndex::Flush& flush) {
  auto file = vfs.open(path, flush.position == 0 ? OpenMode::create_empty : OpenMode::create);
  if (!file) return false;
  const ByteView view = as_bytes(flush.bytes);
  return (*file)->pwritev({&view, 1}, flush.position).has_value();
}

namespace {

struct Loaded {
  std::vector<IndexEntry> entries;
  std::optional<IndexEntry> seal;
};

// The good prefix of an index file.
Loaded read_entries(Vfs& vfs, const IndexSource& source) {
  Loaded loaded;
  auto content = read_file(vfs, source.index_path, kMaxFileEntries * SparseIndex::kEntryBytes);
  if (!content) return loaded;
  const ByteView bytes = as_bytes(*content);
  for (std::size_t at = 0; at + SparseIndex::kEntryBytes <= bytes.size(); at += SparseIndex::kEntryBytes) {
    const std::uint8_t* entry = bytes.data() + at;
    if (get_int<std::uint32_t>(entry + 28) != entry_crc(source.base, {entry, 28})) break;
    const IndexEntry read{get_int<Offset>(entry), get_int<std::uint64_t>(entry + 8),
                          get_int<std::int64_t>(entry + 16)};
    if (get_int<std::uint32_t>(entry + 24) == kSealed) {
      if (read.position == source.size && read.offset == source.end_offset) loaded.seal = read;
      break;
    }
    const bool first = loaded.entries.empty();
    if (read.position >= source.size && !(first && source.size == 0)) break;
    if (read.offset >= source.end_offset && !first) break;
    if (first ? read.position != 0
              : read.position <= loaded.entries.back().position ||
                    read.offset <= loaded.entries.back().offset) {
      break;
    }
    loaded.entries.push_back(read);
  }
  return loaded;
}

}  // namespace

IoResult<std::shared_ptr<SparseIndex>> IndexFile::load(Vfs& vfs, VfsFile& log, const IndexSource& source) {
  auto index = std::make_shared<SparseIndex>(source.base);
  Loaded loaded;
  if (!source.distrust_file) loaded = read_entries(vfs, source);
  WalkRange rest{.position = 0,
                 .end_position = source.size,
                 .expected = source.base,
                 .end_offset = source.end_offset,
                 .gaps = source.gaps};
  if (!loaded.entries.empty()) {
    index->entries_.clear();
    for (const IndexEntry& entry : loaded.entries) index->push(entry);
    index->written_ = loaded.entries.size();
    index->max_timestamp_ = loaded.entries.back().max_timestamp;
    rest.position = loaded.entries.back().position;
    rest.expected = loaded.entries.back().offset;
  }
  if (loaded.seal) {
    index->max_timestamp_ = loaded.seal->max_timestamp;
    return index;
  }
  BatchWalker walker(log, rest, source.epochs,
                     {.check_crc = source.distrust_file, .window_bytes = 256U << 10});
  for (;;) {
    const auto step = walker.look();
    if (step == BatchWalker::Step::failed) return std::unexpected(walker.error());
    if (step == BatchWalker::Step::end) break;
    if (step == BatchWalker::Step::damaged) {
      if (!walker.resync()) break;
      index->note_gap(walker.expected(), walker.position());
      continue;
    }
    index->note(walker.header(), walker.position(), source.interval_bytes);
    walker.pass();
  }
  if (source.sealed) {
    // Written whole when anything was wrong with it: a stale entry must not come to stand behind good ones.
    index->written_ = 0;
    write(vfs, source.index_path, index->take_flush(SparseIndex::Seal{source.end_offset, source.size}));
  } else {
    index->written_ = 0;
  }
  return index;
}

}  // namespace tidegate::storage::embedded
