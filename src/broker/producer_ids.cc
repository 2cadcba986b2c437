// Producer id blocks. The MetaStore keeps the first id that no block holds, as decimal text. Where several
// nodes share it each has a key and a range of its own, because a block is read and written back without a
// condition.
#include "tidegate/broker/producer_ids.h"

#include <charconv>
#include <string>
#include <utility>

#include "tidegate/base/module_log.h"
#include "tidegate/broker/broker.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::broker {
namespace {

constexpr const char* kScope = "producer-ids";
constexpr const char* kKey = "next-block";
// Each node has 2^31 ids of its own, above those that a store gave out before nodes shared it.
std::int64_t first_of(NodeId node) { return (static_cast<std::int64_t>(node) + 1) << 31; }

Result<std::int64_t> parse(const std::optional<std::string>& text) {
  if (!text) return 0;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end != text->data() + text->size() || value < 0) {
    return fail(ErrorCode::kafka_storage_error, "the stored producer id block is not a number");
  }
  return value;
}

}  // namespace

struct ProducerIds::State {
  std::int64_t next = 0;
  std::int64_t end = 0;  // of the block
  std::shared_ptr<Event> reserving;
};

ProducerIds::ProducerIds(const BrokerParts& parts) : parts_(parts), state_(std::make_shared<State>()) {}
ProducerIds::~ProducerIds() = default;

namespace {

Task<Result<std::int64_t>> reserve_block(storage::MetaStore& meta, std::string key) {
  auto stored = co_await meta.get(kScope, key);
  if (!stored) co_return fail(std::move(stored.error()));
  auto first = parse(*stored);
  if (!first) co_return fail(std::move(first.error()));
  std::vector<storage::MetaOp> ops;
  ops.push_back({.kind = storage::MetaOp::Kind::put,
                 .key = key,
                 .value = std::to_string(*first + ProducerIds::kBlock)});
  auto written = co_await meta.put_batch(kScope, 0, std::move(ops), storage::MetaDurability::synced);
  if (!written) co_return fail(std::move(written.error()));
  co_return *first;
}

}  // namespace

Task<Result<std::int64_t>> ProducerIds::next() {
  auto take = [this, state = state_]() -> Task<Result<std::int64_t>> {
    for (;;) {
      if (state->next < state->end) co_return state->next++;
      if (state->reserving) {
        const auto reserving = state->reserving;
        co_await reserving->wait();
        continue;
      }
      state->reserving = std::make_shared<Event>();
      const bool shared = parts_.engine.capabilities().shares_topics;
      const NodeId node = parts_.cluster.self();
      std::string key = shared ? kKey + ("/" + std::to_string(node)) : kKey;
      auto first = co_await reserve_block(parts_.engine.meta(), std::move(key));
      if (first) {
        state->next = *first + (shared ? first_of(node) : 0);
        state->end = state->next + kBlock;
      }
      std::exchange(state->reserving, nullptr)->notify_all();
      if (!first) {
        module_log().error("event=producer_id_block_failed error=\"{}\"", first.error().message);
        co_return fail(ErrorCode::coordinator_not_available, std::move(first.error().message));
      }
    }
  };
  co_return co_await submit_to(parts_.shards.at(0), std::move(take));
}

}  // namespace tidegate::broker
