// ConsumerGroupDescribe (key 69): state and members of KIP-848 consumer groups.
#pragma once

#include <cstdint>
#include <limits>
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
//   1  answer tells the members' kind (KIP-1099)
struct ConsumerGroupDescribeRequest {
  static constexpr std::int16_t kApiKey = 69;
  static constexpr Versions versions{0, 1, flexible_from(0)};
  static constexpr double kMemoryFactor = 32;

  std::vector<std::string> group_ids;
  bool include_authorized_operations = false;

  bool operator==(const ConsumerGroupDescribeRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("group_ids", m.group_ids);
    v.field("include_authorized_operations", m.include_authorized_operations);
  }
};

// Versions:
//   0  flexible
//   1  kind of each member (KIP-1099)
struct ConsumerGroupDescribeResponse {
  static constexpr std::int16_t kApiKey = 69;
  static constexpr Versions versions{0, 1, flexible_from(0)};

  struct TopicPartitions {
    Uuid topic_id;
    std::string topic_name;
    std::vector<std::int32_t> partitions;

    bool operator==(const TopicPartitions&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic_id", m.topic_id);
      v.field("topic_name", m.topic_name);
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

  struct Member {
    std::string member_id;
    std::optional<std::string> instance_id;
    std::optional<std::string> rack_id;
    std::int32_t member_epoch = 0;
    std::string client_id;
    std::string client_host;
    std::vector<std::string> subscribed_topic_names;
    std::optional<std::string> subscribed_topic_regex;
    Assignment assignment;
    Assignment target_assignment;
    std::int8_t member_type = -1;  // -1 unknown, 0 classic, 1 consumer

    bool operator==(const Member&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("member_id", m.member_id);
      v.field("instance_id", m.instance_id);
      v.field("rack_id", m.rack_id);
      v.field("member_epoch", m.member_epoch);
      v.field("client_id", m.client_id);
      v.field("client_host", m.client_host);
      v.field("subscribed_topic_names", m.subscribed_topic_names);
      v.field("subscribed_topic_regex", m.subscribed_topic_regex);
      v.field("assignment", m.assignment);
      v.field("target_assignment", m.target_assignment);
      v.field("member_type", m.member_type, {.since = 1, .ignorable = true});
    }
  };

  struct DescribedGroup {
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> error_message;
    std::string group_id;
    std::string group_state;
    std::int32_t group_epoch = 0;
    std::int32_t assignment_epoch = 0;
    std::string assignor_name;
    std::vector<Member> members;
    // Bit set; the least int32 means not asked for.
    std::int32_t authorized_operations = std::numeric_limits<std::int32_t>::min();

    bool operator==(const DescribedGroup&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("error_code", m.error_code);
      v.field("error_message", m.error_message);
      v.field("group_id", m.group_id);
      v.field("group_state", m.group_state);
      v.field("group_epoch", m.group_epoch);
      v.field("assignment_epoch", m.assignment_epoch);
      v.field("assignor_name", m.assignor_name);
      v.field("members", m.members);
      v.field("authorized_operations", m.authorized_operations);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<DescribedGroup> groups;

  bool operator==(const ConsumerGroupDescribeResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("groups", m.groups);
  }
};

extern template struct Codec<ConsumerGroupDescribeRequest>;
extern template struct Codec<ConsumerGroupDescribeResponse>;

}  // namespace tidegate::protocol
