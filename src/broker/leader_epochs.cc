// Leader epoch look-ups over the ascending table of starts that every log keeps.
#include "leader_epochs.h"

#include <algorithm>

namespace tidegate::broker {

EpochEnd end_of_epoch(std::span<const storage::EpochStart> epochs, LeaderEpoch epoch, Offset log_end) {
  if (epoch == kNoEpoch || epochs.empty()) return {};
  const LeaderEpoch newest = epochs.back().epoch;
  if (epoch == newest) return {epoch, log_end};
  if (epoch > newest) return {};
  const auto above = std::ranges::upper_bound(epochs, epoch, {}, &storage::EpochStart::epoch);
  // Older than everything kept: it ended where the oldest kept one begins.
  if (above == epochs.begin()) return {epoch, above->start};
  return {std::prev(above)->epoch, above->start};
}

LeaderEpoch epoch_at(std::span<const storage::EpochStart> epochs, Offset offset) {
  if (epochs.empty()) return kNoEpoch;
  const auto above = std::ranges::upper_bound(epochs, offset, {}, &storage::EpochStart::start);
  return above == epochs.begin() ? epochs.front().epoch : std::prev(above)->epoch;
}

}  // namespace tidegate::broker
