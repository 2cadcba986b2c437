// Requests and answers of group_wire.h.
#include "group_wire.h"

namespace loadgen {
namespace {

constexpr int32_t kSessionTimeoutMs = 45'000;
constexpr int32_t kRebalanceTimeoutMs = 60'000;

void bytes(Writer& w, std::string_view v) {
  w.i32(static_cast<int32_t>(v.size()));
  w.raw(v);
}

// Version 1 of the consumer protocol: one topic, no user data, nothing owned.
std::string subscription() {
  Writer w;
  w.i16(1);
  w.i32(1);
  w.string("bench");
  w.i32(-1);
  w.i32(0);
  return std::move(w.bytes());
}

std::string assignment(int32_t partition) {
  Writer w;
  w.i16(1);
  w.i32(1);
  w.string("bench");
  w.i32(1);
  w.i32(partition);
  w.i32(-1);
  return std::move(w.bytes());
}

}  // namespace

std::string find_coordinator_request(std::string_view group) {
  Writer w;
  w.string(group);
  return frame(kFindCoordinator, 0, w.bytes());
}

int16_t parse_find_coordinator(Reader body) { return body.i16(); }

std::string join_request(std::string_view group, std::string_view member_id) {
  Writer w;
  w.string(group);
  w.i32(kSessionTimeoutMs);
  w.i32(kRebalanceTimeoutMs);
  w.string(member_id);
  w.null_string();  // instance id
  w.string("consumer");
  w.i32(1);
  w.string("range");
  bytes(w, subscription());
  return frame(kJoinGroup, 5, w.bytes());
}

Joined parse_join(Reader body) {
  Joined got;
  body.i32();
  got.error = body.i16();
  got.generation = body.i32();
  body.string();  // protocol
  body.string();  // leader
  got.member_id = body.string();
  for (int32_t left = body.i32(); left > 0; --left) {
    got.members.emplace_back(body.string());
    body.string();
    body.take(static_cast<size_t>(body.i32()));
  }
  return got;
}

std::string sync_request(std::string_view group, int32_t generation, std::string_view member_id,
                         const std::vector<std::string>& members) {
  Writer w;
  w.string(group);
  w.i32(generation);
  w.string(member_id);
  w.null_string();
  w.i32(static_cast<int32_t>(members.size()));
  for (size_t n = 0; n < members.size(); ++n) {
    w.string(members[n]);
    bytes(w, assignment(static_cast<int32_t>(n)));
  }
  return frame(kSyncGroup, 3, w.bytes());
}

int16_t parse_sync(Reader body) {
  body.i32();
  return body.i16();
}

std::string heartbeat_request(std::string_view group, int32_t generation, std::string_view member_id) {
  Writer w;
  w.string(group);
  w.i32(generation);
  w.string(member_id);
  w.null_string();
  return frame(kHeartbeat, 3, w.bytes());
}

int16_t parse_heartbeat(Reader body) {
  body.i32();
  return body.i16();
}

std::string commit_request(std::string_view group, std::string_view topic, int32_t partition,
                           int64_t offset) {
  Writer w;
  w.string(group);
  w.i32(-1);
  w.string("");
  w.i64(-1);
  w.i32(1);
  w.string(topic);
  w.i32(1);
  w.i32(partition);
  w.i64(offset);
  w.string("");
  return frame(kOffsetCommit, 2, w.bytes());
}

void check_commit(Reader body) {
  const int32_t topics = body.i32();
  body.string();
  const int32_t partitions = body.i32();
  body.i32();
  const int16_t code = body.i16();
  if (topics != 1 || partitions != 1 || code != 0) throw Error("commit: error code " + std::to_string(code));
}

}  // namespace loadgen
