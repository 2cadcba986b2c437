// What several topic and config APIs say in the same words: error fields, rights as bit sets, brokers.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tidegate/api/api_table.h"
#include "tidegate/base/result.h"
#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/storage/engine.h"

namespace tidegate::api {

// Resource types of the config APIs, Kafka's numbers.
inline constexpr std::int8_t kTopicResource = 2;
inline constexpr std::int8_t kBrokerResource = 4;

// KIP-430: bit n stands for ACL operation n. Everybody may do everything until there are ACLs.
// Topic: READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS.
inline constexpr std::int32_t kAllTopicOperations =
    1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
// Cluster: CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE.
inline constexpr std::int32_t kAllClusterOperations =
    1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;

template <class Answer>
void set_error(Answer& answer, ErrorCode code, std::string message) {
  answer.error_code = code;
  answer.error_message = std::move(message);
}
template <class Answer>
void set_error(Answer& answer, Error error) {
  set_error(answer, error.code, std::move(error.message));
}

// The first error among answers, for metrics.
template <class Answers>
ErrorCode first_error(const Answers& answers) {
  for (const auto& answer : answers) {
    if (answer.error_code != ErrorCode::none) return answer.error_code;
  }
  return ErrorCode::none;
}

// A broker as this client is to reach it: by the listener it came in on.
struct BrokerAddress {
  NodeId node = 0;
  std::string host;
  std::uint16_t port = 0;
  std::optional<std::string> rack;
};
std::vector<BrokerAddress> broker_addresses(const RequestContext& context);

// Topics that Kafka keeps for itself; here they are only names that clients may use.
bool is_internal_topic(std::string_view name);

// The node that leads a partition, and the log's epoch.
struct Leader {
  NodeId node = 0;
  LeaderEpoch epoch = 0;
};
Leader leader_of(const RequestContext& context, const PartitionId& partition);

// DescribeConfigs' and CreateTopics' numbers for where a value comes from.
std::int8_t config_source_number(broker::TopicSetting::Source source);

// Bad broker ids, or two or more, in a replica list that a client made itself.
Result<void> check_replicas(const RequestContext& context, const std::vector<std::int32_t>& replicas);

}  // namespace tidegate::api
