// Tells which sessions of other gateways have ended without a word. Gateways share no clock: a session counts
// as ended when its entry has stood still for longer than a lease on the clock of whoever looks. Its owner
// counts from before it sent what we saw, so its lease is over by then. Pure; one shard.
#pragma once

#include <map>
#include <string>

#include "tidegate/base/clock.h"

namespace tidegate::storage::seaweedmq {

class SessionWatch {
 public:
  // Gateways' clocks may run at rates that differ by less than one part in five.
  explicit SessionWatch(Duration lease) : patience_(lease + lease / 5) {}

  // The session's entry had this ETag when an answer came that was awaited until `now`. True: for too long.
  bool stands_still(const std::string& name, const std::string& etag, MonoTime now) {
    auto& seen = seen_[name];
    if (seen.etag != etag) seen = {.etag = etag, .since = now};
    return now - seen.since > patience_;
  }
  void forget(const std::string& name) { seen_.erase(name); }
  // All but those for which `keep` says true.
  template <class Keep>
  void keep_only(Keep keep) {
    std::erase_if(seen_, [&](const auto& entry) { return !keep(entry.first); });
  }
  std::size_t size() const { return seen_.size(); }

 private:
  struct Seen {
    std::string etag;
    MonoTime since;
  };
  const Duration patience_;
  std::map<std::string, Seen> seen_;
};

}  // namespace tidegate::storage::seaweedmq
