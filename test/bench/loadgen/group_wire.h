// The group APIs of the load generator: JoinGroup 5, SyncGroup 3, Heartbeat 3 and OffsetCommit 2, as a
// consumer with one topic and the range assignor sends them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wire.h"

namespace loadgen {

inline constexpr int16_t kUnknownMember = 25;
inline constexpr int16_t kRebalanceInProgress = 27;
inline constexpr int16_t kMemberIdRequired = 79;

std::string find_coordinator_request(std::string_view group);
int16_t parse_find_coordinator(Reader body);

struct Joined {
  int16_t error = 0;
  int32_t generation = -1;
  std::string member_id;
  std::vector<std::string> members;  // of the leader's answer alone
};

std::string join_request(std::string_view group, std::string_view member_id);
Joined parse_join(Reader body);

// With an assignment of one partition for each of `members`: the leader's; a follower's has none.
std::string sync_request(std::string_view group, int32_t generation, std::string_view member_id,
                         const std::vector<std::string>& members);
int16_t parse_sync(Reader body);

std::string heartbeat_request(std::string_view group, int32_t generation, std::string_view member_id);
int16_t parse_heartbeat(Reader body);

// Of one partition, by nobody's member.
std::string commit_request(std::string_view group, std::string_view topic, int32_t partition, int64_t offset);
void check_commit(Reader body);

}  // namespace loadgen
