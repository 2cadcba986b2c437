// Random walks of a consumer group on virtual time. TIDEGATE_SEED repeats one; TIDEGATE_SIM_SEEDS says how
// many (default: 200, 20 under a sanitizer); TIDEGATE_SIM_EVENTS how long each is.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "sim/group_world.h"

namespace tidegate::groups::sim {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr std::uint64_t kSeeds = 20;
#else
constexpr std::uint64_t kSeeds = 200;
#endif
#else
constexpr std::uint64_t kSeeds = 200;
#endif
constexpr std::uint64_t kFirstSeed = 1'000;

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

// True when the walk ended without a breach.
bool walk(std::uint64_t seed, std::uint64_t events) {
  World world(seed);
  std::uint64_t next_replay = 1'000;
  std::uint64_t next_rest = 10'000;
  while (world.failure().empty() && world.events() < events) {
    world.step();
    if (world.events() >= next_replay) {
      world.check_replay();
      next_replay = world.events() + 1'000;
    }
    if (world.events() >= next_rest) {
      world.settle();
      next_rest = world.events() + 10'000;
    }
  }
  if (world.failure().empty()) world.check_replay();
  if (world.failure().empty()) {
    if (std::getenv("TIDEGATE_SEED") != nullptr) std::printf("seed %lu: %s\n", seed, world.summary().c_str());
    return true;
  }
  ADD_FAILURE() << world.failure() << "\n" << world.summary() << "\nrepeat with TIDEGATE_SEED=" << seed;
  return false;
}

// The seeds in four parts, so that a failure names its part at once.
class GroupWalk : public testing::TestWithParam<std::uint64_t> {};

TEST_P(GroupWalk, KeepsItsPromises) {
  const auto events = setting("TIDEGATE_SIM_EVENTS", 100'000);
  if (std::getenv("TIDEGATE_SEED") != nullptr) {
    if (GetParam() == 0) walk(setting("TIDEGATE_SEED", 0), events);
    return;
  }
  const auto seeds = setting("TIDEGATE_SIM_SEEDS", kSeeds);
  for (std::uint64_t i = GetParam(); i < seeds; i += 4) {
    if (!walk(kFirstSeed + i, events)) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Part, GroupWalk, testing::Range<std::uint64_t>(0, 4));

}  // namespace
}  // namespace tidegate::groups::sim
