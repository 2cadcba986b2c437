// IncrementalAlterConfigs (key 44, KIP-339): set, delete, append to and subtract from single configs.
#include "tidegate/protocol/messages/incremental_alter_configs.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "../handler.h"
#include "../rows.h"
#include "config_resources.h"

namespace tidegate::api {
namespace {

using Request = protocol::IncrementalAlterConfigsRequest;
using Response = protocol::IncrementalAlterConfigsResponse;
using Resource = Request::AlterConfigsResource;
using Operation = Request::AlterableConfig;

enum class Kind : std::int8_t { set = 0, erase = 1, append = 2, subtract = 3 };

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> items;
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t comma = std::min(list.find(',', begin), list.size());
    items.push_back(list.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return items;
}

// The list in its normal form: items without blanks around them.
Result<std::vector<std::string>> items_of(const ConfigKey& key, const std::string& text) {
  auto list = ConfigTable::normalise(key, text);
  if (!list) return fail(std::move(list.error()));
  return split(*list);
}

// What can be said without the topic.
Result<void> check_operation(const Operation& operation) {
  if (operation.config_operation < 0 || operation.config_operation > 3) {
    return fail(ErrorCode::invalid_request,
                fmt::format("There is no config operation {}.", operation.config_operation));
  }
  const auto kind = static_cast<Kind>(operation.config_operation);
  if (kind != Kind::erase && !operation.value) {
    return fail(ErrorCode::invalid_request, fmt::format("Config {} has a null value.", operation.name));
  }
  // What was never set can be deleted, also a name that only another version knows.
  if (kind == Kind::erase) return {};
  const auto key = broker::topic_config_table().require(operation.name);
  if (!key) return fail(key.error());
  const bool is_list = (*key)->type == ConfigType::list;
  if ((kind == Kind::append || kind == Kind::subtract) && !is_list) {
    return fail(ErrorCode::invalid_config,
                fmt::format("Config {} is not a list: nothing can be appended to it or subtracted from it.",
                            operation.name));
  }
  return {};
}

Result<void> edit_list(const ConfigKey& key, const Operation& operation, const ConfigValues& server,
                       broker::TopicConfigs& configs) {
  const auto edit = items_of(key, *operation.value);
  if (!edit) return fail(edit.error());
  // A topic without its own value starts from the one that holds for it now.
  auto items = split(broker::describe_topic_setting(key, configs, server).value);
  for (const std::string& item : *edit) {
    const auto at = std::ranges::find(items, item);
    const bool present = at != items.end();
    if (operation.config_operation == static_cast<std::int8_t>(Kind::append)) {
      if (!present) items.push_back(item);
    } else if (present) {
      items.erase(at);
    }
  }
  configs.insert_or_assign(operation.name, fmt::format("{}", fmt::join(items, ",")));
  return {};
}

Result<broker::TopicConfigs> apply_operations(const std::vector<Operation>& operations,
                                              const ConfigValues& server, broker::TopicConfigs configs) {
  for (const Operation& operation : operations) {
    switch (static_cast<Kind>(operation.config_operation)) {
      case Kind::set:
        configs.insert_or_assign(operation.name, *operation.value);
        break;
      case Kind::erase:
        configs.erase(operation.name);
        break;
      case Kind::append:
      case Kind::subtract: {
        const ConfigKey* key = broker::topic_config_table().find(operation.name);
        if (auto good = edit_list(*key, operation, server, configs); !good)
          return fail(std::move(good.error()));
        break;
      }
    }
  }
  return configs;
}

Result<broker::ConfigChange> change_of(const RequestContext& context, Resource& resource) {
  std::set<std::string_view> names;
  for (const Operation& operation : resource.configs) {
    if (!names.insert(operation.name).second) {
      return fail(ErrorCode::invalid_request,
                  fmt::format("The request has config {} more than once.", operation.name));
    }
    if (auto good = check_operation(operation); !good) return fail(std::move(good.error()));
  }
  const ConfigValues* server = &context.broker->parts().config;
  return [operations = std::move(resource.configs), server](broker::TopicConfigs configs) {
    return apply_operations(operations, *server, std::move(configs));
  };
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  auto response = co_await alter_resources<Response>(context, std::move(request), &change_of);
  const ErrorCode error = first_error(response.responses);
  co_return make_reply(*context, std::move(response), error);
}

}  // namespace

ApiRow incremental_alter_configs_row() {
  return make_row<Request, handle>({.name = "IncrementalAlterConfigs", .lane = RequestLane::ordered});
}

}  // namespace tidegate::api
