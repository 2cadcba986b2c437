// The bytes that clients of protocol type "consumer" put into JoinGroup metadata and SyncGroup assignments,
// versions 0-3. Opaque to a classic group; read where a broker has to: for subscribed topics, and when a
// live group changes between the classic and the KIP-848 protocol. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tidegate/base/bytes.h"
#include "tidegate/base/result.h"

namespace tidegate::groups {

struct NamedTopicPartitions {
  std::string topic;
  std::vector<std::int32_t> partitions;

  bool operator==(const NamedTopicPartitions&) const = default;
};

struct ConsumerProtocolSubscription {
  static constexpr std::int16_t kHighestVersion = 3;

  std::vector<std::string> topics;
  std::optional<std::vector<std::uint8_t>> user_data;
  std::vector<NamedTopicPartitions> owned_partitions;  // version 1 and up
  std::int32_t generation_id = -1;                     // version 2 and up; -1: none
  std::optional<std::string> rack_id;                  // version 3 and up

  bool operator==(const ConsumerProtocolSubscription&) const = default;
};

struct ConsumerProtocolAssignment {
  static constexpr std::int16_t kHighestVersion = 3;  // all versions look the same

  std::vector<NamedTopicPartitions> assigned_partitions;
  std::optional<std::vector<std::uint8_t>> user_data;

  bool operator==(const ConsumerProtocolAssignment&) const = default;
};

// As lenient as Kafka's brokers: a version above the highest is read as the highest, and bytes after the last
// known field are passed over. invalid_request for what does not parse: no version, one below 0, too short.
Result<std::int16_t> consumer_protocol_version(ByteView bytes);
Result<ConsumerProtocolSubscription> decode_subscription(ByteView bytes);
// No bytes at all are an assignment of nothing, which is what a leader leaves for a member it omits.
Result<ConsumerProtocolAssignment> decode_assignment(ByteView bytes);

// `version` is 0-3; fields that it does not have are left out.
std::vector<std::uint8_t> encode_subscription(const ConsumerProtocolSubscription& subscription,
                                              std::int16_t version);
std::vector<std::uint8_t> encode_assignment(const ConsumerProtocolAssignment& assignment,
                                            std::int16_t version);

}  // namespace tidegate::groups
