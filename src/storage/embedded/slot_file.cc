#include "slot_file.h"

#include <array>

#include "coding.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::storage::embedded {

namespace {

constexpr std::uint8_t kCopyVersion = 1;
constexpr std::size_t kMaxFileBytes = 1U << 30;

struct Copy {
  PartitionId id;
  Slot slot;
  std::uint64_t sequence = 0;
};

std::array<std::uint8_t, SlotFile::kCopyBytes> encode(const Copy& copy) {
  std::array<std::uint8_t, SlotFile::kCopyBytes> out{};
  out[4] = kCopyVersion;
  out[5] = static_cast<std::uint8_t>(copy.slot.state);
  std::memcpy(out.data() + 8, copy.id.topic.bytes.data(), 16);
  put_int(out.data() + 24, copy.id.index);
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
  std::memcpy(copy.id.topic.bytes.data(), bytes.data() + 8, 16);
  copy.id.index = get_int<std::int32_t>(bytes.data() + 24);
  copy.sequence = get_int<std::uint64_t>(bytes.data() + 32);
  copy.slot.end.offset = get_int<Offset>(bytes.data() + 40);
  copy.slot.end.segment = get_int<Offset>(bytes.data() + 48);
  copy.slot.end.position = get_int<std::uint64_t>(bytes.data() + 56);
  return copy;
}

}  // namespace

IoResult<void> SlotFile::open(Vfs& vfs, const std::string& path) {
  auto content = read_file(vfs, path, kMaxFileBytes);
  if (!content && content.error().code != ENOENT) return std::unexpected(content.error());
  auto file = vfs.open(path, OpenMode::create);
  if (!file) return std::unexpected(file.error());
  const std::lock_guard lock(mutex_);
  file_ = std::move(*file);
  if (!content) return {};
  const ByteView bytes = as_bytes(*content);
  count_ = static_cast<std::uint32_t>((bytes.size() + kSlotBytes - 1) / kSlotBytes);
  for (std::uint32_t i = 0; i < count_; ++i) {
    std::optional<Copy> best;
    bool damaged = false;
    for (std::size_t at = i * kSlotBytes; at < (i + 1) * kSlotBytes && at + kCopyBytes <= bytes.size();
         at += kCopyBytes) {
      auto copy = decode(bytes.subspan(at, kCopyBytes));
      damaged |= !copy;
      if (copy && (!best || copy->sequence > best->sequence)) best = copy;
    }
    if (!best || best->slot.state == SlotState::free) {
      free_.push_back(i);
      continue;
    }
    // The copy that is gone may have been the later one.
    if (damaged) best->slot.state = SlotState::dirty;
    entries_[best->id] = Entry{{i, best->sequence}, best->slot};
  }
  return {};
}

std::optional<SlotFile::Found> SlotFile::find(const PartitionId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  return Found{found->second.ref, found->second.slot};
}

std::vector<PartitionId> SlotFile::partitions(std::optional<SlotState> state) const {
  const std::lock_guard lock(mutex_);
  std::vector<PartitionId> ids;
  for (const auto& [id, entry] : entries_) {
    if (!state || entry.slot.state == *state) ids.push_back(id);
  }
  return ids;
}

SlotRef SlotFile::allot(const PartitionId& id) {
  const std::lock_guard lock(mutex_);
  auto [entry, made] = entries_.try_emplace(id);
  if (!made) return entry->second.ref;
  SlotRef& ref = entry->second.ref;
  if (free_.empty()) {
    ref.index = count_++;
  } else {
    ref.index = free_.back();
    free_.pop_back();
  }
  return ref;
}

IoResult<void> SlotFile::write(const PartitionId& id, SlotRef& ref, const Slot& slot) {
  const auto bytes = encode({.id = id, .slot = slot, .sequence = ++ref.sequence});
  const ByteView view(bytes);
  const std::uint64_t at = ref.index * kSlotBytes + (ref.sequence % 2) * kCopyBytes;
  if (auto wrote = file_->pwritev({&view, 1}, at); !wrote) return wrote;
  const std::lock_guard lock(mutex_);
  if (auto entry = entries_.find(id); entry != entries_.end()) entry->second = Entry{ref, slot};
  return {};
}

void SlotFile::release(const PartitionId& id) {
  auto found = find(id);
  if (!found) return;
  SlotRef ref = found->ref;
  // Both copies, so that neither brings the partition back.
  bool written = true;
  for (int copy = 0; copy < 2; ++copy) written &= write(id, ref, Slot{}).has_value();
  const std::lock_guard lock(mutex_);
  entries_.erase(id);
  if (written) free_.push_back(ref.index);
}

IoResult<void> SlotFile::sync() { return file_->datasync(); }

}  // namespace tidegate::storage::embedded
