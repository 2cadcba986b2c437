// Changes and reads of the store happen one after the other on shard 0, which then gives every shard the
// table that follows. A table is never changed once a shard has it.
#include "tidegate/broker/client_quotas.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "quotas/client_rates.h"
#include "tidegate/base/module_log.h"
#include "tidegate/broker/broker.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/submit.h"
#include "turn_queue.h"

namespace tidegate::broker {
namespace {

constexpr const char* kScope = "client-quotas";
constexpr std::size_t kPage = 1000;
// Of the same change. The store gives up when others write to the scope all the time, as two gateways do on
// which many quotas are set at once; to write the same values again does no harm.
constexpr int kWrites = 5;

using TablePtr = std::shared_ptr<const QuotaTable>;

Task<Result<QuotaTable>> read_all(storage::MetaStore& meta) {
  QuotaTable table;
  std::size_t unknown = 0;
  for (std::string after;;) {
    auto page = co_await meta.scan(kScope, {}, after, kPage);
    if (!page) co_return fail(std::move(page.error()));
    for (const auto& entry : *page) {
      if (const auto quota = parse_quota(entry.key, entry.value)) {
        table.set(quota->entity, quota->kind, quota->bound);
      } else {
        ++unknown;
      }
    }
    if (page->size() < kPage) break;
    after = page->back().key;
  }
  if (unknown > 0) module_log().warn("event=client_quotas_unknown entries={}", unknown);
  co_return table;
}

WindowShape shape_of(const ConfigValues& config) {
  return {.samples = static_cast<std::size_t>(config.integer("quota.window.num")),
          .sample = std::chrono::seconds(config.integer("quota.window.size.seconds"))};
}

std::vector<storage::MetaOp> ops_of(const QuotaChange& change) {
  std::vector<storage::MetaOp> ops;
  for (const QuotaChange::Op& op : change.ops) {
    ops.push_back({.kind = op.bound ? storage::MetaOp::Kind::put : storage::MetaOp::Kind::erase,
                   .key = quota_key(change.entity, op.kind),
                   .value = op.bound ? quota_value(*op.bound) : std::string()});
  }
  return ops;
}

void apply(const QuotaChange& change, QuotaTable& table) {
  for (const QuotaChange::Op& op : change.ops) {
    if (op.bound) {
      table.set(change.entity, op.kind, *op.bound);
    } else {
      table.remove(change.entity, op.kind);
    }
  }
}

}  // namespace

struct ClientQuotas::State {
  explicit State(const BrokerParts& p)
      : parts(p),
        tables(p.shards.size()),
        rates(shape_of(p.config), static_cast<std::size_t>(p.config.integer("client.quotas.max.rates")),
              p.metrics.gauge("tidegate_broker_client_rates", "Rates of clients that are kept for quotas")),
        quotas(p.metrics.gauge("tidegate_broker_client_quotas", "Users and client ids that have a quota")) {
    for (const QuotaKind kind : kAllQuotaKinds) {
      const MetricLabels labels{{"quota", std::string(name_of(kind))}};
      const auto i = static_cast<std::size_t>(kind);
      throttled[i] = &p.metrics.counter("tidegate_broker_throttled_requests_total",
                                        "Requests whose clients were made to wait, by the quota", labels);
      throttled_ms[i] = &p.metrics.counter("tidegate_broker_throttled_milliseconds_total",
                                           "Time that clients were made to wait, by the quota", labels);
    }
  }

  std::optional<FoundQuota> find(QuotaKind kind, std::string_view user, std::string_view client_id) const {
    const QuotaTable* table = tables[Shard::current()->index()].get();
    return table ? table->find(kind, user, client_id) : std::nullopt;
  }
  // On shard 0, in a turn.
  Task<Result<void>> load();
  Task<void> publish(QuotaTable table);
  Task<std::vector<Result<void>>> alter(std::vector<QuotaChange> changes, bool validate_only);
  Task<void> refresh();
  void arm();

  const BrokerParts& parts;
  std::vector<TablePtr> tables;  // one a shard, touched on that shard alone
  ClientRates rates;
  Gauge& quotas;
  std::array<Counter*, kQuotaKinds> throttled{};
  std::array<Counter*, kQuotaKinds> throttled_ms{};
  // Shard 0.
  TurnQueue turns;
  bool started = false;
  bool failed = false;  // the last read
  TimerId timer = kNoTimer;
  std::shared_ptr<Event> refreshing;  // while it runs
};

ClientQuotas::ClientQuotas(const BrokerParts& parts) : state_(std::make_unique<State>(parts)) {}
ClientQuotas::~ClientQuotas() = default;

// ------------------------------------------------------------------------------------------- store

void ClientQuotas::start() {
  state_->started = true;
  state_->parts.shards.at(0).start(state_->refresh(), "client quotas");
}

Task<bool> ClientQuotas::stop(MonoTime deadline) {
  state_->started = false;
  Timers& timers = state_->parts.shards.at(0).timers();
  timers.cancel(std::exchange(state_->timer, kNoTimer));
  while (const std::shared_ptr<Event> running = state_->refreshing) {
    if (!co_await running->wait_until(timers, deadline)) co_return false;
  }
  co_return true;
}

Task<Result<void>> ClientQuotas::State::load() {
  auto table = co_await read_all(parts.engine.meta());
  if (!table && table.error().code == ErrorCode::corrupt_message) {
    module_log().error("event=client_quotas_damaged error=\"{}\" reason=\"all quotas are lost\"",
                       table.error().message);
    auto erased = co_await parts.engine.meta().erase_damaged(kScope);
    if (!erased) module_log().error("event=client_quotas_not_erased error=\"{}\"", erased.error().message);
    if (erased) table = QuotaTable{};
  }
  if (!table) {
    // What was known goes on to hold. The log is told once.
    if (!std::exchange(failed, true))
      module_log().warn("event=client_quotas_not_read error=\"{}\"", table.error().message);
    co_return fail(std::move(table.error()));
  }
  failed = false;
  co_await publish(std::move(*table));
  co_return Result<void>{};
}

Task<void> ClientQuotas::State::publish(QuotaTable table) {
  quotas.set(static_cast<std::int64_t>(table.quotas().size()));
  const TablePtr& mine = tables[0];
  if (mine ? *mine == table : table.empty()) co_return;
  const TablePtr next = table.empty() ? nullptr : std::make_shared<const QuotaTable>(std::move(table));
  for (unsigned i = 0; i < parts.shards.size(); ++i) {
    auto take = [this, i, next] { tables[i] = next; };
    co_await submit_to(parts.shards.at(i), std::move(take));
  }
}

void ClientQuotas::State::arm() {
  if (!started || (!failed && !parts.engine.capabilities().shares_topics)) return;
  const auto interval = std::chrono::milliseconds(parts.config.integer("client.quotas.refresh.interval.ms"));
  Timers& timers = parts.shards.at(0).timers();
  timers.cancel(timer);
  timer = timers.arm(parts.clock.now() + interval, [this] {
    timer = kNoTimer;
    parts.shards.at(0).spawn(refresh(), "client quotas");
  });
}

Task<void> ClientQuotas::State::refresh() {
  if (!started) co_return;
  refreshing = std::make_shared<Event>();
  {
    const auto turn = co_await turns.take();
    static_cast<void>(co_await load());
  }
  arm();
  std::exchange(refreshing, nullptr)->notify_all();
}

Task<std::vector<Result<void>>> ClientQuotas::alter(std::vector<QuotaChange> changes, bool validate_only) {
  auto at_home = [state = state_.get(), changes = std::move(changes), validate_only]() mutable {
    return state->alter(std::move(changes), validate_only);
  };
  co_return co_await submit_to(state_->parts.shards.at(0), std::move(at_home));
}

Task<std::vector<Result<void>>> ClientQuotas::State::alter(std::vector<QuotaChange> changes,
                                                           bool validate_only) {
  const auto turn = co_await turns.take();
  const auto limit = static_cast<std::size_t>(parts.config.integer("client.quotas.max.entities"));
  QuotaTable next = tables[0] ? *tables[0] : QuotaTable{};
  std::vector<storage::MetaOp> ops;
  std::vector<Result<void>> results(changes.size());
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const bool sets =
        std::ranges::any_of(changes[i].ops, [](const auto& op) { return op.bound.has_value(); });
    if (sets && next.quotas().size() >= limit && !next.quotas().contains(changes[i].entity)) {
      results[i] = fail(ErrorCode::policy_violation,
                        fmt::format("There are quotas for {} entities already; client.quotas.max.entities "
                                    "allows no more.",
                                    next.quotas().size()));
      continue;
    }
    apply(changes[i], next);
    for (storage::MetaOp& op : ops_of(changes[i])) ops.push_back(std::move(op));
  }
  if (validate_only || ops.empty()) co_return results;
  Result<void> written;
  for (int left = kWrites; left > 0; --left) {
    written = co_await parts.engine.meta().put_batch(kScope, 0, ops, storage::MetaDurability::synced);
    if (written || written.error().code != ErrorCode::kafka_storage_error) break;
  }
  if (!written) {
    for (Result<void>& result : results) {
      if (result) result = fail(written.error());
    }
    // Whether it was written nobody knows.
    static_cast<void>(co_await load());
    arm();
    co_return results;
  }
  co_await publish(std::move(next));
  co_return results;
}

// ----------------------------------------------------------------------------------------- clients

const QuotaTable* ClientQuotas::table() const { return state_->tables[Shard::current()->index()].get(); }
std::shared_ptr<const QuotaTable> ClientQuotas::shared_table() const {
  return state_->tables[Shard::current()->index()];
}

namespace {
// throttle_time_ms has no more.
constexpr Duration kLongestWait = std::chrono::milliseconds(std::numeric_limits<std::int32_t>::max());
}  // namespace

Duration ClientQuotas::produced(std::string_view user, std::string_view client_id, std::size_t bytes) {
  constexpr auto kKind = QuotaKind::producer_byte_rate;
  const auto quota = state_->find(kKind, user, client_id);
  if (!quota) return Duration{0};
  return state_->rates.record(kKind, *quota, static_cast<double>(bytes), state_->parts.clock.now(),
                              kLongestWait);
}

Duration ClientQuotas::may_fetch(std::string_view user, std::string_view client_id, std::size_t bytes) {
  constexpr auto kKind = QuotaKind::consumer_byte_rate;
  const auto quota = state_->find(kKind, user, client_id);
  if (!quota) return Duration{0};
  return state_->rates.try_record(kKind, *quota, static_cast<double>(bytes), state_->parts.clock.now(),
                                  state_->rates.shape().whole());
}

void ClientQuotas::fetched(std::string_view user, std::string_view client_id, std::size_t bytes) {
  constexpr auto kKind = QuotaKind::consumer_byte_rate;
  const auto quota = state_->find(kKind, user, client_id);
  if (quota) state_->rates.add(kKind, *quota, static_cast<double>(bytes), state_->parts.clock.now());
}

std::optional<std::size_t> ClientQuotas::largest_fetch(std::string_view user,
                                                       std::string_view client_id) const {
  const auto quota = state_->find(QuotaKind::consumer_byte_rate, user, client_id);
  if (!quota) return std::nullopt;
  constexpr double kMost = 1e15;
  return static_cast<std::size_t>(std::min(state_->rates.shape().burst(quota->bound), kMost));
}

Duration ClientQuotas::worked(std::string_view user, std::string_view client_id, Duration time) {
  constexpr auto kKind = QuotaKind::request_percentage;
  const auto quota = state_->find(kKind, user, client_id);
  if (!quota) return Duration{0};
  const double percent_seconds = 100 * std::chrono::duration<double>(time).count();
  return state_->rates.record(kKind, *quota, percent_seconds, state_->parts.clock.now(),
                              state_->rates.shape().sample);
}

void ClientQuotas::count_throttled(QuotaKind kind, Duration wait) {
  const auto i = static_cast<std::size_t>(kind);
  state_->throttled[i]->add();
  state_->throttled_ms[i]->add(
      static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(wait).count()));
}

}  // namespace tidegate::broker
