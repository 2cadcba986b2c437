// From names to partitions and back.
#include "fetch_names.h"

#include <algorithm>
#include <utility>

#include "zstd_guard.h"

namespace tidegate::broker {

void resolve(const TopicCatalogue& catalogue, const FetchQuery& query, std::vector<FetchItem>& items,
             std::vector<std::size_t>& places, std::vector<ErrorCode>& refused) {
  refused.assign(query.wants.size(), ErrorCode::none);
  CatalogueTopicPtr topic;
  const FetchKey* last = nullptr;
  for (std::size_t i = 0; i < query.wants.size(); ++i) {
    const FetchWant& want = query.wants[i];
    if (!last || last->name != want.key.name || last->id != want.key.id) {
      topic = query.by_id ? catalogue.find(want.key.id) : catalogue.find(std::string_view(want.key.name));
      last = &want.key;
    }
    if (!topic) {
      refused[i] = query.by_id ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
    } else if (want.key.partition < 0 || want.key.partition >= topic->topic.partitions) {
      refused[i] = ErrorCode::unknown_topic_or_partition;
    } else if (query.follower) {
      refused[i] = ErrorCode::not_leader_or_follower;
    } else if (!query.zstd_allowed && topic->settings.compression == protocol::Compression::zstd) {
      refused[i] = ErrorCode::unsupported_compression_type;
    } else {
      items.push_back({.partition = {topic->topic.id, want.key.partition},
                       .current_leader_epoch = want.current_leader_epoch,
                       .fetch_offset = want.fetch_offset,
                       .last_fetched_epoch = want.last_fetched_epoch,
                       .max_bytes = static_cast<std::size_t>(std::max(want.max_bytes, 0))});
      places.push_back(i);
    }
  }
}

FetchedPartition to_partition(const FetchWant& want, ErrorCode refused, FetchedItem* item,
                              bool zstd_allowed) {
  FetchedPartition out;
  out.key = want.key;
  out.error = item ? item->error : refused;
  if (!item || out.error != ErrorCode::none) {
    if (item) out.leader = item->leader;
    return out;
  }
  if (!zstd_allowed && holds_zstd(item->chunks)) {
    out.error = ErrorCode::unsupported_compression_type;
    return out;
  }
  if (item->diverging) out.diverging = {item->diverging->epoch, item->diverging->end};
  out.high_watermark = item->high_watermark;
  out.log_start = item->log_start;
  out.records = std::move(item->chunks);
  return out;
}

FetchSeen to_seen(const FetchedPartition& partition) {
  return {.key = partition.key,
          .error = partition.error,
          .diverging = partition.diverging.has_value(),
          .has_records = !partition.records.empty(),
          .high_watermark = partition.high_watermark,
          .log_start = partition.log_start};
}

}  // namespace tidegate::broker
