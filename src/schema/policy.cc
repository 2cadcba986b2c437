#include "tidegate/schema/policy.h"

#include <fmt/format.h>

namespace tidegate::schema {

std::string_view field_name(Field field) { return field == Field::key ? "key" : "value"; }

std::string_view validation_name(Validation validation) {
  switch (validation) {
    case Validation::off:
      return "off";
    case Validation::id:
      return "id";
    case Validation::full:
      return "full";
  }
  return "off";
}

std::string subject_of(SubjectStrategy strategy, std::string_view topic, Field field,
                       std::string_view record_name) {
  switch (strategy) {
    case SubjectStrategy::topic:
      return fmt::format("{}-{}", topic, field_name(field));
    case SubjectStrategy::record:
      return std::string(record_name);
    case SubjectStrategy::topic_record:
      return fmt::format("{}-{}", topic, record_name);
  }
  return {};
}

}  // namespace tidegate::schema
