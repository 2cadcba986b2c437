// OffsetFetch. The answer waits until what it shows is durable: nobody may go on from an offset that a
// failed write takes back.
#include <utility>

#include "rules.h"

namespace tidegate::groups::offsets {
namespace {

// A topic that was made anew under an old name does not inherit its offsets.
bool is_of_another_topic(const CommittedOffset& committed, const TopicId& asked) {
  return !asked.is_zero() && !committed.topic_id.is_zero() && committed.topic_id != asked;
}

FetchOffsetsReply::Partition row_of(std::int32_t partition, const CommittedOffset& committed) {
  return {.partition = partition,
          .offset = committed.offset,
          .leader_epoch = committed.leader_epoch,
          .metadata = committed.metadata};
}

FetchOffsetsReply::Topic select(const OffsetTable& offsets, const TopicSelection& wanted) {
  FetchOffsetsReply::Topic topic{.topic = wanted.topic, .topic_id = wanted.topic_id};
  topic.partitions.reserve(wanted.partitions.size());
  for (const auto partition : wanted.partitions) {
    const auto* committed = offsets.find(wanted.topic, partition);
    if (committed == nullptr || is_of_another_topic(*committed, wanted.topic_id)) {
      topic.partitions.push_back({.partition = partition});
    } else {
      topic.partitions.push_back(row_of(partition, *committed));
    }
  }
  return topic;
}

// All partitions; those of a topic that is gone and came back are left out.
FetchOffsetsReply::Topic select_all(const Machine& group, const std::string& name,
                                    const OffsetTable::Partitions& partitions) {
  const auto* known = group.topics.find(name);
  FetchOffsetsReply::Topic topic{.topic = name, .topic_id = known == nullptr ? TopicId{} : known->id};
  for (const auto& [partition, committed] : partitions) {
    if (topic.topic_id.is_zero()) topic.topic_id = committed.topic_id;
    if (is_of_another_topic(committed, topic.topic_id)) continue;
    topic.partitions.push_back(row_of(partition, committed));
  }
  return topic;
}

}  // namespace

void on_fetch(Step& step, const FetchOffsets& request) {
  FetchOffsetsReply reply;
  // Kafka refuses nobody on a classic group, and answers for one that is not there as if it were empty.
  if (step.group.type == GroupType::consumer) reply.error = consumer::check_fetch(step, request);
  if (reply.error == ErrorCode::none) {
    if (request.topics) {
      for (const auto& wanted : *request.topics) reply.topics.push_back(select(step.group.offsets, wanted));
    } else {
      for (const auto& [name, partitions] : step.group.offsets.topics()) {
        auto topic = select_all(step.group, name, partitions);
        if (!topic.partitions.empty()) reply.topics.push_back(std::move(topic));
      }
    }
  }
  step.reply(request.reply, std::move(reply));
}

}  // namespace tidegate::groups::offsets
