// Topics whose engine keeps values as typed columns: schemas of theirs in the meta store, columns in the
// topic store, and what gives values back to the engine. Made by app/ before the engine starts, because the
// engine opens logs on its own.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "tidegate/runtime/shard.h"
#include "tidegate/schema/typed_values.h"
#include "tidegate/storage/engine.h"

namespace tidegate::broker {

class TypedTopics final : public storage::ValueRebuilder, private schema::ColumnStore {
 public:
  // nullptr when the engine keeps no columns. Tells the engine of itself; outlives it.
  static std::unique_ptr<TypedTopics> make(storage::Engine& engine, ShardPool& shards, BlockingPool& blocking,
                                           schema::ValidationOptions options, MetricRegistry& metrics);

  schema::TypedValues& values() { return values_; }
  Task<Result<void>> prepare(TopicId topic) override { return values_.prepare(topic); }
  Result<std::string> value_of(const TopicId& topic, ByteView stored) const override {
    return values_.value_of(topic, stored);
  }

 private:
  TypedTopics(storage::Engine& engine, ShardPool& shards, BlockingPool& blocking,
              schema::ValidationOptions options, MetricRegistry& metrics);
  Task<Result<std::map<std::int32_t, std::string>>> schemas(TopicId topic) override;
  Task<Result<void>> add_schema(TopicId topic, std::int32_t id, std::string schema) override;
  Task<void> forget(TopicId topic) override;
  Task<Result<DeclaredColumns>> add_columns(TopicId topic, DeclaredColumns more) override;

  storage::Engine& engine_;
  ShardPool& shards_;
  schema::TypedValues values_;
};

}  // namespace tidegate::broker
