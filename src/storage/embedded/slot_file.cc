#include "slot_file.h"

#include <array>
#include <limits>

#include "coding.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::storage::embedded {

namespace {

constexpr std::uint8_t kCopyVersion = 1;
constexpr std::size_t kMaxFileBytes = 1U << 30;
constexpr std::uint8_t kShowsUnsynced = 1;
constexpr std::uint8_t kBroken = 2;

struct Copy {
  PartitionId id;
  Slot slot;
  RunMark run;
  std::uint64_t sequence = 0;
};

std::array<std::uint8_t, SlotFile::kCopyBytes> encode(const Copy& copy) {
  std::array<std::uint8_t, SlotFile::kCopyBytes> out{};
  out[4] = kCopyVersion;
  out[5] = static_cast<std::uint8_t>(copy.slot.state);
  if (copy.run.shows_unsynced) out[6] |= kShowsUnsynced;
  if (copy.slot.broken) out[6] |= kBroken;
  std::memcpy(out.data() + 8, copy.id.topic.bytes.data(), 16);
  put_int(out.data() + 24, copy.id.index);
  put_int(out.data() + 28, copy.run.boot);
  put_int(out.data() + 32, copy.sequence);
  put_int(out.data() + 40, copy.slot.end.offset);
  put_int(out.data() + 48, copy.slot.end.segment);
  put_int(out.data() + 56, copy.slot.end.position);
  put_int(out.data(), protocol::crc32c(ByteView(out).subspan(4)));
  return out;
}

std::optional<Copy> decode(ByteView bytes) {
  if (get_int<std::uint32_t>(bytes.data()) != protocol::crc32c(bytes.subspan(4))) return std::nullopt;
  if (bytes[4] != kCopyVersion || bytes[5] > 2) return std::nullopt;
  Copy copy;
  copy.slot.state = static_cast<SlotState>(bytes[5]);
  copy.slot.broken = (bytes[6] & kBroken) != 0;
  copy.run.shows_unsynced = (bytes[6] & kShowsUnsynced) != 0;
  std::memcpy(copy.id.topic.bytes.data(), bytes.data() + 8, 16);
  copy.id.index = get_int<std::int32_t>(bytes.data() + 24);
  copy.run.boot = get_int<std::uint32_t>(bytes.data() + 28);
  copy.sequence = get_int<std::uint64_t>(bytes.data() + 32);
  copy.slot.end.offset = get_int<Offset>(bytes.data() + 40);
  copy.slot.end.segment = get_int<Offset>(bytes.data() + 48);
  copy.slot.end.position = get_int<std::uint64_t>(bytes.data() + 56);
  return copy;
}

}  // namespace

IoResult<void> SlotFile::open(Vfs& vfs, const std::string& data_dir, RunMark run) {
  const std::string path = data_dir + "/slots";
  auto content = read_file(vfs, path, kMaxFileBytes);
  if (!content && content.error().code != ENOENT) return std::unexpected(content.error());
  auto file = vfs.open(path, OpenMode::create);
  if (!file) return std::unexpected(file.error());
  // What a killed process wrote may be in the page cache alone; and a slot in a file without a name on
  // disk would be none.
  if (auto synced = content ? (*file)->datasync() : vfs.sync_dir(data_dir); !synced) return synced;
  const std::lock_guard lock(mutex_);
  file_ = std::move(*file);
  run_ = run;
  if (content) read(as_bytes(*content));
  return {};
}

void SlotFile::read(ByteView bytes) {
  entries_.clear();
  free_.clear();
  count_ = static_cast<std::uint32_t>((bytes.size() + kSlotBytes - 1) / kSlotBytes);
  for (std::uint32_t i = 0; i < count_; ++i) {
    std::optional<Copy> best;
    Entry entry;
    entry.index = i;
    bool damaged = false;
    for (unsigned which = 0; which < 2; ++which) {
      const std::size_t at = i * kSlotBytes + which * kCopyBytes;
      if (at + kCopyBytes > bytes.size()) break;
      auto copy = decode(bytes.subspan(at, kCopyBytes));
      damaged |= !copy;
      if (!copy || (best && copy->sequence < best->sequence)) continue;
      best = copy;
      entry.copy = which;
      entry.sequence = copy->sequence;
    }
    if (!best || best->slot.state == SlotState::free) {
      free_.push_back(entry);
      continue;
    }
    // The copy that is gone may have been the later one.
    if (damaged) best->slot.state = SlotState::dirty;
    entry.slot = best->slot;
    entry.run = best->run;
    entries_[best->id] = entry;
  }
}

std::optional<SlotFile::Found> SlotFile::find(const PartitionId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  return Found{found->second.slot, found->second.run};
}

std::vector<PartitionId> SlotFile::partitions(std::optional<SlotState> state) const {
  const std::lock_guard lock(mutex_);
  std::vector<PartitionId> ids;
  for (const auto& [id, entry] : entries_) {
    if (!state || entry.slot.state == *state) ids.push_back(id);
  }
  return ids;
}

void SlotFile::allot(const PartitionId& id) {
  const std::lock_guard lock(mutex_);
  auto [entry, made] = entries_.try_emplace(id);
  if (!made) return;
  if (free_.empty()) {
    entry->second.index = count_++;
  } else {
    // Its sequence goes on: what is left in the other copy must not count as the later one.
    entry->second = free_.back();
    free_.pop_back();
  }
}

// With write_mutex_ held.
IoResult<void> SlotFile::write_entry(const PartitionId& id, Entry& entry) {
  const auto bytes = encode({.id = id, .slot = entry.slot, .run = entry.run, .sequence = entry.sequence});
  const ByteView view(bytes);
  return file_->pwritev({&view, 1}, entry.index * kSlotBytes + entry.copy * kCopyBytes);
}

IoResult<void> SlotFile::write(const PartitionId& id, const Slot& slot) {
  const std::lock_guard writing(write_mutex_);
  Entry entry;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return {};
    entry = found->second;
    // Over the last copy, unless that one is on disk by now.
    if (synced_ > entry.written_at) entry.copy ^= 1U;
  }
  ++entry.sequence;
  entry.slot = slot;
  entry.run = run_;
  const auto wrote = write_entry(id, entry);
  const std::lock_guard lock(mutex_);
  // A copy that was not written whole stays the one to write.
  entry.written_at = wrote ? syncs_begun_ : std::numeric_limits<std::uint64_t>::max();
  const auto found = entries_.find(id);
  if (found == entries_.end()) return wrote;
  if (!wrote) {
    entry.slot = found->second.slot;
    entry.run = found->second.run;
  }
  found->second = entry;
  return wrote;
}

void SlotFile::release(const PartitionId& id) {
  if (!write(id, Slot{})) return;
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  free_.push_back(found->second);
  entries_.erase(found);
}

// After a failed sync the kernel calls pages clean that never reached the disk: written again, they are
// dirty again.
IoResult<void> SlotFile::rewrite_all() {
  const std::lock_guard writing(write_mutex_);
  std::unordered_map<PartitionId, Entry> entries;
  {
    const std::lock_guard lock(mutex_);
    entries = entries_;
  }
  for (auto& [id, entry] : entries) {
    if (auto wrote = write_entry(id, entry); !wrote) return wrote;
  }
  return {};
}

IoResult<void> SlotFile::sync() {
  std::uint64_t wanted = 0;
  {
    const std::lock_guard lock(mutex_);
    wanted = syncs_begun_ + 1;
  }
  const std::lock_guard syncing(sync_mutex_);
  std::uint64_t mine = 0;
  {
    const std::lock_guard lock(mutex_);
    if (synced_ >= wanted) return {};
    mine = ++syncs_begun_;
  }
  // unsound_ is read and written under sync_mutex_.
  auto synced = unsound_ ? rewrite_all() : IoResult<void>();
  if (synced) synced = file_->datasync();
  unsound_ = !synced;
  const std::lock_guard lock(mutex_);
  if (synced) synced_ = mine;
  return synced;
}

}  // namespace tidegate::storage::embedded
