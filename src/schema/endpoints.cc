#include "endpoints.h"

#include <algorithm>
#include <utility>

namespace tidegate::schema {

Endpoints::Endpoints(std::vector<std::string> urls) {
  for (auto& url : urls)
    all_.push_back({.url = std::move(url), .failures = {}, .next_probe = {}, .last_problem = {}});
}

bool Endpoints::may_ask(std::size_t index, MonoTime now) {
  Endpoint& endpoint = all_[index];
  if (!endpoint.open) return true;
  if (now < endpoint.next_probe) return false;
  endpoint.next_probe = now + kProbeEvery;
  return true;
}

void Endpoints::succeeded(std::size_t index) {
  Endpoint& endpoint = all_[index];
  endpoint.open = false;
  endpoint.failures.clear();
  endpoint.last_problem.clear();
}

void Endpoints::failed(std::size_t index, MonoTime now, std::string problem) {
  Endpoint& endpoint = all_[index];
  endpoint.last_problem = std::move(problem);
  endpoint.failures.push_back(now);
  while (endpoint.failures.size() > kFailuresToOpen || endpoint.failures.front() + kFailureWindow < now) {
    endpoint.failures.pop_front();
  }
  if (endpoint.open || endpoint.failures.size() < kFailuresToOpen) return;
  endpoint.open = true;
  endpoint.next_probe = now + kProbeEvery;
}

std::size_t Endpoints::open_count() const {
  return static_cast<std::size_t>(std::ranges::count(all_, true, &Endpoint::open));
}

}  // namespace tidegate::schema
