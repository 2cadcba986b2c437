// What the group state machine costs by itself: a heartbeat, a commit, a whole rebalance, the bytes of a
// group. Micro-benchmarks for the developer at work; no test looks at them.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <memory>
#include <string>
#include <vector>

#include "tidegate/base/rng.h"
#include "tidegate/groups/group.h"

namespace tidegate::groups {
namespace {

// A group whose members joined, and what it needs to live.
class Sample {
 public:
  explicit Sample(int members) {
    for (int i = 0; i < members; ++i) {
      Join request = join({});
      request.member_id_required = false;
      collect(tell(std::move(request)));
    }
    sync();
  }
  Effects tell(Event event) { return group_->on(std::move(event), now_); }
  // All members rejoin, the leader first, and are assigned anew.
  void rebalance() {
    const auto ids = ids_;
    for (const auto& id : ids) collect(tell(join(id)));
    sync();
  }
  const std::string& member(std::size_t i) const { return ids_[i % ids_.size()]; }
  std::int32_t generation() const { return generation_; }
  GroupState state() const { return group_->state(); }

 private:
  static Join join(std::string id) {
    Join request;
    request.client = {"consumer-group-1", "/127.0.0.1"};
    request.member_id = std::move(id);
    request.session_timeout_ms = 45'000;
    request.rebalance_timeout_ms = 300'000;
    request.protocol_type = "consumer";
    request.protocols = {{"range", Bytes(60, 1)}, {"cooperative-sticky", Bytes(60, 1)}};
    return request;
  }
  void collect(Effects effects) {
    for (const auto& reply : effects.replies) {
      const auto* joined = std::get_if<JoinReply>(&reply.body);
      if (joined == nullptr || joined->error != ErrorCode::none) continue;
      generation_ = joined->generation;
      if (joined->members.empty()) continue;
      ids_ = {joined->member_id};
      for (const auto& one : joined->members) {
        if (one.member_id != joined->member_id) ids_.push_back(one.member_id);
      }
    }
  }
  void sync() {
    // With a delay of nothing the first member is alone in the first generation: everybody meets here.
    if (group_->state() == GroupState::preparing_rebalance) {
      for (const auto& id : std::vector(ids_)) collect(tell(join(id)));
    }
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      Sync request{.member_id = ids_[i], .generation = generation_};
      if (i == 0) {
        for (const auto& id : ids_) request.assignments.push_back({id, Bytes(30, 2)});
      }
      tell(std::move(request));
    }
  }

  GroupLimits limits_{.initial_rebalance_delay = Duration::zero()};
  NoTopics topics_;
  SeededRng rng_{1};
  std::unique_ptr<Group> group_ = std::make_unique<Group>("group", limits_, topics_, rng_);
  Now now_{.mono = {std::chrono::hours(1)}, .wall_ms = 1'700'000'000'000};
  std::vector<std::string> ids_;
  std::int32_t generation_ = 0;
};

void heartbeat(benchmark::State& state) {
  Sample sample(static_cast<int>(state.range(0)));
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        sample.tell(Heartbeat{.member_id = sample.member(i++), .generation = sample.generation()}));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(heartbeat)->Arg(1)->Arg(500);

// One partition a commit, with its record as it goes to storage.
void commit(benchmark::State& state) {
  Sample sample(static_cast<int>(state.range(0)));
  std::size_t i = 0;
  std::vector<StoredOp> ops;
  for (auto _ : state) {
    const auto partition = static_cast<std::int32_t>(i % 100);
    auto effects = sample.tell(CommitOffsets{
        .member_id = sample.member(i++),
        .generation_or_epoch = sample.generation(),
        .topics = {
            {.topic = "topic", .partitions = {{.partition = partition, .offset = static_cast<Offset>(i)}}}}});
    ops.clear();
    for (const auto& record : effects.persist->records) encode(record, ops);
    benchmark::DoNotOptimize(ops);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(commit)->Arg(1)->Arg(500);

void rebalance(benchmark::State& state) {
  Sample sample(static_cast<int>(state.range(0)));
  for (auto _ : state) sample.rebalance();
  if (sample.state() != GroupState::stable) state.SkipWithError("the group is not stable");
}
BENCHMARK(rebalance)->Arg(10)->Arg(500)->Unit(benchmark::kMicrosecond);

// One topic with two partitions a member.
class OneTopic final : public TopicView {
 public:
  explicit OneTopic(std::int32_t partitions) : topic_{.name = "topic", .id = {}, .partitions = partitions} {
    topic_.id.bytes[15] = 1;
  }
  const TopicInfo* find(std::string_view name) const override {
    return name == topic_.name ? &topic_ : nullptr;
  }
  const TopicInfo* find(const TopicId& id) const override { return id == topic_.id ? &topic_ : nullptr; }
  void for_each(const std::function<bool(const TopicInfo&)>& visit) const override { visit(topic_); }

 private:
  TopicInfo topic_;
};

// A KIP-848 group that fills up one by one: each join is a target assignment over all who are there.
void consumer_joins(benchmark::State& state) {
  const auto members = static_cast<int>(state.range(0));
  const GroupLimits limits{};
  const OneTopic topics(2 * members);
  const Now now{.mono = {std::chrono::hours(1)}, .wall_ms = 1'700'000'000'000};
  for (auto _ : state) {
    SeededRng rng{1};
    Group group("group", limits, topics, rng);
    for (int i = 0; i < members; ++i) {
      ConsumerHeartbeat request;
      request.client = {"consumer-group-1", "/127.0.0.1"};
      request.member_id = "member-" + std::to_string(i);
      request.client_makes_id = true;
      request.rebalance_timeout_ms = 300'000;
      request.subscribed_topics = {"topic"};
      request.owned_partitions.emplace();
      benchmark::DoNotOptimize(group.on(std::move(request), now));
    }
    if (group.counts().members != static_cast<std::size_t>(members))
      state.SkipWithError("not all have joined");
  }
  state.SetItemsProcessed(state.iterations() * members);
}
BENCHMARK(consumer_joins)->Arg(125)->Arg(500)->Arg(2'000)->Unit(benchmark::kMillisecond);

void memory(benchmark::State& state) {
  const auto members = static_cast<int>(state.range(0));
  constexpr int kGroups = 1'000;
  for (auto _ : state) {
    const auto before = mallinfo2().uordblks;
    std::vector<std::unique_ptr<Sample>> groups;
    for (int i = 0; i < kGroups; ++i) groups.push_back(std::make_unique<Sample>(members));
    state.counters["bytes/group"] = static_cast<double>(mallinfo2().uordblks - before) / kGroups;
  }
}
BENCHMARK(memory)->Arg(1)->Arg(2)->Arg(10)->Iterations(1);

}  // namespace
}  // namespace tidegate::groups

BENCHMARK_MAIN();
