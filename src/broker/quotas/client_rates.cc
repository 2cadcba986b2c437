#include "quotas/client_rates.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace tidegate::broker {
namespace {

// Of a name in a key. What is longer is cut, and told apart by a hash.
constexpr std::size_t kMaxNameBytes = 256;

void append(std::string& key, std::string_view name) {
  if (name.size() <= kMaxNameBytes) {
    key += name;
  } else {
    key += name.substr(0, kMaxNameBytes);
    key += fmt::format("~{:016x}", std::hash<std::string_view>{}(name));
  }
}

}  // namespace

ClientRates::ClientRates(WindowShape shape, std::size_t max_rates, Gauge& kept)
    : shape_(shape), max_of_stripe_(std::max<std::size_t>(1, max_rates / kStripes)), kept_(kept) {}

std::string ClientRates::key_of(QuotaKind kind, const FoundQuota& quota) {
  std::string key = fmt::format("{}/{}/", static_cast<int>(kind), std::min(quota.user.size(), kMaxNameBytes));
  append(key, quota.user);
  append(key, quota.client_id);
  return key;
}

RateWindow& ClientRates::rate_of(Stripe& stripe, std::string key, QuotaKind kind, MonoTime now) {
  if (const auto at = stripe.rates.find(key); at != stripe.rates.end()) return at->second;
  if (stripe.rates.size() >= max_of_stripe_) {
    const std::size_t gone =
        std::erase_if(stripe.rates, [&](const auto& each) { return each.second.is_idle(shape_, now); });
    kept_.add(-static_cast<std::int64_t>(gone));
  }
  if (stripe.rates.size() >= max_of_stripe_) {
    auto& shared = stripe.shared[static_cast<std::size_t>(kind)];
    if (!shared) shared = std::make_unique<RateWindow>(shape_);
    return *shared;
  }
  kept_.add(1);
  return stripe.rates.emplace(std::move(key), RateWindow(shape_)).first->second;
}

template <class Use>
auto ClientRates::with_rate(QuotaKind kind, const FoundQuota& quota, MonoTime now, Use use) {
  std::string key = key_of(kind, quota);
  Stripe& stripe = stripes_[std::hash<std::string>{}(key) % kStripes];
  const std::lock_guard lock(stripe.mutex);
  return use(rate_of(stripe, std::move(key), kind, now));
}

Duration ClientRates::record(QuotaKind kind, const FoundQuota& quota, double value, MonoTime now,
                             Duration longest) {
  return with_rate(kind, quota, now, [&](RateWindow& rate) {
    rate.record(shape_, value, now);
    return std::min(rate.excess(shape_, quota.bound, now), longest);
  });
}

Duration ClientRates::try_record(QuotaKind kind, const FoundQuota& quota, double value, MonoTime now,
                                 Duration longest) {
  return with_rate(kind, quota, now, [&](RateWindow& rate) {
    const double counted = std::min(value, shape_.burst(quota.bound));
    rate.record(shape_, counted, now);
    const Duration wait = std::min(rate.excess(shape_, quota.bound, now), longest);
    rate.record(shape_, wait > Duration{0} ? -counted : value - counted, now);
    return wait;
  });
}

void ClientRates::add(QuotaKind kind, const FoundQuota& quota, double value, MonoTime now) {
  with_rate(kind, quota, now, [&](RateWindow& rate) { rate.record(shape_, value, now); });
}

}  // namespace tidegate::broker
