// AlterClientQuotas (key 49, KIP-546): sets and removes quotas. Each entry is answered for itself.
#include "tidegate/protocol/messages/alter_client_quotas.h"

#include <cmath>
#include <limits>
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

using Request = protocol::AlterClientQuotasRequest;
using Response = protocol::AlterClientQuotasResponse;
using broker::QuotaChange;
using broker::QuotaKind;

// Names are kept and sent as they are, and compared at every request.
constexpr std::size_t kMaxNameBytes = 1024;
// Of Kafka's keys. What is set for a client id that nothing here would obey is refused rather than kept.
constexpr std::string_view kMutationRate = "controller_mutation_rate";
// Kafka takes a rate of bytes for a whole number with so much of a fraction.
constexpr double kWhole = 1e-6;

auto bad(std::string message) { return fail(ErrorCode::invalid_request, std::move(message)); }

Result<broker::QuotaEntity> entity_of(const Request::EntryData& entry) {
  if (entry.entity.empty()) return bad("The entity is empty.");
  broker::QuotaEntity entity;
  for (const auto& [type, name] : entry.entity) {
    if (type == kIpEntity) {
      return bad("Connections are not limited by address: only users and client ids have quotas.");
    }
    auto* const part = part_of(entity, type);
    if (!part) return bad(fmt::format("There is no entity type {}.", type));
    if (*part) return bad(fmt::format("The entity has more than one {}.", type));
    if (name && name->empty()) return bad(fmt::format("The name of a {} is empty.", type));
    if (name && name->size() > kMaxNameBytes) {
      return bad(
          fmt::format("The name of a {} has {} bytes, {} is the limit.", type, name->size(), kMaxNameBytes));
    }
    *part = broker::QuotaName{name};
  }
  return entity;
}

Result<void> check_bound(QuotaKind kind, double bound) {
  const std::string_view key = broker::name_of(kind);
  if (!std::isfinite(bound) || bound <= 0) return bad(fmt::format("{} has to be above 0.", key));
  if (kind == QuotaKind::request_percentage) return {};
  if (bound > static_cast<double>(std::numeric_limits<std::int64_t>::max())) {
    return bad(fmt::format("{} is too large.", key));
  }
  if (std::fmod(bound, 1.0) > kWhole) return bad(fmt::format("{} has to be a whole number.", key));
  return {};
}

Result<QuotaChange> change_of(const Request::EntryData& entry) {
  auto entity = entity_of(entry);
  if (!entity) return fail(std::move(entity.error()));
  QuotaChange change{.entity = std::move(*entity), .ops = {}};
  std::set<std::string_view> keys;
  for (const auto& op : entry.ops) {
    if (!keys.insert(op.key).second) return bad(fmt::format("The entry has {} more than once.", op.key));
    const auto kind = broker::quota_kind(op.key);
    if (!kind) {
      // What was never set can be removed.
      if (op.remove) continue;
      return bad(op.key == kMutationRate ? fmt::format("{} is not supported.", op.key)
                                         : fmt::format("There is no quota {}.", op.key));
    }
    if (!op.remove) {
      if (auto good = check_bound(*kind, op.value); !good) return fail(std::move(good.error()));
    }
    change.ops.push_back({.kind = *kind, .bound = op.remove ? std::nullopt : std::optional(op.value)});
  }
  return change;
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  Response response;
  std::vector<QuotaChange> changes;
  std::vector<std::size_t> places;
  std::set<broker::QuotaEntity> entities;
  for (auto& entry : request.entries) {
    auto& answer = response.entries.emplace_back();
    answer.error_message = std::nullopt;
    for (auto& [type, name] : entry.entity) answer.entity.push_back({type, name});
    auto change = change_of(entry);
    if (change && !entities.insert(change->entity).second) {
      change = bad("The request has this entity more than once.");
    }
    if (!change) {
      set_error(answer, std::move(change.error()));
      continue;
    }
    changes.push_back(std::move(*change));
    places.push_back(response.entries.size() - 1);
  }
  if (!changes.empty()) {
    auto results = co_await context->broker->quotas().alter(std::move(changes), request.validate_only);
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!results[i]) set_error(response.entries[places[i]], std::move(results[i].error()));
    }
  }
  const ErrorCode error = first_error(response.entries);
  co_return make_reply(*context, std::move(response), error);
}

}  // namespace

ApiRow alter_client_quotas_row() {
  return make_row<Request, handle>({.name = "AlterClientQuotas", .lane = RequestLane::ordered});
}

}  // namespace tidegate::api
