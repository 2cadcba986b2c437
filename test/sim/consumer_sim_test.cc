// Random walks of a KIP-848 group on virtual time. TIDEGATE_SEED repeats one; TIDEGATE_SIM_SEEDS says how
// many (default: 200, 20 under a sanitizer), TIDEGATE_SIM_FIRST_SEED from which on; TIDEGATE_SIM_EVENTS how
// long each is.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "sim/consumer_world.h"

namespace tidegate::groups::sim {
namespace {

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr std::uint64_t kSeeds = 20;
#else
constexpr std::uint64_t kSeeds = 200;
#endif
constexpr std::uint64_t kEvents = 100'000;
constexpr std::uint64_t kFirstSeed = 1'000;

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

bool walk(std::uint64_t seed, std::uint64_t events) {
  ConsumerWorld world(seed);
  std::uint64_t next_rest = 3'000;
  std::uint64_t next_replay = 1'000;
  while (world.failure().empty() && world.events() < events) {
    world.step();
    if (world.events() >= next_replay) {
      world.check_replay();
      next_replay = world.events() + 1'000;
    }
    if (world.events() < next_rest) continue;
    world.settle();
    next_rest = world.events() + 3'000;
  }
  if (world.failure().empty()) world.check_replay();
  if (std::getenv("TIDEGATE_SEED") != nullptr) std::printf("seed %lu: %s\n", seed, world.summary().c_str());
  if (world.failure().empty()) return true;
  ADD_FAILURE() << world.failure() << "\n" << world.summary() << "\nrepeat with TIDEGATE_SEED=" << seed;
  return false;
}

TEST(ConsumerGroupWalk, KeepsItsPromises) {
  const auto events = setting("TIDEGATE_SIM_EVENTS", kEvents);
  if (std::getenv("TIDEGATE_SEED") != nullptr) {
    walk(setting("TIDEGATE_SEED", 0), events);
    return;
  }
  const auto seeds = setting("TIDEGATE_SIM_SEEDS", kSeeds);
  const auto first = setting("TIDEGATE_SIM_FIRST_SEED", kFirstSeed);
  for (std::uint64_t i = 0; i < seeds; ++i) {
    if (!walk(first + i, events)) return;
  }
}

// The walk finds a coordinator with this fault, in some seed, and calls it so.
void expect_found(Faults faults, const std::string& breach) {
  std::string last;
  for (std::uint64_t seed = kFirstSeed; seed < kFirstSeed + 10; ++seed) {
    ConsumerWorld world(seed, faults);
    while (world.failure().empty() && world.events() < 20'000) world.step();
    last = world.failure();
    if (last.find(breach) != std::string::npos) return;
  }
  FAIL() << "wanted: " << breach << "\nthe last seed: " << last;
}

TEST(ConsumerGroupWalk, FindsCoordinatorThatTakesCommitsOfOtherEpochs) {
  expect_found({.ignores_epochs = true}, "must get STALE_MEMBER_EPOCH and got NONE");
}

TEST(ConsumerGroupWalk, FindsCoordinatorThatTakesCommitsOfThePast) {
  expect_found({.ignores_epochs = true, .ignores_members = true}, "must get UNKNOWN_MEMBER_ID and got NONE");
}

TEST(ConsumerGroupWalk, FindsOffsetsThatGoBackWithoutLookingAtAnswers) {
  expect_found({.ignores_epochs = true, .ignores_members = true, .trusts_answers = true}, " goes back from ");
}

TEST(ConsumerGroupWalk, FindsCommitsOfWhoDoesNotOwnThePartition) {
  const Faults faults{
      .ignores_epochs = true, .ignores_members = true, .trusts_answers = true, .trusts_offsets = true};
  expect_found(faults, " was taken");
}

TEST(ConsumerGroupWalk, FindsCommitsThatWereNotDurable) {
  expect_found({.loses_commits = true}, " was told and is lost");
}

}  // namespace
}  // namespace tidegate::groups::sim
