// Schemas that records are checked against: fetched from the registry with everything they refer to, compiled
// on the CPU lane, kept by id. Who asks for one that is on its way waits for it; the way goes on when they
// no longer do, so that a slow registry is waited for once. Used by BatchValidator.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "compiled_schema.h"
#include "tidegate/base/metrics.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/runtime/task.h"

namespace tidegate::schema {

struct LoadedSchema {
  CompiledSchemaPtr schema;  // nullptr: see `problem`
  bool unusable = false;     // with a problem; false: nobody can tell now
  std::string problem;
  std::shared_ptr<const std::string> text = nullptr;  // of a schema: encode_schema()
};

class SchemaLoader {
 public:
  // What is passed by reference outlives this.
  SchemaLoader(Registry& registry, BlockingPool& blocking, ValidationOptions options,
               MetricRegistry& metrics);
  // What is kept, on any thread; nullopt: load it. Copies share what is kept, and may outlive this.
  class Kept {
   public:
    std::optional<LoadedSchema> find(std::int32_t id) const;

   private:
    friend class SchemaLoader;
    struct State;
    std::shared_ptr<State> state_;
  };
  const Kept& kept() const { return kept_; }

  // On any shard; returns within seconds.
  Task<LoadedSchema> load(std::int32_t id);

 private:
  struct State;
  Kept kept_;
  std::shared_ptr<State> state_;
};

}  // namespace tidegate::schema
