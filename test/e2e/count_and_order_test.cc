// 100,000 records through the whole daemon, over sockets, on each engine: every one comes back once, in
// the order it was produced in its partition, byte for byte.
#include <gtest/gtest.h>

#include "support/daemon.h"
#include "support/wire_client.h"
#include "tidegate/protocol/messages/create_topics.h"
#include "tidegate/protocol/messages/fetch.h"
#include "tidegate/protocol/messages/metadata.h"
#include "tidegate/protocol/messages/produce.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate {
namespace {

using namespace protocol;  // NOLINT: a test that speaks the protocol

constexpr int kRecords = 100'000;
constexpr int kPartitions = 4;
constexpr int kBatch = 500;
constexpr std::int16_t kProduceVersion = 9;
constexpr std::int16_t kFetchVersion = 11;

std::string value_of(int partition, int n) { return std::to_string(partition) + ":" + std::to_string(n); }

bool create_topic(test::WireClient& client) {
  CreateTopicsRequest request;
  request.timeout_ms = 10'000;
  CreateTopicsRequest::CreatableTopic topic;
  topic.name = "count-and-order";
  topic.num_partitions = kPartitions;
  topic.replication_factor = 1;
  request.topics.push_back(topic);
  const auto answer = client.call<CreateTopicsResponse>(request, 4);
  return answer && answer->topics.size() == 1 && answer->topics[0].error_code == ErrorCode::none;
}

// One batch of one partition; the offset it got, or -1.
Offset produce(test::WireClient& client, int partition, int first) {
  std::vector<NewRecord> records;
  for (int n = first; n < first + kBatch; ++n) {
    records.push_back({1'000'000 + n, std::to_string(n), value_of(partition, n), {}});
  }
  const auto codec = static_cast<Compression>((first / kBatch) % 5);
  auto batch = build_batch(records, {.compression = codec});
  if (!batch) return -1;
  ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 10'000;
  ProduceRequest::TopicProduceData topic;
  topic.name = "count-and-order";
  ProduceRequest::PartitionProduceData data;
  data.index = partition;
  data.records = batch->bytes;
  topic.partition_data.push_back(data);
  request.topic_data.push_back(topic);
  const auto answer = client.call<ProduceResponse>(request, kProduceVersion);
  if (!answer || answer->responses.size() != 1) return -1;
  const auto& result = answer->responses[0].partition_responses.at(0);
  EXPECT_EQ(result.error_code, ErrorCode::none);
  return result.base_offset;
}

// All of one partition from `offset` 0 on, in fetches of 64 KiB.
std::vector<std::string> fetch_all(test::WireClient& client, int partition, int expected) {
  std::vector<std::string> values;
  Offset next = 0;
  while (static_cast<int>(values.size()) < expected) {
    FetchRequest request;
    request.max_wait_ms = 1000;
    request.min_bytes = 1;
    request.max_bytes = 1 << 20;
    FetchRequest::FetchTopic topic;
    topic.topic = "count-and-order";
    FetchRequest::FetchPartition wanted;
    wanted.partition = partition;
    wanted.fetch_offset = next;
    wanted.partition_max_bytes = 64 << 10;
    topic.partitions.push_back(wanted);
    request.topics.push_back(topic);
    const auto answer = client.call<FetchResponse>(request, kFetchVersion);
    if (!answer || answer->responses.empty()) return values;
    const auto& result = answer->responses[0].partitions.at(0);
    if (result.error_code != ErrorCode::none || !result.records) return values;
    std::string bytes;
    for (const auto& chunk : result.records->chunks) bytes += as_text(chunk.bytes());
    auto split = split_batches(SharedBuffer::copy_of(as_bytes(bytes)));
    if (!split || split->batches.empty()) return values;
    for (const auto& batch : split->batches) {
      EXPECT_TRUE(batch_crc_is_valid(batch.bytes, batch.header));
      EXPECT_EQ(batch.header.base_offset, next);
      const auto walked = for_each_record(batch, {}, [&](const RecordView& record) {
        values.emplace_back(as_text(*record.value));
        return true;
      });
      EXPECT_TRUE(walked) << walked.error().message;
      next = batch.header.next_offset();
    }
  }
  return values;
}

class CountAndOrder : public testing::TestWithParam<const char*> {};

TEST_P(CountAndOrder, AHundredThousandRecords_ComeBackOnceInOrder) {
  test::DaemonProcess daemon({}, GetParam());
  ASSERT_TRUE(daemon.ready());
  test::WireClient client(daemon.kafka_port(), 30'000);
  ASSERT_TRUE(create_topic(client));
  const int per_partition = kRecords / kPartitions;
  for (int first = 0; first < per_partition; first += kBatch) {
    for (int partition = 0; partition < kPartitions; ++partition) {
      ASSERT_EQ(produce(client, partition, first), first);
    }
  }
  int total = 0;
  for (int partition = 0; partition < kPartitions; ++partition) {
    const auto values = fetch_all(client, partition, per_partition);
    ASSERT_EQ(values.size(), static_cast<std::size_t>(per_partition));
    for (int n = 0; n < per_partition; ++n)
      ASSERT_EQ(values[static_cast<std::size_t>(n)], value_of(partition, n));
    total += static_cast<int>(values.size());
  }
  EXPECT_EQ(total, kRecords);
  EXPECT_EQ(daemon.stop(SIGTERM), 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, CountAndOrder, testing::Values("embedded", "memory"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace tidegate
