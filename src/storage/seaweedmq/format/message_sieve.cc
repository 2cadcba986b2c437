#include "message_sieve.h"

namespace tidegate::storage::seaweedmq {

namespace {
// A stream that broke is not read by its broker for longer.
constexpr std::int64_t kStrayNs = 10'000'000'000;
}  // namespace

void MessageSieve::note(const RecordMessageReader::Taken& taken, std::int64_t ts_ns) {
  if (taken.strays.empty()) return;
  if (strays_.size() + taken.strays.size() > kMostStrays) strays_.clear();
  for (const std::uint32_t crc : taken.strays) ++strays_[crc];
  strays_until_ns_ = ts_ns + kStrayNs;
}

bool MessageSieve::is_stray(const LogEntry& entry) {
  if (strays_.empty()) return false;
  if (entry.ts_ns > strays_until_ns_) {
    strays_.clear();
    return false;
  }
  const auto found = strays_.find(message_crc(entry.key, entry.data));
  if (found == strays_.end()) return false;
  if (--found->second == 0) strays_.erase(found);
  return true;
}

SiftedChunk MessageSieve::sift(const SharedBuffer& chunk) {
  SiftedChunk sifted;
  FrameReader frames(chunk);
  std::vector<bool> others;
  while (const auto entry = frames.next()) {
    if (!*entry) break;
    const LogEntry& one = **entry;
    const auto taken = reader_.take(one, chunk);
    if (taken.begins) begun_in_ = chunk;
    note(taken, one.ts_ns);
    const bool is_others = !taken.ours && !is_stray(one);
    others.push_back(is_others);
    sifted.all = sifted.all && is_others;
    if (!is_others) continue;
    if (sifted.count++ == 0) sifted.first_ts_ns = one.ts_ns;
    sifted.last_ts_ns = one.ts_ns;
    sifted.bytes += one.key.size() + one.data.size();
  }
  if (!reader_.is_open()) begun_in_ = {};
  if (!sifted.all) sifted.others = std::move(others);
  return sifted;
}

}  // namespace tidegate::storage::seaweedmq
