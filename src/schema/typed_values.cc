#include "tidegate/schema/typed_values.h"

#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

#include "schema_text.h"
#include "tidegate/base/module_log.h"
#include "tidegate/runtime/submit.h"
#include "tidegate/schema/batch_validator.h"
#include "typed_value.h"

namespace tidegate::schema {
namespace {

// Batches above are converted on the CPU lane.
constexpr std::size_t kInlineBytes = 16U << 10;
// Types within schemas, of one topic, whose columns were asked for.
constexpr std::size_t kMaxShapes = 1000;

// A type of a schema: its id, and what stands in front of a value of the type.
using Shape = std::pair<std::int32_t, std::string>;

// Immutable once it is shown.
struct TopicSchemas {
  std::map<std::int32_t, CompiledSchemaPtr> schemas;
  std::set<std::int32_t> refused;  // beyond a limit: their values are kept as bytes
  std::set<Shape> shapes;          // whose columns are declared, or never will be
  DeclaredColumns declared;
  std::size_t bytes = 0;
};
using TopicSchemasPtr = std::shared_ptr<const TopicSchemas>;

// What is known of the values of a batch.
struct Trust {
  bool may_ask = false;    // for schemas that the topic does not have
  bool validated = false;  // they are values of their schemas; else that is looked at
};

struct Made {
  std::shared_ptr<protocol::StoredValues> values = std::make_shared<protocol::StoredValues>();
  std::set<Shape> missing;
  std::size_t bytes = 0;
  std::size_t proved = 0;
  std::size_t kept = 0;   // as bytes, in the envelope
  std::size_t plain = 0;  // not typed at all
  std::optional<Error> error;
};

Made make_values(const ColumnFormat& format, const TopicSchemas& topic, const protocol::RecordBatch& batch,
                 const protocol::RecordLimits& limits, Trust trust) {
  Made made;
  ValueWriter writer(format, topic.declared);
  const auto each = [&](const protocol::RecordView& record) {
    auto& out = made.values->values.emplace_back();
    if (!record.value) return true;
    const Framed framed = unframe(Field::value, *record.value, record.headers);
    if (!framed.problem.empty()) {
      ++made.plain;
      return true;
    }
    const auto at = topic.schemas.find(framed.id);
    const CompiledSchema* const schema = at == topic.schemas.end() ? nullptr : at->second.get();
    if (schema == nullptr && !topic.refused.contains(framed.id)) {
      if (trust.may_ask) made.missing.emplace(framed.id, std::string());
      ++made.plain;
      return true;
    }
    if (!trust.validated && (schema == nullptr || !schema->check(framed.payload).empty())) {
      ++made.plain;
      return true;
    }
    if (schema != nullptr && trust.may_ask && schema->value_columns(framed.payload) != nullptr) {
      Shape shape{framed.id, as_text(framed.payload.first(schema->head_bytes(framed.payload)))};
      if (!topic.shapes.contains(shape) && topic.shapes.size() < kMaxShapes)
        made.missing.insert(std::move(shape));
    }
    if (!made.missing.empty()) return true;  // another pass follows
    // Nothing to query: an envelope alone would hide the value from whoever reads it as it is.
    if (topic.declared.columns.empty()) {
      ++made.plain;
      return true;
    }
    TypedValue typed = writer.make(*record.value, framed, schema);
    ++(typed.proved ? made.proved : made.kept);
    made.bytes += typed.stored.size();
    out = std::move(typed.stored);
    return made.bytes <= kMaxStoredBytesInFlight;
  };
  if (auto walked = protocol::for_each_record(batch, limits, each); !walked) made.error = walked.error();
  if (made.bytes > kMaxStoredBytesInFlight)
    made.error = Error{ErrorCode::message_too_large, "the batch is too large as columns"};
  return made;
}

}  // namespace

struct TypedValues::State {
  State(const ColumnFormat& f, ColumnStore& s, BlockingPool& pool, ValidationOptions o,
        MetricRegistry& metrics)
      : format(f), store(s), blocking(pool), options(o) {
    const auto counter = [&](const char* result) -> Counter& {
      return metrics.counter("tidegate_schema_typed_values_total",
                             "Values that were stored on topics with columns", {{"result", result}});
    };
    proved = &counter("proved");
    kept = &counter("kept");
    plain = &counter("plain");
    in_flight_gauge =
        &metrics.gauge("tidegate_schema_typed_bytes", "Bytes of typed values that are not stored yet");
  }

  TopicSchemasPtr of(const TopicId& topic) const {
    const std::lock_guard lock(mutex);
    const auto found = topics.find(topic);
    return found == topics.end() ? nullptr : found->second;
  }
  // What is there only grows, so that changes of two shards go together in any order.
  template <class Change>
  void change(const TopicId& topic, Change how) {
    const std::lock_guard lock(mutex);
    auto& at = topics[topic];
    auto next = at ? std::make_shared<TopicSchemas>(*at) : std::make_shared<TopicSchemas>();
    how(*next);
    at = std::move(next);
  }

  Task<Result<void>> load(TopicId topic);
  Task<Result<void>> adopt(BatchValidator& validator, TopicId topic, std::int32_t id);
  Task<Result<void>> declare(TopicId topic, Shape shape);
  Task<Made> pass(TopicSchemasPtr topic, protocol::RecordBatch batch, protocol::RecordLimits limits,
                  Trust trust);
  protocol::StoredValuesPtr counted(Made made);

  const ColumnFormat& format;
  ColumnStore& store;
  BlockingPool& blocking;
  const ValidationOptions options;
  Counter* proved;
  Counter* kept;
  Counter* plain;
  Gauge* in_flight_gauge;
  std::shared_ptr<std::atomic<std::size_t>> in_flight = std::make_shared<std::atomic<std::size_t>>(0);
  mutable std::mutex mutex;
  std::unordered_map<TopicId, TopicSchemasPtr> topics;
};

Task<Result<void>> TypedValues::State::load(TopicId topic) {
  auto stored = co_await store.schemas(topic);
  if (!stored) co_return fail(std::move(stored.error()));
  const TopicSchemasPtr now = of(topic);
  std::map<std::int32_t, std::string> fresh;
  for (auto& [id, text] : *stored) {
    if (!now || !now->schemas.contains(id)) fresh.emplace(id, std::move(text));
  }
  if (fresh.empty() && now) co_return Result<void>{};
  std::size_t bytes = 0;
  for (const auto& [id, text] : fresh) bytes += text.size();
  auto work = [fresh = std::move(fresh), limits = options] {
    std::map<std::int32_t, Result<CompiledSchemaPtr>> compiled;
    for (const auto& [id, text] : fresh) compiled.emplace(id, compile_schema_text(text, limits));
    return compiled;
  };
  auto compiled = co_await blocking.run(Lane::cpu, std::move(work));
  change(topic, [&](TopicSchemas& next) {
    for (auto& [id, one] : compiled) {
      if (one) {
        next.schemas.emplace(id, std::move(*one));
      } else {
        module_log().error("event=kept_schema_unusable topic_id={} schema_id={} error=\"{}\"",
                           topic.to_string(), id, one.error().message);
      }
    }
    next.bytes += bytes;
  });
  co_return Result<void>{};
}

// The schema is kept with the topic before any value needs it.
Task<Result<void>> TypedValues::State::adopt(BatchValidator& validator, TopicId topic, std::int32_t id) {
  const std::string text = co_await validator.schema_text(id);
  const TopicSchemasPtr now = of(topic);
  const bool room =
      now->schemas.size() < kMaxSchemasPerTopic && now->bytes + text.size() <= kMaxSchemaBytesPerTopic;
  if (text.empty() || !room) {
    // Not looked up: it was accepted unchecked, or is gone from the cache; then the next batch asks again.
    if (!room) change(topic, [&](TopicSchemas& next) { next.refused.insert(id); });
    co_return Result<void>{};
  }
  auto compile = [text, limits = options] { return compile_schema_text(text, limits); };
  auto compiled = co_await blocking.run(Lane::cpu, std::move(compile));
  if (!compiled) {
    change(topic, [&](TopicSchemas& next) { next.refused.insert(id); });
    co_return Result<void>{};
  }
  if (auto added = co_await store.add_schema(topic, id, text); !added) co_return added;
  change(topic, [&](TopicSchemas& next) {
    if (next.schemas.emplace(id, std::move(*compiled)).second) next.bytes += text.size();
  });
  co_return Result<void>{};
}

Task<Result<void>> TypedValues::State::declare(TopicId topic, Shape shape) {
  const TopicSchemasPtr now = of(topic);
  const ValueColumns* const columns = now->schemas.at(shape.first)->value_columns(as_bytes(shape.second));
  if (columns != nullptr) {
    auto all = co_await store.add_columns(topic, declarable(*columns));
    if (!all) co_return fail(std::move(all.error()));
    change(topic, [&](TopicSchemas& next) {
      if (next.declared.columns.size() < all->columns.size()) std::swap(next.declared, *all);
      add_columns(next.declared, *all);
    });
  }
  change(topic, [&](TopicSchemas& next) { next.shapes.insert(shape); });
  co_return Result<void>{};
}

Task<Made> TypedValues::State::pass(TopicSchemasPtr topic, protocol::RecordBatch batch,
                                    protocol::RecordLimits limits, Trust trust) {
  if (batch.bytes.size() <= kInlineBytes) co_return make_values(format, *topic, batch, limits, trust);
  auto work = [this, topic = std::move(topic), batch = std::move(batch), limits, trust] {
    return make_values(format, *topic, batch, limits, trust);
  };
  co_return co_await blocking.run(Lane::cpu, std::move(work));
}

// Gives its bytes back when nobody has it any more.
protocol::StoredValuesPtr TypedValues::State::counted(Made made) {
  proved->add(made.proved);
  kept->add(made.kept);
  plain->add(made.plain);
  if (made.proved + made.kept == 0) return nullptr;
  in_flight_gauge->add(static_cast<std::int64_t>(made.bytes));
  auto free = [values = made.values, bytes = made.bytes, gauge = in_flight_gauge,
               all = in_flight](const protocol::StoredValues*) mutable {
    *all -= bytes;
    gauge->add(-static_cast<std::int64_t>(bytes));
    values.reset();
  };
  *in_flight += made.bytes;
  return {made.values.get(), std::move(free)};
}

TypedValues::TypedValues(const ColumnFormat& format, ColumnStore& store, BlockingPool& blocking,
                         ValidationOptions options, MetricRegistry& metrics)
    : state_(std::make_unique<State>(format, store, blocking, options, metrics)) {}
TypedValues::~TypedValues() = default;

Task<Result<void>> TypedValues::prepare(TopicId topic) { return state_->load(topic); }

Task<void> TypedValues::forget(TopicId topic) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->topics.erase(topic);
  }
  co_await state_->store.forget(topic);
}

Task<Result<protocol::StoredValuesPtr>> TypedValues::convert(BatchValidator* validator, TopicId topic,
                                                             protocol::RecordBatch batch,
                                                             protocol::RecordLimits limits, bool validated) {
  State& state = *state_;
  const Trust trust{.may_ask = validator != nullptr, .validated = validated};
  if (*state.in_flight > kMaxStoredBytesInFlight)
    co_return fail(ErrorCode::throttling_quota_exceeded, "too many typed values wait to be stored");
  TopicSchemasPtr now = state.of(topic);
  if (!now) {
    if (auto loaded = co_await state.load(topic); !loaded) co_return fail(std::move(loaded.error()));
    now = state.of(topic);
  }
  if (now->declared.columns.empty()) {
    auto all = co_await state.store.add_columns(topic, {});
    if (!all) co_return fail(std::move(all.error()));
    state.change(topic, [&](TopicSchemas& next) {
      if (next.declared.columns.empty()) next.declared = std::move(*all);
    });
    now = state.of(topic);
  }
  // The schemas, then the types within them.
  for (;;) {
    Made made = co_await state.pass(now, batch, limits, trust);
    if (made.error) co_return fail(std::move(*made.error));
    if (made.missing.empty()) co_return state.counted(std::move(made));
    const std::size_t before = now->schemas.size() + now->refused.size() + now->shapes.size();
    for (const Shape& shape : made.missing) {
      Result<void> done;
      if (now->schemas.contains(shape.first)) {
        done = co_await state.declare(topic, shape);
      } else {
        done = co_await state.adopt(*validator, topic, shape.first);
      }
      if (!done) co_return fail(std::move(done.error()));
    }
    now = state.of(topic);
    // Nobody can tell some of them now: those that were accepted unchecked. The batch stays as it is.
    if (now->schemas.size() + now->refused.size() + now->shapes.size() == before)
      co_return protocol::StoredValuesPtr();
  }
}

Result<std::string> TypedValues::value_of(const TopicId& topic, ByteView stored) const {
  const TopicSchemasPtr now = state_->of(topic);
  return schema::value_of(state_->format, stored, [&](std::int32_t id) -> const CompiledSchema* {
    if (!now) return nullptr;
    const auto at = now->schemas.find(id);
    return at == now->schemas.end() ? nullptr : at->second.get();
  });
}

}  // namespace tidegate::schema
