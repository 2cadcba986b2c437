#include "tidegate/broker/topic_lookout.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "tidegate/base/module_log.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::broker {
namespace {

constexpr auto kLongestWait = std::chrono::seconds(2);
// Between two looks that somebody waits for. Clients that ask for what is not there must not keep the
// store busy: a fifth of the time at most, and a twentieth where nobody asks.
constexpr auto kShortestPause = std::chrono::milliseconds(100);
constexpr int kPauseForOneAsked = 4;
constexpr int kPauseForOneOfItself = 20;

}  // namespace

void TopicLookout::start() {
  started_ = is_on();
  ended_ = parts_.clock.now();
  begin_or_arm();
}

Task<bool> TopicLookout::stop(MonoTime deadline) {
  started_ = false;
  Timers& timers = parts_.shards.at(0).timers();
  timers.cancel(std::exchange(timer_, kNoTimer));
  looked_.notify_all();
  while (const std::shared_ptr<Event> running = running_) {
    if (!co_await running->wait_until(timers, deadline)) co_return false;
  }
  co_return true;
}

Task<void> TopicLookout::look() {
  if (!is_on()) co_return;
  auto wait = [this] { return wait_for_look(); };
  co_await submit_to(parts_.shards.at(0), std::move(wait));
}

Task<void> TopicLookout::wait_for_look() {
  const MonoTime deadline = parts_.clock.now() + kLongestWait;
  const std::uint64_t mine = ++asked_;
  begin_or_arm();
  while (started_ && looked_for_ < mine) {
    if (!co_await looked_.wait_until(parts_.shards.at(0).timers(), deadline)) co_return;
  }
}

void TopicLookout::begin_or_arm() {
  if (!started_ || running_) return;
  Timers& timers = parts_.shards.at(0).timers();
  timers.cancel(std::exchange(timer_, kNoTimer));
  const auto interval = std::chrono::milliseconds(parts_.config.integer("topics.refresh.interval.ms"));
  const Duration pause = asked_ > looked_for_ ? std::max<Duration>(kShortestPause, kPauseForOneAsked * took_)
                                              : std::max<Duration>(interval, kPauseForOneOfItself * took_);
  const MonoTime due = ended_ + pause;
  if (due <= parts_.clock.now()) return begin();
  timer_ = timers.arm(due, [this] {
    timer_ = kNoTimer;
    begin();
  });
}

void TopicLookout::begin() {
  running_ = std::make_shared<Event>();
  parts_.shards.at(0).spawn(run(), "topic lookout");
}

Task<void> TopicLookout::run() {
  const std::uint64_t asked = asked_;
  const MonoTime began = parts_.clock.now();
  auto refreshed = co_await topics_.refresh();
  ended_ = parts_.clock.now();
  took_ = refreshed ? ended_ - began : Duration{0};
  // Clients that ask in vain make it look often; the log is told once.
  if (!refreshed && !std::exchange(failed_, true))
    module_log().warn("event=topics_not_refreshed error=\"{}\"", refreshed.error().message);
  if (refreshed) failed_ = false;
  looked_for_ = asked;
  looked_.notify_all();
  std::exchange(running_, nullptr)->notify_all();
  begin_or_arm();
}

}  // namespace tidegate::broker
