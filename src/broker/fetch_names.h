// The two ends of a fetch: the partitions that a client names, looked up in the catalogue, and what it is
// told of each of them. Pure, but for the calling shard's replica of the catalogue. Called by fetch_path.
#pragma once

#include <cstddef>
#include <vector>

#include "fetch_owner.h"
#include "fetch_session.h"
#include "tidegate/broker/fetch_path.h"
#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::broker {

// `items` and their `places` among query.wants, of what exists and may be read; `refused` holds the reason
// of the others, none for items.
void resolve(const TopicCatalogue& catalogue, const FetchQuery& query, std::vector<FetchItem>& items,
             std::vector<std::size_t>& places, std::vector<ErrorCode>& refused);

// `item` is null for a refused partition; its chunks are moved out.
FetchedPartition to_partition(const FetchWant& want, ErrorCode refused, FetchedItem* item, bool zstd_allowed);

// What a session remembers of it.
FetchSeen to_seen(const FetchedPartition& partition);

}  // namespace tidegate::broker
