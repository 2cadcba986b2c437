#include "schema_check.h"

#include <utility>

#include "tidegate/schema/batch_validator.h"
#include "tidegate/schema/typed_values.h"

namespace tidegate::broker {

Task<std::optional<ProduceRefusal>> check_schemas(const BrokerParts& parts, CatalogueTopicPtr topic,
                                                  protocol::RecordBatch batch) {
  const schema::TopicPolicy policy = topic->settings.schema;
  const protocol::RecordLimits limits = record_limits(batch, topic->settings);
  if (parts.schemas == nullptr) {
    co_return ProduceRefusal{
        ErrorCode::not_enough_replicas, "the topic asks for schema validation and there is none", {}};
  }
  schema::BatchVerdict verdict =
      co_await parts.schemas->check(policy, topic->topic.name, std::move(batch), limits);
  if (verdict.error == ErrorCode::none) co_return std::nullopt;
  ProduceRefusal refusal{verdict.error, std::move(verdict.message), {}};
  for (auto& problem : verdict.problems)
    refusal.record_errors.push_back({problem.index, std::move(problem.message)});
  co_return refusal;
}

Task<Result<protocol::StoredValuesPtr>> typed_values(const BrokerParts& parts, CatalogueTopicPtr topic,
                                                     protocol::RecordBatch batch) {
  const schema::FieldPolicy& policy = topic->settings.schema.value;
  const bool typed = parts.typed != nullptr && policy.validation == schema::Validation::full &&
                     parts.engine.may_have_columns(topic->topic.id);
  if (!typed) co_return protocol::StoredValuesPtr();
  const protocol::RecordLimits limits = record_limits(batch, topic->settings);
  co_return co_await parts.typed->convert(parts.schemas, topic->topic.id, std::move(batch), limits,
                                          !policy.accept_unchecked);
}

Task<Result<protocol::StoredValuesPtr>> retyped_values(const BrokerParts& parts, TopicId topic,
                                                       protocol::RecordBatch batch) {
  if (parts.typed == nullptr || !parts.engine.may_have_columns(topic)) co_return protocol::StoredValuesPtr();
  co_return co_await parts.typed->convert(nullptr, topic, std::move(batch), {}, false);
}

}  // namespace tidegate::broker
