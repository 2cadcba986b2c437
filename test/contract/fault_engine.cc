#include "fault_engine.h"

#include <utility>

#include "fault_log.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::test {

using storage::MetaDurability;
using storage::MetaEntry;
using storage::MetaOp;
using storage::Topic;

namespace {

constexpr unsigned kMaxDelayTurns = 8;

std::unexpected<Error> injected(const char* what) {
  return fail(ErrorCode::kafka_storage_error, std::string("injected: ") + what);
}

}  // namespace

void FaultControls::set(FaultRates rates) {
  const std::lock_guard lock(mutex_);
  owned_.push_back(std::make_unique<FaultRates>(rates));
  rates_ = owned_.back().get();
}

std::uint64_t FaultControls::random() {
  // splitmix64 over a counter: any thread may draw.
  std::uint64_t z = seed_ + 0x9e3779b97f4a7c15ULL * (drawn_.fetch_add(1) + 1);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

bool FaultControls::strikes(std::uint32_t FaultRates::* fault) {
  const FaultRates* rates = rates_;
  if (rates == nullptr || rates->*fault == 0) return false;
  return random() % 1000 < rates->*fault;
}

unsigned FaultControls::delay_turns() {
  return strikes(&FaultRates::delay) ? 1 + static_cast<unsigned>(random() % kMaxDelayTurns) : 0;
}

// ---------------------------------------------------------------------------------- topics, meta

class FaultEngine::Topics final : public storage::TopicStore {
 public:
  Topics(storage::TopicStore& inner, FaultControls& faults) : inner_(inner), faults_(faults) {}

  Task<Result<void>> create(std::vector<Topic> topics) override {
    if (auto struck = co_await misbehave(); !struck) co_return struck;
    co_return co_await inner_.create(std::move(topics));
  }
  Task<std::vector<Result<void>>> remove(std::vector<TopicId> ids) override {
    auto struck = co_await misbehave();
    if (!struck) co_return std::vector<Result<void>>(ids.size(), struck);
    co_return co_await inner_.remove(std::move(ids));
  }
  Task<Result<std::vector<Topic>>> list() override {
    if (auto struck = co_await misbehave(); !struck) co_return fail(std::move(struck.error()));
    co_return co_await inner_.list();
  }
  Task<std::vector<Result<void>>> add_partitions(std::vector<Growth> growths) override {
    auto struck = co_await misbehave();
    if (!struck) co_return std::vector<Result<void>>(growths.size(), struck);
    co_return co_await inner_.add_partitions(std::move(growths));
  }
  Task<Result<void>> set_config(TopicId id, std::map<std::string, std::string> configs) override {
    if (auto struck = co_await misbehave(); !struck) co_return struck;
    co_return co_await inner_.set_config(id, std::move(configs));
  }

 private:
  Task<Result<void>> misbehave() {
    co_await delay(faults_);
    if (faults_.strikes(&FaultRates::topic_error)) co_return injected("topic store");
    co_return Result<void>{};
  }
  storage::TopicStore& inner_;
  FaultControls& faults_;
};

class FaultEngine::Meta final : public storage::MetaStore {
 public:
  Meta(storage::MetaStore& inner, FaultControls& faults) : inner_(inner), faults_(faults) {}

  Task<Result<std::optional<std::string>>> get(std::string scope, std::string key) override {
    if (auto struck = co_await misbehave(); !struck) co_return fail(std::move(struck.error()));
    co_return co_await inner_.get(std::move(scope), std::move(key));
  }
  Task<Result<void>> put_batch(std::string scope, std::int32_t epoch, std::vector<MetaOp> ops,
                               MetaDurability durability) override {
    if (auto struck = co_await misbehave(); !struck) co_return struck;
    co_return co_await inner_.put_batch(std::move(scope), epoch, std::move(ops), durability);
  }
  Task<Result<std::vector<MetaEntry>>> scan(std::string scope, std::string prefix, std::string after,
                                            std::size_t limit) override {
    if (auto struck = co_await misbehave(); !struck) co_return fail(std::move(struck.error()));
    co_return co_await inner_.scan(std::move(scope), std::move(prefix), std::move(after), limit);
  }
  Task<Result<std::vector<std::string>>> scopes(std::string prefix, std::string after,
                                                std::size_t limit) override {
    if (auto struck = co_await misbehave(); !struck) co_return fail(std::move(struck.error()));
    co_return co_await inner_.scopes(std::move(prefix), std::move(after), limit);
  }
  Task<Result<void>> erase_damaged(std::string scope) override {
    if (auto struck = co_await misbehave(); !struck) co_return struck;
    co_return co_await inner_.erase_damaged(std::move(scope));
  }

 private:
  Task<Result<void>> misbehave() {
    co_await delay(faults_);
    if (faults_.strikes(&FaultRates::meta_error)) co_return injected("meta store");
    co_return Result<void>{};
  }
  storage::MetaStore& inner_;
  FaultControls& faults_;
};

// ------------------------------------------------------------------------------------------ engine

FaultEngine::FaultEngine(std::unique_ptr<storage::Engine> inner, ShardPool& shards, std::uint64_t seed)
    : controls_(seed), shards_(shards), inner_(std::move(inner)), logs_(shards.size()) {}

FaultEngine::~FaultEngine() = default;

Task<Result<void>> FaultEngine::start() {
  auto started = co_await inner_->start();
  if (!started) co_return started;
  topics_ = std::make_unique<Topics>(inner_->topics(), controls_);
  meta_ = std::make_unique<Meta>(inner_->meta(), controls_);
  co_return started;
}

storage::TopicStore& FaultEngine::topics() { return *topics_; }

storage::MetaStore& FaultEngine::meta() { return *meta_; }

Task<Result<std::shared_ptr<storage::PartitionLog>>> FaultEngine::partition(PartitionId id,
                                                                            storage::LogConfig config) {
  co_await delay(controls_);
  auto inner = co_await inner_->partition(id, config);
  if (!inner) co_return fail(std::move(inner.error()));
  Logs& logs = logs_[Shard::current()->index()];
  auto& log = logs[id];
  if (!log || log->inner() != *inner) log = std::make_shared<FaultLog>(*inner, controls_);
  co_return log;
}

Task<void> FaultEngine::lose_tails() {
  for (unsigned i = 0; i < shards_.size(); ++i) {
    auto lose = [&logs = logs_[i]] {
      for (auto& [id, log] : logs) log->lose_tail();
    };
    co_await submit_to(shards_.at(i), lose);
  }
}

Task<void> FaultEngine::stop() {
  for (unsigned i = 0; i < shards_.size(); ++i) {
    // A stop flushes; what cannot be flushed is lost, as it would be.
    auto let_go = [&logs = logs_[i]]() -> Task<void> {
      for (auto& [id, log] : logs) static_cast<void>(co_await log->flush());
      logs.clear();
    };
    co_await submit_to(shards_.at(i), let_go);
  }
  co_await inner_->stop();
}

}  // namespace tidegate::test
