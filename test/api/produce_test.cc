#include <gtest/gtest.h>

#include "data_plane.h"
#include "tidegate/protocol/messages/delete_topics.h"

namespace tidegate {
namespace {

using test::DataPlane;
using test::from_producer;
using test::make_batch;

// 2023-11-14, where the harness's clock stands.
constexpr std::int64_t kNow = 1'700'000'000'000;

class Produce : public ::testing::Test {
 protected:
  ErrorCode error_of(const broker::CatalogueTopicPtr& topic, SharedBuffer records,
                     std::int16_t version = 13) {
    return plane.produce(topic, 0, std::move(records), version).error_code;
  }
  static SharedBuffer changed(const protocol::RecordBatch& batch,
                              std::function<void(protocol::BatchHeader&)> change) {
    MutableBuffer bytes(batch.bytes.size());
    std::copy_n(batch.bytes.data(), batch.bytes.size(), bytes.data());
    protocol::BatchHeader header = batch.header;
    change(header);
    protocol::write_batch_header(header, bytes.bytes());
    header.crc = protocol::batch_crc(bytes.bytes());
    protocol::write_batch_header(header, bytes.bytes());
    return std::move(bytes).freeze();
  }

  DataPlane plane;
};

TEST_F(Produce, Records_ComeBackFromFetchWithTheirOffsets) {
  const auto topic = plane.api.make_topic("t", 8);
  for (std::int32_t partition = 0; partition < 8; ++partition) {
    const auto first = plane.produce(topic, partition, make_batch(3).bytes);
    ASSERT_EQ(first.error_code, ErrorCode::none) << first.error_message.value_or("");
    EXPECT_EQ(first.base_offset, 0);
    EXPECT_EQ(first.log_append_time_ms, -1);
    EXPECT_EQ(first.log_start_offset, 0);
    EXPECT_EQ(plane.produce(topic, partition, make_batch(2).bytes).base_offset, 3);

    const auto fetched = plane.fetch_one(topic, partition, 0);
    EXPECT_EQ(fetched.error_code, ErrorCode::none);
    EXPECT_EQ(fetched.high_watermark, 5);
    EXPECT_EQ(fetched.last_stable_offset, 5);
    EXPECT_EQ(fetched.log_start_offset, 0);
    const auto batches = DataPlane::batches(fetched);
    ASSERT_EQ(batches.size(), 2U);
    EXPECT_EQ(batches[0].header.base_offset, 0);
    EXPECT_EQ(batches[1].header.base_offset, 3);
    EXPECT_EQ(batches[1].header.records_count, 2);
    EXPECT_TRUE(protocol::batch_crc_is_valid(batches[1].bytes, batches[1].header));
  }
}

TEST_F(Produce, EveryVersion_AppendsByNameOrId) {
  const auto topic = plane.api.make_topic("t");
  for (std::int16_t version = 3; version <= 13; ++version) {
    const auto answer = plane.produce(topic, 0, make_batch(1).bytes, version);
    EXPECT_EQ(answer.error_code, ErrorCode::none) << version;
    EXPECT_EQ(answer.base_offset, version - 3);
  }
}

TEST_F(Produce, UnknownTopics_AreToldByNameOrById) {
  const auto topic = plane.api.make_topic("t", 2);
  auto other = *topic;
  other.topic.name = "nowhere";
  other.topic.id = Uuid{{9}};
  const auto nowhere = std::make_shared<const broker::CatalogueTopic>(other);
  EXPECT_EQ(error_of(nowhere, make_batch(1).bytes, 12), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(error_of(nowhere, make_batch(1).bytes, 13), ErrorCode::unknown_topic_id);
  EXPECT_EQ(plane.produce(topic, 2, make_batch(1).bytes).error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(plane.produce(topic, -1, make_batch(1).bytes).error_code, ErrorCode::unknown_topic_or_partition);
}

TEST_F(Produce, Acks_OutsideTheThreeAreRefusedForAllPartitions) {
  const auto topic = plane.api.make_topic("t");
  for (const std::int16_t acks : {std::int16_t{2}, std::int16_t{-2}}) {
    EXPECT_EQ(plane.produce(topic, 0, make_batch(1).bytes, 13, acks).error_code,
              ErrorCode::invalid_required_acks);
  }
  EXPECT_EQ(plane.fetch_one(topic, 0, 0).high_watermark, 0);
}

TEST_F(Produce, AcksZero_HasNoAnswerAndClosesOnError) {
  const auto topic = plane.api.make_topic("t");
  auto good = plane.api.call_raw(DataPlane::produce_request(topic, 0, make_batch(1).bytes, 0), 13);
  EXPECT_FALSE(good.send);
  EXPECT_FALSE(good.close);
  EXPECT_EQ(plane.fetch_one(topic, 0, 0).high_watermark, 1);
  auto bad = plane.api.call_raw(DataPlane::produce_request(topic, 7, make_batch(1).bytes, 0), 13);
  EXPECT_FALSE(bad.send);
  EXPECT_TRUE(bad.close);
  EXPECT_NE(bad.close_reason, "");
}

TEST_F(Produce, MalformedBody_ClosesTheConnection) {
  const auto reply = plane.api.invoke(0, 13, SharedBuffer::copy_of(as_bytes("rubbish")));
  EXPECT_FALSE(reply.send);
  EXPECT_TRUE(reply.close);
}

TEST_F(Produce, Shape_MustBeOneWholeBatchOfMagicTwo) {
  const auto topic = plane.api.make_topic("t");
  const auto batch = make_batch(2);
  std::string two(as_text(batch.bytes.bytes()));
  two += two;
  EXPECT_EQ(error_of(topic, {}), ErrorCode::invalid_record);
  EXPECT_EQ(error_of(topic, SharedBuffer::copy_of(as_bytes(two))), ErrorCode::invalid_record);
  EXPECT_EQ(error_of(topic, batch.bytes.slice(0, batch.bytes.size() - 1)), ErrorCode::invalid_record);
  EXPECT_EQ(error_of(topic, changed(batch, [](auto& header) { header.magic = 1; })),
            ErrorCode::invalid_record);
  EXPECT_EQ(error_of(topic, changed(batch, [](auto& header) { header.base_offset = 5; })),
            ErrorCode::invalid_record);
  EXPECT_EQ(error_of(topic, changed(batch, [](auto& header) { header.records_count = 3; })),
            ErrorCode::invalid_record);
  EXPECT_EQ(error_of(topic, changed(batch, [](auto& header) { header.attributes |= 0x20; })),
            ErrorCode::invalid_record);
  EXPECT_EQ(plane.fetch_one(topic, 0, 0).high_watermark, 0);
}

TEST_F(Produce, WrongChecksum_IsCorrupt) {
  const auto topic = plane.api.make_topic("t");
  const auto batch = make_batch(2);
  std::string bytes(as_text(batch.bytes.bytes()));
  bytes.back() ^= 1;
  EXPECT_EQ(error_of(topic, SharedBuffer::copy_of(as_bytes(bytes))), ErrorCode::corrupt_message);
}

TEST_F(Produce, Zstd_NeedsVersionSeven) {
  const auto topic = plane.api.make_topic("t");
  const auto zstd = make_batch(2, {.compression = protocol::Compression::zstd});
  EXPECT_EQ(error_of(topic, zstd.bytes, 6), ErrorCode::unsupported_compression_type);
  EXPECT_EQ(error_of(topic, zstd.bytes, 7), ErrorCode::none);
}

TEST_F(Produce, TooLarge_ForTheTopic) {
  const auto topic = plane.api.make_topic("t", 1, {{"max.message.bytes", "200"}});
  EXPECT_EQ(error_of(topic, make_batch(1).bytes), ErrorCode::none);
  const auto answer = plane.produce(topic, 0, make_batch(20).bytes);
  EXPECT_EQ(answer.error_code, ErrorCode::message_too_large);
  EXPECT_EQ(answer.base_offset, -1);
  EXPECT_TRUE(answer.error_message.has_value());
}

TEST_F(Produce, CompactedTopic_NamesTheRecordsWithoutKey) {
  const auto topic = plane.api.make_topic("t", 1, {{"cleanup.policy", "compact"}});
  for (const auto codec : {protocol::Compression::none, protocol::Compression::lz4}) {
    const protocol::NewRecord records[] = {{.timestamp = kNow, .key = "a", .value = "1"},
                                           {.timestamp = kNow, .value = "2"}};
    const auto batch = *protocol::build_batch(records, {.compression = codec});
    const auto answer = plane.produce(topic, 0, batch.bytes);
    EXPECT_EQ(answer.error_code, ErrorCode::invalid_record);
    ASSERT_EQ(answer.record_errors.size(), 1U);
    EXPECT_EQ(answer.record_errors[0].batch_index, 1);
    EXPECT_EQ(plane.produce(topic, 0, batch.bytes, 7).record_errors.size(), 0U);
  }
}

TEST_F(Produce, Timestamps_OutsideTheTopicsLimits) {
  const auto topic = plane.api.make_topic("t", 1, {{"message.timestamp.before.max.ms", "1000"}});
  EXPECT_EQ(error_of(topic, make_batch(1, {}, kNow).bytes), ErrorCode::none);
  EXPECT_EQ(error_of(topic, make_batch(1, {}, kNow - 5'000).bytes), ErrorCode::invalid_timestamp);
  EXPECT_EQ(error_of(topic, make_batch(1, {}, kNow + 3'700'000).bytes), ErrorCode::invalid_timestamp);
  const auto packed = make_batch(1, {.compression = protocol::Compression::gzip}, kNow + 3'700'000);
  EXPECT_EQ(error_of(plane.api.make_topic("u"), packed.bytes), ErrorCode::invalid_timestamp);
}

TEST_F(Produce, AppendTime_IsStampedAndTold) {
  const auto topic = plane.api.make_topic("t", 1, {{"message.timestamp.type", "LogAppendTime"}});
  const auto answer = plane.produce(topic, 0, make_batch(2, {}, 5).bytes);
  EXPECT_EQ(answer.error_code, ErrorCode::none);
  EXPECT_EQ(answer.log_append_time_ms, kNow);
  const auto batches = DataPlane::batches(plane.fetch_one(topic, 0, 0));
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0].header.timestamp_type(), protocol::TimestampType::log_append_time);
  EXPECT_EQ(batches[0].header.max_timestamp, kNow);
  EXPECT_TRUE(protocol::batch_crc_is_valid(batches[0].bytes, batches[0].header));
}

TEST_F(Produce, TopicCodec_Recompresses) {
  const auto topic = plane.api.make_topic("t", 1, {{"compression.type", "gzip"}});
  const auto large = make_batch(4000, {.compression = protocol::Compression::lz4});  // by way of the CPU lane
  EXPECT_EQ(error_of(topic, make_batch(3).bytes), ErrorCode::none);
  EXPECT_EQ(error_of(topic, large.bytes), ErrorCode::none);
  const auto batches = DataPlane::batches(plane.fetch_one(topic, 0, 0));
  ASSERT_EQ(batches.size(), 2U);
  for (const auto& batch : batches) EXPECT_EQ(batch.header.compression(), protocol::Compression::gzip);
  int count = 0;
  ASSERT_TRUE(protocol::for_each_record(batches[1], {}, [&](const auto&) { return ++count > 0; }));
  EXPECT_EQ(count, 4000);
}

TEST_F(Produce, MinInsyncReplicas_AboveOneRefusesAcksAll) {
  const auto topic = plane.api.make_topic("t", 1, {{"min.insync.replicas", "2"}});
  EXPECT_EQ(plane.produce(topic, 0, make_batch(1).bytes, 13, -1).error_code, ErrorCode::not_enough_replicas);
  EXPECT_EQ(plane.produce(topic, 0, make_batch(1).bytes, 13, 1).error_code, ErrorCode::none);
}

TEST_F(Produce, TransactionalBatch_HasNoTransactionYet) {
  const auto topic = plane.api.make_topic("t");
  auto options = from_producer(5, 0, 0);
  options.transactional = true;
  auto request = DataPlane::produce_request(topic, 0, make_batch(1, options).bytes);
  request.transactional_id = "tx";
  const auto with_id = plane.api.call<protocol::ProduceResponse>(request, 13);
  EXPECT_EQ(with_id.responses[0].partition_responses[0].error_code, ErrorCode::invalid_txn_state);
  EXPECT_EQ(error_of(topic, make_batch(1, options).bytes), ErrorCode::transactional_id_authorization_failed);
}

TEST_F(Produce, RemovedTopic_IsUnknown) {
  const auto topic = plane.api.make_topic("t");
  EXPECT_EQ(error_of(topic, make_batch(1).bytes), ErrorCode::none);
  ASSERT_TRUE(plane.api.run([&] { return plane.api.broker().topics().remove({topic->topic.id}); }).at(0));
  EXPECT_EQ(error_of(topic, make_batch(1).bytes), ErrorCode::unknown_topic_id);
}

TEST_F(Produce, SequencesGapsAndRepeats) {
  const auto topic = plane.api.make_topic("t");
  const auto send = [&](std::int16_t epoch, std::int32_t sequence, int count) {
    return plane.produce(topic, 0, make_batch(count, from_producer(77, epoch, sequence)).bytes);
  };
  EXPECT_EQ(send(0, 0, 2).base_offset, 0);
  EXPECT_EQ(send(0, 2, 3).base_offset, 2);
  EXPECT_EQ(send(0, 6, 1).error_code, ErrorCode::out_of_order_sequence_number);
  const auto repeated = send(0, 0, 2);
  EXPECT_EQ(repeated.error_code, ErrorCode::none);
  EXPECT_EQ(repeated.base_offset, 0);
  EXPECT_EQ(plane.fetch_one(topic, 0, 0).high_watermark, 5);
  EXPECT_EQ(send(1, 4, 1).error_code, ErrorCode::out_of_order_sequence_number);
  EXPECT_EQ(send(1, 0, 1).base_offset, 5);
  EXPECT_EQ(send(0, 5, 1).error_code, ErrorCode::invalid_producer_epoch);
}

TEST_F(Produce, Sequence_WrapsToZero) {
  const auto topic = plane.api.make_topic("t");
  const auto last = from_producer(77, 0, 2147483647);
  EXPECT_EQ(plane.produce(topic, 0, make_batch(1, last).bytes).base_offset, 0);
  EXPECT_EQ(plane.produce(topic, 0, make_batch(1, from_producer(77, 0, 0)).bytes).base_offset, 1);
}

// Several requests of one connection, each started when the one before has called dispatched().
TEST_F(Produce, PipelinedRequests_KeepTheirOrder) {
  const auto topic = plane.api.make_topic("t", 4);
  constexpr int kRequests = 40;
  std::vector<Offset> offsets(kRequests, -1);
  plane.api.run(
      [&]() -> Task<void> {
        auto left = std::make_shared<int>(kRequests);
        auto done = std::make_shared<Event>();
        const auto send = [&](int i, auto) -> Task<void> {
          std::vector<broker::ProduceItem> items;
          items.push_back({.partition = {topic->topic.id, i % 4},
                           .records = make_batch(1, from_producer(9, 0, i / 4)).bytes});
          auto outcomes = co_await plane.api.broker().produce().append(std::move(items), {}, [] {});
          EXPECT_EQ(outcomes[0].error, ErrorCode::none);
          offsets[static_cast<std::size_t>(i)] = outcomes[0].base_offset;
          if (--*left == 0) done->notify_all();
        };
        for (int i = 0; i < kRequests; ++i) Shard::current()->start(send(i, done), "test");
        if (*left > 0) co_await done->wait();
      },
      plane.api.last_shard());
  for (int i = 0; i < kRequests; ++i) EXPECT_EQ(offsets[static_cast<std::size_t>(i)], i / 4) << i;
}

TEST_F(Produce, ManyPartitionsInOneRequest_AnswerEachInPlace) {
  const auto topic = plane.api.make_topic("t", 10);
  auto request = DataPlane::produce_request(topic, 0, make_batch(1).bytes);
  for (std::int32_t partition = 1; partition < 12; ++partition) {
    request.topic_data[0].partition_data.push_back({partition, make_batch(1 + partition % 3).bytes});
  }
  const auto response = plane.api.call<protocol::ProduceResponse>(request, 13);
  const auto& answers = response.responses.at(0).partition_responses;
  ASSERT_EQ(answers.size(), 12U);
  for (std::int32_t partition = 0; partition < 12; ++partition) {
    const auto& answer = answers[static_cast<std::size_t>(partition)];
    EXPECT_EQ(answer.index, partition);
    EXPECT_EQ(answer.error_code, partition < 10 ? ErrorCode::none : ErrorCode::unknown_topic_or_partition);
  }
  EXPECT_EQ(plane.api.last_error(), static_cast<std::int16_t>(ErrorCode::unknown_topic_or_partition));
}

TEST(ProduceLimit, TooManyAppendsOfOnePartition_AreRefused) {
  DataPlane plane({.config = {{"partition.max.queued.appends", "1"}}});
  const auto topic = plane.api.make_topic("t");
  // Two batches of one partition in one request: the second finds the first under way.
  auto request = DataPlane::produce_request(topic, 0, make_batch(1).bytes);
  request.topic_data[0].partition_data.push_back({0, make_batch(1).bytes});
  const auto response = plane.api.call<protocol::ProduceResponse>(request, 13);
  EXPECT_EQ(response.responses[0].partition_responses[0].error_code, ErrorCode::none);
  EXPECT_EQ(response.responses[0].partition_responses[1].error_code, ErrorCode::request_timed_out);
  EXPECT_EQ(plane.produce(topic, 0, make_batch(1).bytes).error_code, ErrorCode::none);
}

}  // namespace
}  // namespace tidegate
