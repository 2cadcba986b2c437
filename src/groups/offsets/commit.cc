// OffsetCommit: who may, and what of it is kept.
#include <limits>
#include <utility>

#include "rules.h"

namespace tidegate::groups::offsets {
namespace {

std::int64_t expiry_of(const CommitOffsets& request, std::int64_t now_ms) {
  if (request.retention_ms < 0) return -1;
  const auto longest = std::numeric_limits<std::int64_t>::max() - now_ms;
  return now_ms + std::min(request.retention_ms, longest);
}

ErrorCode check_partition(const Machine& group, const std::string& topic, const PartitionCommit& commit) {
  if (commit.metadata.size() > group.limits.offset_metadata_max_bytes)
    return ErrorCode::offset_metadata_too_large;
  const bool is_full = group.offsets.size() >= group.limits.max_offsets_per_group;
  if (is_full && group.offsets.find(topic, commit.partition) == nullptr) {
    return ErrorCode::invalid_commit_offset_size;
  }
  return ErrorCode::none;
}

void commit_partition(Step& step, const TopicCommit& topic, PartitionCommit commit,
                      std::int64_t expires_at_ms) {
  if (step.group.type == GroupType::none) {
    // Offsets alone make a group, too: an empty one without a protocol type.
    step.emit(PutClassicHead{{.phase_since_ms = step.now.wall_ms}});
  }
  step.emit(PutOffset{.topic = topic.topic,
                      .partition = commit.partition,
                      .value = {.offset = commit.offset,
                                .leader_epoch = commit.leader_epoch,
                                .metadata = std::move(commit.metadata),
                                .committed_at_ms = step.now.wall_ms,
                                .expires_at_ms = expires_at_ms,
                                .topic_id = topic.topic_id}});
}

}  // namespace

void on_commit(Step& step, CommitOffsets request) {
  const bool is_consumer = step.group.type == GroupType::consumer;
  const auto error =
      is_consumer ? consumer::check_commit(step, request) : classic::check_commit(step, request);
  CommitReply reply{.error = error};
  if (error == ErrorCode::none) {
    const auto expires_at_ms = expiry_of(request, step.now.wall_ms);
    for (auto& topic : request.topics) {
      for (auto& partition : topic.partitions) {
        reply.partitions.push_back(check_partition(step.group, topic.topic, partition));
        if (reply.partitions.back() != ErrorCode::none) continue;
        commit_partition(step, topic, std::move(partition), expires_at_ms);
      }
    }
  }
  step.reply(request.reply, std::move(reply));
}

}  // namespace tidegate::groups::offsets
