#include "tidegate/broker/schema_overview.h"

#include <algorithm>
#include <utility>

#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/schema/batch_validator.h"

namespace tidegate::broker {
namespace {

SchemaOverview::Field field_of(const CatalogueTopic& topic, schema::Field field,
                               const std::vector<std::string>& subjects) {
  SchemaOverview::Field told{.policy = topic.settings.schema.of(field), .subject = {}};
  told.subject = schema::subject_of(schema::SubjectStrategy::topic, topic.topic.name, field, {});
  told.registered = std::ranges::binary_search(subjects, told.subject);
  return told;
}

}  // namespace

SchemaOverview schema_overview(Broker& broker) {
  SchemaOverview overview;
  schema::BatchValidator* validator = broker.parts().schemas;
  if (validator != nullptr && validator->registry() != nullptr) {
    overview.has_registry = true;
    overview.registry = validator->registry()->state();
  }
  const std::vector<std::string> subjects = std::exchange(overview.registry.subjects, {});
  for (const auto& topic : broker.topics().list()) {
    SchemaOverview::Topic told{.name = topic->topic.name,
                               .key = field_of(*topic, schema::Field::key, subjects),
                               .value = field_of(*topic, schema::Field::value, subjects)};
    if (topic->settings.schema.any() || told.key.registered || told.value.registered) {
      overview.topics.push_back(std::move(told));
    }
  }
  return overview;
}

}  // namespace tidegate::broker
