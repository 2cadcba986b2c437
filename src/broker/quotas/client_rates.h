// What the clients that a quota holds for have used lately. Of the whole process: a user's connections are
// spread over the shards and share its quota, so any shard may call at any time; a lock is held for one
// look-up. What nothing was recorded in for a whole window is forgotten, and no more than a number are kept:
// clients beyond it share one rate a kind.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "quotas/rate_window.h"
#include "tidegate/base/metrics.h"
#include "tidegate/broker/quota_table.h"

namespace tidegate::broker {

class ClientRates {
 public:
  // `kept` shows how many rates there are.
  ClientRates(WindowShape shape, std::size_t max_rates, Gauge& kept);

  const WindowShape& shape() const { return shape_; }

  // Counts `value`, and tells how long the client has to be quiet for it: no longer than `longest`.
  Duration record(QuotaKind kind, const FoundQuota& quota, double value, MonoTime now, Duration longest);
  // Counts `value` if the rate stays within the quota then, and gives 0. Else nothing is counted. One value
  // that is more than a whole window allows goes through where all that the window allows would.
  Duration try_record(QuotaKind kind, const FoundQuota& quota, double value, MonoTime now, Duration longest);
  // Counts and says nothing.
  void add(QuotaKind kind, const FoundQuota& quota, double value, MonoTime now);

 private:
  static constexpr std::size_t kStripes = 16;
  struct Stripe {
    std::mutex mutex;
    std::unordered_map<std::string, RateWindow> rates;
    std::array<std::unique_ptr<RateWindow>, kQuotaKinds> shared;  // of clients beyond the limit
  };
  static std::string key_of(QuotaKind kind, const FoundQuota& quota);
  // With the stripe's lock held.
  RateWindow& rate_of(Stripe& stripe, std::string key, QuotaKind kind, MonoTime now);
  template <class Use>
  auto with_rate(QuotaKind kind, const FoundQuota& quota, MonoTime now, Use use);

  const WindowShape shape_;
  const std::size_t max_of_stripe_;
  Gauge& kept_;
  std::array<Stripe, kStripes> stripes_;
};

}  // namespace tidegate::broker
