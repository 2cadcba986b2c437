// ConsumerGroupHeartbeat (key 68): join, heartbeat and leave of a KIP-848 consumer group in one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/base/uuid.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/protocol/fields.h"

namespace tidegate::protocol {

// Versions:
//   0  flexible
//   1  subscription by regular expression; the client makes its member id (KIP-1082)
struct ConsumerGroupHeartbeatRequest {
  static constexpr std::int16_t kApiKey = 68;
  static constexpr Versions versions{0, 1, flexible_from(0)};
  static constexpr double kMemoryFactor = 32;

  struct TopicPartitions {
    Uuid topic_id;
    std::vector<std::int32_t> partitions;

    bool operator==(const TopicPartitions&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic_id", m.topic_id);
      v.field("partitions", m.partitions);
    }
  };

  std::string group_id;
  std::string member_id;
  std::int32_t member_epoch = 0;  // 0 join, -1 leave, -2 leave for a while (static member)
  // Null (-1 for the number): as in the last heartbeat.
  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  std::int32_t rebalance_timeout_ms = -1;
  std::optional<std::vector<std::string>> subscribed_topic_names;
  std::optional<std::string> subscribed_topic_regex;
  std::optional<std::string> server_assignor;
  std::optional<std::vector<TopicPartitions>> topic_partitions;  // what the member owns

  bool operator==(const ConsumerGroupHeartbeatRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("group_id", m.group_id);
    v.field("member_id", m.member_id);
    v.field("member_epoch", m.member_epoch);
    v.field("instance_id", m.instance_id);
    v.field("rack_id", m.rack_id);
    v.field("rebalance_timeout_ms", m.rebalance_timeout_ms);
    v.field("subscribed_topic_names", m.subscribed_topic_names);
    v.field("subscribed_topic_regex", m.subscribed_topic_regex, {.since = 1});
    v.field("server_assignor", m.server_assignor);
    v.field("topic_partitions", m.topic_partitions);
  }
};

// Versions:
//   0  flexible
struct ConsumerGroupHeartbeatResponse {
  static constexpr std::int16_t kApiKey = 68;
  static constexpr Versions versions{0, 1, flexible_from(0)};

  struct TopicPartitions {
    Uuid topic_id;
    std::vector<std::int32_t> partitions;

    bool operator==(const TopicPartitions&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic_id", m.topic_id);
      v.field("partitions", m.partitions);
    }
  };

  struct Assignment {
    std::vector<TopicPartitions> topic_partitions;

    bool operator==(const Assignment&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic_partitions", m.topic_partitions);
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::none;
  std::optional<std::string> error_message;
  std::optional<std::string> member_id;
  std::int32_t member_epoch = 0;
  std::int32_t heartbeat_interval_ms = 0;
  std::optional<Assignment> assignment;  // null: as before

  bool operator==(const ConsumerGroupHeartbeatResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("error_code", m.error_code);
    v.field("error_message", m.error_message);
    v.field("member_id", m.member_id);
    v.field("member_epoch", m.member_epoch);
    v.field("heartbeat_interval_ms", m.heartbeat_interval_ms);
    v.field("assignment", m.assignment);
  }
};

extern template struct Codec<ConsumerGroupHeartbeatRequest>;
extern template struct Codec<ConsumerGroupHeartbeatResponse>;

}  // namespace tidegate::protocol
