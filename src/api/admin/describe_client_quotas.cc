// DescribeClientQuotas (key 48, KIP-546): the quotas that are set for entities which a filter names.
#include "tidegate/protocol/messages/describe_client_quotas.h"

#include <set>
#include <utility>

#include <fmt/format.h>

#include "../handler.h"
#include "../rows_operations.h"
#include "answers.h"
#include "quota_entities.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/client_quotas.h"

namespace tidegate::api {
namespace {

using Request = protocol::DescribeClientQuotasRequest;
using Response = protocol::DescribeClientQuotasResponse;
using broker::QuotaEntity;
using broker::QuotaName;

enum class Match : std::int8_t { exact = 0, standard = 1, any = 2 };

// What one component says of the user or the client id.
struct Wanted {
  Match match = Match::any;
  std::optional<std::string> name;
};
struct Filter {
  std::optional<Wanted> user;
  std::optional<Wanted> client_id;
  bool ip = false;  // nothing is set for an address
  bool strict = false;
};

Result<Wanted> wanted_by(Request::ComponentData& component) {
  const auto bad = [&](std::string_view reason) {
    return fail(ErrorCode::invalid_request, fmt::format("Component {}: {}", component.entity_type, reason));
  };
  if (component.match_type < 0 || component.match_type > 2) {
    return bad(fmt::format("there is no match type {}.", component.match_type));
  }
  const auto match = static_cast<Match>(component.match_type);
  if (match == Match::exact && !component.match) return bad("an exact match needs a name.");
  if (match != Match::exact && component.match) return bad("only an exact match has a name.");
  return Wanted{.match = match, .name = std::move(component.match)};
}

Result<Filter> filter_of(Request& request) {
  Filter filter{.strict = request.strict};
  std::set<std::string> types;
  for (auto& component : request.components) {
    if (component.entity_type.empty()) {
      return fail(ErrorCode::invalid_request, "A component has no entity type.");
    }
    if (!types.insert(component.entity_type).second) {
      return fail(ErrorCode::invalid_request,
                  fmt::format("The filter has more than one component {}.", component.entity_type));
    }
    const bool ip = component.entity_type == kIpEntity;
    if (!ip && component.entity_type != kUserEntity && component.entity_type != kClientIdEntity) {
      return fail(ErrorCode::unsupported_version,
                  fmt::format("There is no entity type {}.", component.entity_type));
    }
    auto wanted = wanted_by(component);
    if (!wanted) return fail(std::move(wanted.error()));
    if (ip) {
      filter.ip = true;
    } else {
      (component.entity_type == kUserEntity ? filter.user : filter.client_id) = std::move(*wanted);
    }
  }
  if (filter.ip && types.size() > 1) {
    return fail(ErrorCode::invalid_request, "A component ip does not go along with another one.");
  }
  return filter;
}

bool matches(const std::optional<Wanted>& wanted, const std::optional<QuotaName>& part, bool strict) {
  if (!wanted) return !strict || !part;
  if (!part) return false;
  switch (wanted->match) {
    case Match::exact:
    case Match::standard:
      return part->name == wanted->name;
    case Match::any:
      return true;
  }
  return false;
}

Response::EntryData entry_of(const QuotaEntity& entity, const broker::QuotaValues& values) {
  Response::EntryData entry;
  if (entity.user) entry.entity.push_back({std::string(kUserEntity), entity.user->name});
  if (entity.client_id) entry.entity.push_back({std::string(kClientIdEntity), entity.client_id->name});
  for (const auto kind : broker::kAllQuotaKinds) {
    const auto& value = values[static_cast<std::size_t>(kind)];
    if (value) entry.values.push_back({std::string(broker::name_of(kind)), *value});
  }
  return entry;
}

Task<Response> handle(RequestContextPtr context, Request request) {
  Response response;
  response.error_message = std::nullopt;
  auto filter = filter_of(request);
  if (!filter) {
    set_error(response, std::move(filter.error()));
    response.entries = std::nullopt;
    co_return response;
  }
  const broker::QuotaTable* const table = context->broker->quotas().table();
  if (!table || filter->ip) co_return response;
  for (const auto& [entity, values] : table->quotas()) {
    if (matches(filter->user, entity.user, filter->strict) &&
        matches(filter->client_id, entity.client_id, filter->strict)) {
      response.entries->push_back(entry_of(entity, values));
    }
  }
  co_return response;
}

}  // namespace

ApiRow describe_client_quotas_row() { return make_row<Request, handle>({.name = "DescribeClientQuotas"}); }

}  // namespace tidegate::api
