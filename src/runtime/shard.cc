// A shard's queue from other threads, its kept coroutine stacks, and the Asio timer behind its Timers.
#include "tidegate/runtime/shard.h"

#include <exception>
#include <mutex>
#include <utility>

#include <spdlog/spdlog.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "tidegate/base/assert.h"
#include "tidegate/runtime/suspend.h"

namespace tidegate {
namespace {

thread_local Shard* current_shard = nullptr;

// Coroutine stacks kept for the next tasks. More than this many tasks at once still run; their stacks
// are given back afterwards.
constexpr std::size_t kKeptStacks = 256;

// Opens the first half of an io_context's destruction: what is queued or waits is destroyed, while the
// context itself can still be posted to.
class ShardContext final : public boost::asio::io_context {
 public:
  using io_context::io_context;
  void abandon() { shutdown(); }
};

[[noreturn]] void escaped(std::string_view what, std::exception_ptr problem) {
  try {
    std::rethrow_exception(std::move(problem));
  } catch (const std::exception& e) {
    spdlog::critical("exception escaped a task task=\"{}\" error=\"{}\"", what, e.what());
  } catch (...) {
    spdlog::critical("exception escaped a task task=\"{}\"", what);
  }
  spdlog::default_logger()->flush();
  std::terminate();
}

}  // namespace

struct Shard::State {
  // A coroutine that carries one task after the other. The frame owns its Carrier; when it is parked
  // the `parked` list owns the frame.
  struct Carrier {
    Task<void> task;
    std::string_view what;
  };
  struct Parked {
    Carrier* carrier = nullptr;
    Resume resume;
  };

  explicit State(boost::asio::io_context& context) : timer(std::in_place, context) {}

  std::mutex inbox_mutex;
  std::vector<std::move_only_function<void()>> inbox;
  bool inbox_scheduled = false;
  bool inbox_closed = false;
  std::vector<std::move_only_function<void()>> draining;  // kept for its capacity

  std::vector<Parked> parked;
  std::vector<std::unique_ptr<detail::SubmitChannel>> channels;

  std::optional<boost::asio::steady_timer> timer;
  MonoTime timer_at = MonoTime::max();

  static Task<void> carry(Shard* shard, std::unique_ptr<Carrier> carrier);
  void drain();
  void arm_timer(Shard& shard, MonoTime deadline);
};

Task<void> Shard::State::carry(Shard* shard, std::unique_ptr<Carrier> carrier) {
  for (;;) {
    std::exception_ptr problem;
    try {
      co_await std::move(carrier->task);
    } catch (...) {
      problem = std::current_exception();
    }
    if (problem) escaped(carrier->what, problem);
    shard->tasks_ended_.fetch_add(1, std::memory_order_release);
    State& state = *shard->state_;
    if (state.parked.size() >= kKeptStacks) co_return;
    auto park = [&state, &carrier](Resume resume) {
      state.parked.push_back(Parked{carrier.get(), std::move(resume)});
    };
    co_await suspend(park);
  }
}

void Shard::State::drain() {
  {
    std::lock_guard lock(inbox_mutex);
    draining.swap(inbox);
    inbox_scheduled = false;
  }
  for (auto& work : draining) {
    work();
    work = nullptr;
  }
  draining.clear();
  if (draining.capacity() > 4096) draining.shrink_to_fit();
}

// Asks for a wake-up no later than `deadline`. A wake-up that comes too early (the earliest timer was
// cancelled) finds nothing due and asks again.
void Shard::State::arm_timer(Shard& shard, MonoTime deadline) {
  if (deadline >= timer_at) return;
  timer_at = deadline;
  const Duration wait = deadline - shard.clock_.now();
  timer->expires_after(wait > Duration::zero() ? wait : Duration::zero());
  timer->async_wait([this, &shard](boost::system::error_code error) {
    if (error) return;  // replaced by an earlier one
    timer_at = MonoTime::max();
    shard.timers_->run_due();
    arm_timer(shard, shard.timers_->next_deadline());
  });
}

Shard::Shard(unsigned index, const Clock& clock, std::size_t max_submits_in_flight)
    : index_(index),
      clock_(clock),
      max_submits_in_flight_(max_submits_in_flight),
      context_(std::make_unique<ShardContext>(1)),
      timers_(std::make_unique<Timers>(clock, [this](MonoTime at) { state_->arm_timer(*this, at); })),
      state_(std::make_unique<State>(*context_)) {}

Shard::~Shard() {
  TIDEGATE_ASSERT(!thread_.joinable());
  close_queues();
  abandon_waiting();
  destroy_context();
}

Shard* Shard::current() { return current_shard; }

void Shard::run() {
  current_shard = this;
  try {
    auto guard = boost::asio::make_work_guard(*context_);
    context_->run();
  } catch (...) {
    escaped(label() ? label() : "a handler", std::current_exception());
  }
  current_shard = nullptr;
}

void Shard::post(std::move_only_function<void()> work) {
  if (is_current()) {
    boost::asio::post(*context_, std::move(work));
    return;
  }
  std::lock_guard lock(state_->inbox_mutex);
  if (state_->inbox_closed) return;
  state_->inbox.push_back(std::move(work));
  if (!std::exchange(state_->inbox_scheduled, true)) {
    boost::asio::post(*context_, [state = state_.get()] { state->drain(); });
  }
}

void Shard::spawn(Task<void> task, std::string_view what) {
  // Counted here and not when it begins: ShardPool::stop() must not find nothing in between.
  tasks_started_.fetch_add(1, std::memory_order_release);
  post([this, task = std::move(task), what]() mutable { start_counted(std::move(task), what); });
}

void Shard::start(Task<void> task, std::string_view what) {
  TIDEGATE_ASSERT(is_current());
  tasks_started_.fetch_add(1, std::memory_order_release);
  start_counted(std::move(task), what);
}

void Shard::start_counted(Task<void> task, std::string_view what) {
  if (!state_->parked.empty()) {
    auto parked = std::move(state_->parked.back());
    state_->parked.pop_back();
    parked.carrier->task = std::move(task);
    parked.carrier->what = what;
    parked.resume();
    return;
  }
  auto carrier = std::make_unique<State::Carrier>();
  carrier->task = std::move(task);
  carrier->what = what;
  boost::asio::co_spawn(*context_, State::carry(this, std::move(carrier)), [](std::exception_ptr problem) {
    if (problem) escaped("a task's own frame", std::move(problem));
  });
}

detail::SubmitChannel& Shard::channel_to(Shard& target) {
  TIDEGATE_ASSERT(is_current());
  auto& channels = state_->channels;
  if (channels.size() <= target.index()) channels.resize(target.index() + 1);
  auto& channel = channels[target.index()];
  if (!channel) channel = std::make_unique<detail::SubmitChannel>(*this, target, max_submits_in_flight_);
  return *channel;
}

void Shard::close_queues() {
  std::vector<std::move_only_function<void()>> dropped;
  {
    std::lock_guard lock(state_->inbox_mutex);
    state_->inbox_closed = true;
    dropped.swap(state_->inbox);
  }
  dropped.clear();
  timers_->close();
  for (auto& channel : state_->channels) {
    if (channel) channel->clear();
  }
  auto parked = std::exchange(state_->parked, {});
  parked.clear();
}

void Shard::abandon_waiting() {
  if (context_) static_cast<ShardContext&>(*context_).abandon();
}

void Shard::destroy_context() {
  state_->timer.reset();
  context_.reset();
}

namespace detail {

void SubmitChannel::send(Closure closure) {
  if (waiting_.empty() && in_transit_.load() < limit_) {
    in_transit_.fetch_add(1);
    to_.post(std::move(closure));
    return;
  }
  waiting_.push_back(std::move(closure));
  pump();
}

// arrived() takes the flag down after it gave its place back, and we look for a free place after we
// put the flag up: so one of the two sides always sees the other.
void SubmitChannel::pump() {
  for (;;) {
    while (!waiting_.empty() && in_transit_.load() < limit_) {
      in_transit_.fetch_add(1);
      auto closure = std::move(waiting_.front());
      waiting_.pop_front();
      to_.post(std::move(closure));
    }
    if (waiting_.empty()) return;
    has_waiting_.store(true);
    if (in_transit_.load() >= limit_) return;
  }
}

void SubmitChannel::arrived() {
  in_transit_.fetch_sub(1);
  if (has_waiting_.load() && has_waiting_.exchange(false)) {
    from_.post([this] { pump(); });
  }
}

}  // namespace detail
}  // namespace tidegate
