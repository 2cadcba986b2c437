// For work of a shard that comes in many small pieces: between two of them the shard does what else is
// ready, so that no piece holds up a client.
#pragma once

#include <utility>

#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/suspend.h"

namespace tidegate {

// Goes on, on the same shard, behind everything that is ready there now.
inline Task<void> let_others_run() {
  auto one_turn = [](Resume resume) { Shard::current()->post(std::move(resume)); };
  co_await suspend(one_turn);
}

}  // namespace tidegate
