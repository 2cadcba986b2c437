#include "classic/pending_ids.h"

#include <utility>

namespace tidegate::groups {

void PendingIds::add(std::string id, std::size_t limit, TimerQueue& timers, MonoTime expires_at) {
  while (!ids_.empty() && ids_.size() >= limit) erase(std::string(by_age_.begin()->second));
  const auto [place, inserted] = ids_.try_emplace(std::move(id));
  if (!inserted) return;
  place->second.order = next_order_++;
  by_age_.emplace(place->second.order, place->first);
  place->second.expiry.arm(timers, TimerKind::classic_pending_id, place->first, expires_at);
}

bool PendingIds::erase(std::string_view id) {
  const auto place = ids_.find(id);
  if (place == ids_.end()) return false;
  by_age_.erase(place->second.order);
  ids_.erase(place);
  return true;
}

}  // namespace tidegate::groups
