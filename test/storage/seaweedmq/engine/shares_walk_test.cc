// Three gateways that share a topic out in a random walk of appends, pauses, lost answers, stops and starts:
// no partition is served by two at a time, nothing that was acknowledged is lost or twice, and once all is
// quiet everything is served again.
#include <algorithm>
#include <array>

#include "shares_rig.h"

namespace tidegate::test {
namespace {

class SharesWalk : public testing::TestWithParam<int> {
 protected:
  static constexpr std::size_t kGateways = 3;
  static constexpr std::int32_t kUsed = 4;  // partitions that are written
  struct Place {
    std::unique_ptr<Gateway> gateway;
    bool cut = false;
  };

  void SetUp() override {
    places_[0].gateway = rig_.with_topic();
    for (std::size_t i = 1; i < kGateways; ++i) places_[i].gateway = rig_.gateway();
    rig_.pass(kRound * 3);
  }
  void set_cut(Place& place, bool cut) {
    place.cut = cut;
    place.gateway->cut_off(cut);
  }
  void restart(Place& place) {
    set_cut(place, false);
    rig_.pass(kStep * 3);  // no call of it waits for the clock
    place.gateway->stop();
    place.gateway = rig_.gateway();
  }
  void append(Place& place, std::int32_t partition) {
    if (place.cut) return;
    const std::string value = std::to_string(++last_value_);
    if (rig_.append(*place.gateway, partition, value))
      acked_[static_cast<std::size_t>(partition)].push_back(value);
  }
  // How many serve it; each of them all that was acknowledged.
  int serving(std::int32_t partition) {
    int count = 0;
    for (Place& place : places_) {
      if (place.cut) continue;  // opening would wait for it
      const auto values = rig_.values(*place.gateway, partition);
      if (!values) continue;
      ++count;
      EXPECT_EQ(*values, acked_[static_cast<std::size_t>(partition)]) << partition;
    }
    return count;
  }
  void check() {
    for (std::int32_t i = 0; i < kUsed; ++i) ASSERT_LE(serving(i), 1) << i;
  }

  SharesRig rig_;
  std::array<Place, kGateways> places_;
  std::array<Values, kUsed> acked_;
  int last_value_ = 0;
};

TEST_P(SharesWalk, OneServesEachPartition_AndNothingIsLostOrTwice) {
  SeededRng rng(static_cast<std::uint64_t>(GetParam()));
  std::uint64_t transacts = 0;
  rig_.cluster.set_script([&](const SeaweedCall& call) {
    const bool ours =
        call.path.find("/sessions/") != std::string::npos || call.path.find("/fences/") != std::string::npos;
    if (call.op != SeaweedOp::transact || !ours) return SeaweedFault::none;
    return ++transacts % 11 == 0 ? SeaweedFault::error_after : SeaweedFault::none;
  });
  for (int event = 0; event < 60 && !HasFailure(); ++event) {
    Place& place = places_[rng.below(kGateways)];
    switch (rng.below(8)) {
      case 0:
        set_cut(place, !place.cut);
        break;
      case 1:
        if (rng.below(2) == 0) restart(place);
        break;
      case 2:
        rig_.pass(kStep * static_cast<int>(rng.below(20)));
        break;
      default:
        append(place, static_cast<std::int32_t>(rng.below(kUsed)));
    }
    check();
  }
  rig_.cluster.set_script({});
  for (Place& place : places_) set_cut(place, false);
  rig_.pass(kTakeOver + kRound * 6);
  for (std::int32_t i = 0; i < kUsed; ++i) EXPECT_EQ(serving(i), 1) << i;
  EXPECT_GT(last_value_, 10);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SharesWalk, testing::Range(1, 7));

}  // namespace
}  // namespace tidegate::test
