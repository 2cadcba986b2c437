// What a topic's schemas say of a batch, in the produce path's words. On the owner shard, before the batch
// has its turn in the partition's order: look-ups of one producer hold up nobody else's checks.
#pragma once

#include <optional>

#include "produce_check.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/runtime/task.h"

namespace tidegate::broker {

// nullopt: nothing against it. not_enough_replicas when the registry cannot be asked now and the topic
// does not take unchecked records. The topic has a policy (schema.any()).
Task<std::optional<ProduceRefusal>> check_schemas(const BrokerParts& parts, CatalogueTopicPtr topic,
                                                  protocol::RecordBatch batch);

// What is to be stored of the values of a batch that was checked; nothing where the topic has no columns.
Task<Result<protocol::StoredValuesPtr>> typed_values(const BrokerParts& parts, CatalogueTopicPtr topic,
                                                     protocol::RecordBatch batch);

// The same for batches that compaction writes anew: by what the topic has already, whatever its settings say
// now.
Task<Result<protocol::StoredValuesPtr>> retyped_values(const BrokerParts& parts, TopicId topic,
                                                       protocol::RecordBatch batch);

}  // namespace tidegate::broker
