// Randomness comes in through constructors. A failing random test prints the seed it was given.
#pragma once

#include <cstdint>

namespace tidegate {

class Rng {
 public:
  virtual ~Rng() = default;
  // 64 uniformly distributed bits.
  virtual std::uint64_t next() = 0;
  // Uniform in [0, bound). bound must be positive.
  std::uint64_t below(std::uint64_t bound);
};

// Deterministic (xoshiro256**), seeded through splitmix64. Not for secrets.
class SeededRng final : public Rng {
 public:
  explicit SeededRng(std::uint64_t seed);
  std::uint64_t next() override;

 private:
  std::uint64_t state_[4];
};

// A seed from the operating system; called once, in app/.
std::uint64_t system_random_seed();

}  // namespace tidegate
