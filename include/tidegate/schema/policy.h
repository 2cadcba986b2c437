// What a topic asks of the schemas of its keys and values: topic settings tidegate.{key,value}.schema.*
// in the form that the produce path acts on. Made by broker/topic_config, read on any shard.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidegate::schema {

enum class Field : std::uint8_t { key, value };
std::string_view field_name(Field field);

// off: bytes are bytes. id: the record begins with the id of a schema of its subject. full: and the rest
// of the record is an encoding of that schema.
enum class Validation : std::uint8_t { off, id, full };
std::string_view validation_name(Validation validation);

// Which subject of the registry a schema has to be registered under.
enum class SubjectStrategy : std::uint8_t {
  topic,         // <topic>-key, <topic>-value
  record,        // <full name of the record>
  topic_record,  // <topic>-<full name of the record>
};

struct FieldPolicy {
  Validation validation = Validation::off;
  SubjectStrategy strategy = SubjectStrategy::topic;
  // What happens to a record whose schema cannot be looked up now: false refuses it for the moment (the
  // producer tries again), true stores it unchecked.
  bool accept_unchecked = false;
};

struct TopicPolicy {
  FieldPolicy key;
  FieldPolicy value;
  bool any() const { return key.validation != Validation::off || value.validation != Validation::off; }
  const FieldPolicy& of(Field field) const { return field == Field::key ? key : value; }
};

// `record_name` is the full name of the record type; only the strategies that use it look at it.
std::string subject_of(SubjectStrategy strategy, std::string_view topic, Field field,
                       std::string_view record_name);

}  // namespace tidegate::schema
