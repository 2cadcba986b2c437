#include "engine_host.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include <fmt/format.h>

namespace tidegate::test {

namespace {

std::filesystem::path fresh_directory() {
  static std::atomic<unsigned> made{0};
  const auto dir =
      std::filesystem::temp_directory_path() / fmt::format("tidegate-contract-{}-{}", ::getpid(), made++);
  std::filesystem::create_directories(dir);
  return dir;
}

}  // namespace

EngineHost::EngineHost(EngineFactory factory, HostOptions options)
    : factory_(std::move(factory)), options_(options), dir_(fresh_directory()), rng_(options.seed) {
  shards_ = std::make_unique<ShardPool>(
      ShardPoolOptions{.shards = options_.shards, .stall_warning = std::chrono::minutes(1)}, clock_,
      metrics_);
  blocking_ = std::make_unique<BlockingPool>(BlockingPoolOptions{}, metrics_);
  shards_->start();
  start_engine();
}

EngineHost::~EngineHost() {
  stop_engine();
  shards_->stop();
  blocking_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

void EngineHost::start_engine() {
  const EngineEnvironment environment{.dir = dir_,
                                      .shards = *shards_,
                                      .blocking = *blocking_,
                                      .clock = clock_,
                                      .rng = rng_,
                                      .metrics = metrics_};
  engine_ = options_.max_bytes == 0 ? factory_.make(environment)
                                    : factory_.make_small(environment, options_.max_bytes);
  if (options_.wrapped) {
    auto wrapped = std::make_unique<FaultEngine>(std::move(engine_), *shards_, options_.seed);
    if (options_.hold_tails) wrapped->faults().hold_tails();
    engine_ = std::move(wrapped);
  }
  auto started = call(0, [this] { return engine_->start(); });
  if (!started) throw std::runtime_error("engine start: " + started.error().message);
}

void EngineHost::stop_engine() {
  forget_logs();
  call(0, [this] { return engine_->stop(); });
  engine_.reset();
}

void EngineHost::reopen() {
  stop_engine();
  start_engine();
}

void EngineHost::housekeeping() {
  call(0, [this] { return engine_->housekeeping(); });
}

FaultEngine& EngineHost::fault_engine() { return dynamic_cast<FaultEngine&>(*engine_); }

std::shared_ptr<storage::PartitionLog> EngineHost::log(const PartitionId& id,
                                                       const storage::LogConfig& config) {
  if (const auto found = logs_.find(id); found != logs_.end()) return found->second;
  auto opened = call(shard_of(id), [this, id, config] { return engine_->partition(id, config); });
  if (!opened) throw std::runtime_error("open partition: " + opened.error().message);
  logs_.emplace(id, *opened);
  return *opened;
}

void EngineHost::forget_logs() {
  // On their shards, where a log may be destroyed.
  for (auto& [id, log] : logs_) {
    call(shard_of(id), [&log] { log.reset(); });
  }
  logs_.clear();
}

void EngineHost::hung(std::source_location from) {
  std::fprintf(stderr, "hung: a call from %s:%u did not come back\n", from.file_name(), from.line());
  std::abort();
}

}  // namespace tidegate::test
