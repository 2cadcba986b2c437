// Values as typed columns, topic by topic: what is stored of a batch whose values were validated, and back.
// Knows of each topic the schemas that were used and the columns that it has, which are kept with the topic,
// so that reading needs no registry. broker/ makes one for an engine that keeps columns.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tidegate/base/columns.h"
#include "tidegate/base/ids.h"
#include "tidegate/base/metrics.h"
#include "tidegate/protocol/batch_check.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/runtime/task.h"
#include "tidegate/schema/validation_options.h"

namespace tidegate::schema {

class BatchValidator;

// Schemas that are kept with one topic, and their bytes together; values of further ones are kept as bytes.
inline constexpr std::size_t kMaxSchemasPerTopic = 100;
inline constexpr std::size_t kMaxSchemaBytesPerTopic = 2U << 20;
// Of all that is made and not yet stored; more is throttling_quota_exceeded.
inline constexpr std::size_t kMaxStoredBytesInFlight = 256U << 20;

// Where what belongs to a topic's columns is kept. Any shard.
class ColumnStore {
 public:
  virtual ~ColumnStore() = default;
  // By schema id.
  virtual Task<Result<std::map<std::int32_t, std::string>>> schemas(TopicId topic) = 0;
  // Durable before it returns. What an id has never changes.
  virtual Task<Result<void>> add_schema(TopicId topic, std::int32_t id, std::string schema) = 0;
  // Of a topic that is gone.
  virtual Task<void> forget(TopicId topic) = 0;
  // Adds what is not there; returns all that is.
  virtual Task<Result<DeclaredColumns>> add_columns(TopicId topic, DeclaredColumns more) = 0;
};

class TypedValues {
 public:
  // What is passed by reference outlives this.
  TypedValues(const ColumnFormat& format, ColumnStore& store, BlockingPool& blocking,
              ValidationOptions options, MetricRegistry& metrics);
  ~TypedValues();

  // Reads what others have added to the topic since.
  Task<Result<void>> prepare(TopicId topic);
  // `validated`: `validator` has found all values of the batch to be values of their schemas; otherwise those
  // that are none stay as they are. Without a validator only schemas that the topic has already are used.
  // nullptr: all values stay as they are. Long work goes to the CPU lane.
  Task<Result<protocol::StoredValuesPtr>> convert(BatchValidator* validator, TopicId topic,
                                                  protocol::RecordBatch batch, protocol::RecordLimits limits,
                                                  bool validated);
  // Of a topic that is gone: its schemas, here and where they are kept.
  Task<void> forget(TopicId topic);
  // Of what convert() has made, by any gateway before prepare(). corrupt_message when it is none. Any thread.
  Result<std::string> value_of(const TopicId& topic, ByteView stored) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::schema
