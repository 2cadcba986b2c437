// Deadlines in a binary heap of slot numbers; a slot knows its place in the heap, so that cancel is
// O(log n). An id is the slot's number and how often the slot was used.
#include "tidegate/runtime/timers.h"

#include <utility>
#include <vector>

#include "tidegate/base/assert.h"
#include "tidegate/runtime/suspend.h"

namespace tidegate {

struct Timers::State {
  static constexpr std::uint32_t kNowhere = UINT32_MAX;
  struct Slot {
    MonoTime deadline;
    std::uint64_t order = 0;  // equal deadlines fire in the order they were armed
    std::uint32_t use = 0;
    std::uint32_t at = kNowhere;
    std::move_only_function<void()> fire;
  };

  State(const Clock& time, std::function<void(MonoTime)> tell) : clock(time), wake_at(std::move(tell)) {}

  const Clock& clock;
  std::function<void(MonoTime)> wake_at;
  std::vector<Slot> slots;
  std::vector<std::uint32_t> unused;
  std::vector<std::uint32_t> heap;
  std::uint64_t armed_so_far = 0;
  MonoTime told = MonoTime::max();
  bool running = false;
  bool closed = false;

  bool earlier(std::uint32_t a, std::uint32_t b) const {
    const Slot& x = slots[a];
    const Slot& y = slots[b];
    return x.deadline != y.deadline ? x.deadline < y.deadline : x.order < y.order;
  }
  void place(std::size_t at, std::uint32_t slot) {
    heap[at] = slot;
    slots[slot].at = static_cast<std::uint32_t>(at);
  }
  void sift_up(std::size_t at) {
    const std::uint32_t slot = heap[at];
    while (at > 0) {
      const std::size_t parent = (at - 1) / 2;
      if (!earlier(slot, heap[parent])) break;
      place(at, heap[parent]);
      at = parent;
    }
    place(at, slot);
  }
  void sift_down(std::size_t at) {
    const std::uint32_t slot = heap[at];
    for (;;) {
      std::size_t child = at * 2 + 1;
      if (child >= heap.size()) break;
      if (child + 1 < heap.size() && earlier(heap[child + 1], heap[child])) ++child;
      if (!earlier(heap[child], slot)) break;
      place(at, heap[child]);
      at = child;
    }
    place(at, slot);
  }
  // Takes the slot out of the heap and gives its callback.
  std::move_only_function<void()> take(std::uint32_t slot) {
    const std::size_t at = slots[slot].at;
    const std::uint32_t last = heap.back();
    heap.pop_back();
    if (last != slot) {
      place(at, last);
      sift_up(at);
      sift_down(slots[last].at);
    }
    slots[slot].at = kNowhere;
    ++slots[slot].use;
    unused.push_back(slot);
    return std::exchange(slots[slot].fire, nullptr);
  }
  MonoTime next() const { return heap.empty() ? MonoTime::max() : slots[heap.front()].deadline; }
  void tell_next() {
    if (running || closed) return;
    const MonoTime deadline = next();
    if (deadline == told) return;
    told = deadline;
    if (wake_at) wake_at(deadline);
  }
};

Timers::Timers(const Clock& clock, std::function<void(MonoTime)> wake_at)
    : state_(std::make_unique<State>(clock, std::move(wake_at))) {}

Timers::~Timers() { close(); }

TimerId Timers::arm(MonoTime deadline, std::move_only_function<void()> fire) {
  State& state = *state_;
  if (state.closed) return kNoTimer;  // `fire` is destroyed uncalled
  std::uint32_t slot = 0;
  if (state.unused.empty()) {
    slot = static_cast<std::uint32_t>(state.slots.size());
    state.slots.emplace_back();
  } else {
    slot = state.unused.back();
    state.unused.pop_back();
  }
  State::Slot& entry = state.slots[slot];
  entry.deadline = deadline;
  entry.order = state.armed_so_far++;
  entry.fire = std::move(fire);
  const TimerId id = (static_cast<TimerId>(entry.use) << 32 | slot) + 1;
  state.heap.push_back(slot);
  state.sift_up(state.heap.size() - 1);
  state.tell_next();
  return id;
}

bool Timers::cancel(TimerId id) {
  if (id == kNoTimer) return false;
  State& state = *state_;
  const auto slot = static_cast<std::uint32_t>((id - 1) & UINT32_MAX);
  const auto use = static_cast<std::uint32_t>((id - 1) >> 32);
  if (slot >= state.slots.size() || state.slots[slot].use != use) return false;
  if (state.slots[slot].at == State::kNowhere) return false;
  const auto dropped = state.take(slot);
  state.tell_next();
  return true;
}

std::size_t Timers::run_due() {
  State& state = *state_;
  TIDEGATE_ASSERT(!state.running);
  state.running = true;
  const MonoTime now = state.clock.now();
  // A callback that arms for `now` again is fired in the next round, or it could keep us here forever.
  const std::uint64_t until = state.armed_so_far;
  std::size_t fired = 0;
  while (!state.heap.empty()) {
    const std::uint32_t slot = state.heap.front();
    if (state.slots[slot].deadline > now || state.slots[slot].order >= until) break;
    auto fire = state.take(slot);
    ++fired;
    fire();
  }
  state.running = false;
  state.tell_next();
  return fired;
}

void Timers::close() {
  State& state = *state_;
  state.closed = true;
  state.heap.clear();
  state.unused.clear();
  // Destroying a callback can destroy a coroutine whose locals cancel timers of their own.
  auto slots = std::exchange(state.slots, {});
  slots.clear();
}

MonoTime Timers::next_deadline() const { return state_->next(); }
std::size_t Timers::armed() const { return state_->heap.size(); }
const Clock& Timers::clock() const { return state_->clock; }

Task<void> Timers::sleep_until(MonoTime deadline) {
  auto start = [this, deadline](Resume resume) { arm(deadline, std::move(resume)); };
  co_await suspend(start);
}

}  // namespace tidegate
