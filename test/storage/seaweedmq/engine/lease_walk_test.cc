// Three gateways over one SeaweedFS in a random walk of appends, pauses, lost answers, kills and clean ends:
// one of them serves at a time, a reader misses nothing that was acknowledged, and nothing is there twice.
#include <algorithm>
#include <array>

#include "lease_rig.h"

namespace tidegate::test {
namespace {

using std::chrono::seconds;

class LeaseWalk : public testing::TestWithParam<int> {
 protected:
  static constexpr std::size_t kGateways = 3;
  struct Place {
    std::unique_ptr<Gateway> gateway;
    bool cut = false;
  };

  void SetUp() override {
    for (Place& place : places_) place.gateway = rig_.gateway();
    ASSERT_TRUE(places_[0].gateway->make_topic());
    for (Place& place : places_) restart(place);  // the others read the topic's record at their start
  }
  void restart(Place& place) {
    if (place.cut) {
      place.gateway->cut_off(false);
      place.cut = false;
    }
    rig_.pass(kStep * 2);  // no call of it waits for the clock
    place.gateway->stop();
    place.gateway = rig_.gateway();
  }
  void append(Place& place) {
    if (place.cut || !place.gateway->open()) return;
    const std::string value = std::to_string(++last_value_);
    if (place.gateway->append_values({value})) acked_.push_back(value);
  }
  void check() {
    int serving = 0;
    for (Place& place : places_) {
      if (place.cut && !opened(place)) continue;
      if (!place.cut && !place.gateway->open()) continue;
      const auto read = place.gateway->read(0);
      if (!read) continue;
      ++serving;
      const auto values = values_of(records_of(*read));
      ASSERT_EQ(values, acked_);
    }
    ASSERT_LE(serving, 1);
  }
  bool opened(Place& place) { return place.gateway->was_opened(); }

  LeaseRig rig_;
  std::array<Place, kGateways> places_;
  Values acked_;
  int last_value_ = 0;
};

TEST_P(LeaseWalk, OneServesAtATime_AndNothingIsLostOrTwice) {
  SeededRng rng(static_cast<std::uint64_t>(GetParam()));
  std::uint64_t transacts = 0;
  rig_.cluster.set_script([&](const SeaweedCall& call) {
    if (call.op != SeaweedOp::transact || call.path.find("/sessions/") == std::string::npos)
      return SeaweedFault::none;
    return ++transacts % 7 == 0 ? SeaweedFault::error_after : SeaweedFault::none;
  });
  for (int event = 0; event < 150 && !HasFatalFailure(); ++event) {
    Place& place = places_[rng.below(kGateways)];
    switch (rng.below(10)) {
      case 0:
        place.cut = !place.cut;
        place.gateway->cut_off(place.cut);
        break;
      case 1:
        if (rng.below(3) == 0) restart(place);
        break;
      case 2:
      case 3:
        rig_.pass(kStep * static_cast<int>(rng.below(15)), [&] { check(); });
        break;
      default:
        append(place);
    }
    check();
  }
  rig_.cluster.set_script({});
  for (Place& place : places_) restart(place);
  check();
  EXPECT_GT(acked_.size(), 10U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LeaseWalk, testing::Range(1, 13));

}  // namespace
}  // namespace tidegate::test
