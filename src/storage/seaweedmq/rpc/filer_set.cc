#include "rpc/filer_set.h"

#include <algorithm>
#include <utility>

namespace tidegate::storage::seaweedmq {

void FilerSet::assign(const std::vector<ServerAddress>& filers) {
  std::lock_guard lock(mutex_);
  const std::shared_ptr<Endpoint> preferred = endpoints_.empty() ? nullptr : endpoints_[preferred_];
  std::vector<std::shared_ptr<Endpoint>> next;
  for (const ServerAddress& filer : filers) {
    const std::string address = filer.grpc();
    auto same = [&address](const auto& endpoint) { return endpoint->address() == address; };
    if (std::ranges::any_of(next, same)) continue;
    const auto known = std::ranges::find_if(endpoints_, same);
    next.push_back(known != endpoints_.end() ? *known : make_(filer));
  }
  endpoints_ = std::move(next);
  const auto at = std::ranges::find(endpoints_, preferred);
  preferred_ = at == endpoints_.end() ? 0 : static_cast<std::size_t>(at - endpoints_.begin());
}

std::shared_ptr<Endpoint> FilerSet::pick(const Endpoint* failed) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<Endpoint> last_resort;
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    const std::size_t index = (preferred_ + i) % endpoints_.size();
    const auto& endpoint = endpoints_[index];
    if (endpoint.get() == failed) {
      last_resort = endpoint;
      continue;
    }
    if (endpoint->breaker().allow()) {
      preferred_ = index;
      return endpoint;
    }
  }
  if (last_resort && last_resort->breaker().allow()) return last_resort;
  return nullptr;
}

std::shared_ptr<Endpoint> FilerSet::find(const std::string& address) const {
  std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(
      endpoints_, [&address](const auto& endpoint) { return endpoint->address() == address; });
  return found == endpoints_.end() ? nullptr : *found;
}

std::size_t FilerSet::size() const {
  std::lock_guard lock(mutex_);
  return endpoints_.size();
}

bool FilerSet::any_usable() const {
  std::lock_guard lock(mutex_);
  return std::ranges::any_of(endpoints_, [](const auto& endpoint) { return !endpoint->breaker().is_open(); });
}

}  // namespace tidegate::storage::seaweedmq
