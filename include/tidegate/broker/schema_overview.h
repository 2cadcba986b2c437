// What there is of schemas, for people: GET /schemas of the admin listener. On shard 0.
#pragma once

#include <string>
#include <vector>

#include "tidegate/broker/broker.h"
#include "tidegate/schema/policy.h"
#include "tidegate/schema/registry.h"

namespace tidegate::broker {

struct SchemaOverview {
  bool has_registry = false;
  schema::RegistryState registry;  // without its list of subjects
  struct Field {
    schema::FieldPolicy policy;
    std::string subject;      // of the topic strategy
    bool registered = false;  // as of the registry's last list
  };
  struct Topic {
    std::string name;
    Field key;
    Field value;
  };
  // Those with validation, and those whose subject the registry has.
  std::vector<Topic> topics;
};

SchemaOverview schema_overview(Broker& broker);

}  // namespace tidegate::broker
