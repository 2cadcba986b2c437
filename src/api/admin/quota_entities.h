// Kafka's words for what a quota can be for, shared by the two client quota APIs.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tidegate/broker/quota_table.h"

namespace tidegate::api {

inline constexpr std::string_view kUserEntity = "user";
inline constexpr std::string_view kClientIdEntity = "client-id";
inline constexpr std::string_view kIpEntity = "ip";

// The place for the name of an entity type that quotas can be set for here; nullptr for others.
inline std::optional<broker::QuotaName>* part_of(broker::QuotaEntity& entity, std::string_view type) {
  if (type == kUserEntity) return &entity.user;
  if (type == kClientIdEntity) return &entity.client_id;
  return nullptr;
}

}  // namespace tidegate::api
