// Building blocks of the data plane's tests: batches, and Produce and Fetch requests of the latest
// versions over ApiHarness.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "support/api_harness.h"
#include "tidegate/broker/fetch_path.h"
#include "tidegate/broker/produce_path.h"
#include "tidegate/protocol/messages/fetch.h"
#include "tidegate/protocol/messages/produce.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/runtime/event.h"

namespace tidegate::test {

// `count` records with values "v0", "v1", ... and the harness clock's time.
inline protocol::RecordBatch make_batch(int count, protocol::NewBatchOptions options = {},
                                        std::int64_t timestamp = 1'700'000'000'000) {
  std::vector<protocol::NewRecord> records;
  for (int i = 0; i < count; ++i) {
    records.push_back({.timestamp = timestamp + i, .key = "k", .value = "v" + std::to_string(i)});
  }
  auto batch = protocol::build_batch(records, options);
  EXPECT_TRUE(batch) << (batch ? "" : batch.error().message);
  return *batch;
}

inline protocol::NewBatchOptions from_producer(std::int64_t id, std::int16_t epoch, std::int32_t sequence) {
  return {.producer_id = id, .producer_epoch = epoch, .base_sequence = sequence};
}

class DataPlane {
 public:
  explicit DataPlane(ApiHarnessOptions options = {}) : api(std::move(options)) {}

  using ProducePartition = protocol::ProduceResponse::PartitionProduceResponse;
  using FetchPartition = protocol::FetchResponse::PartitionData;

  static protocol::ProduceRequest produce_request(const broker::CatalogueTopicPtr& topic,
                                                  std::int32_t partition, SharedBuffer records,
                                                  std::int16_t acks = -1) {
    protocol::ProduceRequest request;
    request.acks = acks;
    request.timeout_ms = 30'000;
    auto& data = request.topic_data.emplace_back();
    data.name = topic->topic.name;
    data.topic_id = topic->topic.id;
    data.partition_data.push_back({partition, std::move(records)});
    return request;
  }
  ProducePartition produce(const broker::CatalogueTopicPtr& topic, std::int32_t partition,
                           SharedBuffer records, std::int16_t version = 13, std::int16_t acks = -1) {
    const auto response = api.call<protocol::ProduceResponse>(
        produce_request(topic, partition, std::move(records), acks), version);
    EXPECT_EQ(response.responses.size(), 1U);
    return response.responses.at(0).partition_responses.at(0);
  }

  static protocol::FetchRequest fetch_request(const broker::CatalogueTopicPtr& topic,
                                              std::vector<std::pair<std::int32_t, Offset>> from) {
    protocol::FetchRequest request;
    request.max_bytes = 50 << 20;
    request.min_bytes = 1;
    auto& wanted = request.topics.emplace_back();
    wanted.topic = topic->topic.name;
    wanted.topic_id = topic->topic.id;
    for (const auto& [partition, offset] : from) {
      wanted.partitions.push_back(
          {.partition = partition, .fetch_offset = offset, .partition_max_bytes = 1 << 20});
    }
    return request;
  }
  protocol::FetchResponse fetch(const protocol::FetchRequest& request, std::int16_t version = 18) {
    return api.call<protocol::FetchResponse>(request, version);
  }
  FetchPartition fetch_one(const broker::CatalogueTopicPtr& topic, std::int32_t partition, Offset offset,
                           std::int16_t version = 18) {
    const auto response = fetch(fetch_request(topic, {{partition, offset}}), version);
    EXPECT_EQ(response.error_code, ErrorCode::none);
    return response.responses.at(0).partitions.at(0);
  }
  static std::vector<protocol::RecordBatch> batches(const FetchPartition& partition) {
    std::string bytes;
    for (const SharedBuffer& chunk : partition.records->chunks) bytes += as_text(chunk.bytes());
    auto split = protocol::split_batches(SharedBuffer::copy_of(as_bytes(bytes)));
    EXPECT_TRUE(split);
    EXPECT_EQ(split->trailing_bytes, 0U);
    return std::move(split->batches);
  }

  ApiHarness api;
};

}  // namespace tidegate::test
