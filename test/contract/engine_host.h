// An engine with everything around it: real shards, blocking pool, data directory. Tests run on their
// own thread and go to a shard for each call, wait there for the answer, and so read like plain code.
// A call that does not come back within a minute ends the program with its place.
#pragma once

#include <chrono>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <utility>

#include "engine_factory.h"
#include "fault_engine.h"
#include "support/stepping_clock.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::test {

struct HostOptions {
  bool wrapped = false;  // in a FaultEngine, healed at first
  bool hold_tails = false;
  std::uint64_t seed = 1;
  std::size_t max_bytes = 0;  // 0: as the engine comes
  unsigned shards = 2;
};

class EngineHost {
 public:
  EngineHost(EngineFactory factory, HostOptions options);
  ~EngineHost();

  storage::Engine& engine() { return *engine_; }
  FaultEngine& fault_engine();
  FaultControls& faults() { return fault_engine().faults(); }
  SteppingClock& clock() { return clock_; }
  ShardPool& shards() { return *shards_; }
  MetricRegistry& metrics() { return metrics_; }
  Rng& rng() { return rng_; }

  // Stops the engine and makes another one over the same directory.
  void reopen();
  void housekeeping();

  // Runs `fn` (a value or a Task) on a shard; the future has what it gives.
  template <class F>
  auto start(unsigned shard, F fn);
  // The same, and waits for it.
  template <class F>
  auto call(unsigned shard, F fn, std::source_location from = std::source_location::current());
  template <class T>
  T wait(std::future<T> answer, std::source_location from = std::source_location::current());

  // Opens the log on first use. A failure throws, so that a test ends there.
  std::shared_ptr<storage::PartitionLog> log(const PartitionId& id, const storage::LogConfig& config);
  unsigned shard_of(const PartitionId& id) const { return storage::owner_shard(id, shards_->size()); }
  // Lets go of logs, for partitions that are to be opened anew.
  void forget_logs();

 private:
  void start_engine();
  void stop_engine();
  [[noreturn]] static void hung(std::source_location from);

  EngineFactory factory_;
  HostOptions options_;
  std::filesystem::path dir_;
  SteppingClock clock_;
  SeededRng rng_;
  MetricRegistry metrics_;
  std::unique_ptr<ShardPool> shards_;
  std::unique_ptr<BlockingPool> blocking_;
  std::unique_ptr<storage::Engine> engine_;
  std::map<PartitionId, std::shared_ptr<storage::PartitionLog>> logs_;
};

namespace detail {

template <class F>
struct RemoteCall {
  using Value = typename tidegate::detail::TaskValue<std::invoke_result_t<F&>>::type;
  explicit RemoteCall(F function) : fn(std::move(function)) {}
  std::optional<F> fn;
  std::promise<Value> promise;
};

// The function, and what it captured (logs!), is gone from the shard before the test goes on.
template <class F>
Task<void> run_remote(std::shared_ptr<RemoteCall<F>> call) {
  using Value = typename RemoteCall<F>::Value;
  constexpr bool is_task = tidegate::detail::TaskValue<std::invoke_result_t<F&>>::is_task;
  if constexpr (std::is_void_v<Value>) {
    if constexpr (is_task) {
      co_await (*call->fn)();
    } else {
      (*call->fn)();
    }
    call->fn.reset();
    call->promise.set_value();
  } else {
    std::optional<Value> value;
    if constexpr (is_task) {
      value.emplace(co_await (*call->fn)());
    } else {
      value.emplace((*call->fn)());
    }
    call->fn.reset();
    call->promise.set_value(std::move(*value));
  }
}

}  // namespace detail

template <class F>
auto EngineHost::start(unsigned shard, F fn) {
  auto call = std::make_shared<detail::RemoteCall<F>>(std::move(fn));
  auto answer = call->promise.get_future();
  Shard& there = shards_->at(shard);
  there.post([&there, call = std::move(call)]() mutable {
    there.spawn(detail::run_remote(std::move(call)), "contract test");
  });
  return answer;
}

template <class F>
auto EngineHost::call(unsigned shard, F fn, std::source_location from) {
  return wait(start(shard, std::move(fn)), from);
}

template <class T>
T EngineHost::wait(std::future<T> answer, std::source_location from) {
  if (answer.wait_for(std::chrono::minutes(1)) != std::future_status::ready) hung(from);
  return answer.get();
}

}  // namespace tidegate::test
