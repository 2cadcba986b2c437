// Gateways with leases on a clock that the test turns: a gateway that is cut off is one that was paused, as
// far as everybody else can tell.
#pragma once

#include "seaweed_rig.h"

namespace tidegate::test {

inline constexpr std::chrono::milliseconds kTestLease(1000);
inline constexpr std::chrono::milliseconds kStep(100);

class LeaseRig : public SeaweedRig {
 public:
  LeaseRig() : SeaweedRig(static_cast<ManualClock*>(nullptr)) { options.lease = kTestLease; }

  // In small steps, each with time for what it sets off.
  template <class EachStep>
  void pass(Duration time, EachStep each_step) {
    for (Duration done(0); done < time; done += kStep) {
      shards().advance(kStep);
      shards().settle(40);
      each_step();
    }
  }
  void pass(Duration time) {
    pass(time, [] {});
  }
};

inline bool serves(Gateway& gateway) { return gateway.read(0).has_value(); }

}  // namespace tidegate::test
