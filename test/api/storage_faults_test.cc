// The data plane over storage that fails: what was acknowledged is there once and in order, what was not
// can be sent again.
#include <gtest/gtest.h>

#include <future>

#include "data_plane.h"
#include "fault_engine.h"
#include "tidegate/protocol/messages/init_producer_id.h"

namespace tidegate {
namespace {

using broker::ProduceOutcome;
using test::DataPlane;
using test::from_producer;
using test::make_batch;

class StorageFaults : public ::testing::Test {
 protected:
  explicit StorageFaults(std::uint64_t seed = 1)
      : plane({.wrap_engine = [this, seed](std::unique_ptr<storage::Engine> inner, ShardPool& shards) {
          auto faulty = std::make_unique<test::FaultEngine>(std::move(inner), shards, seed);
          engine = faulty.get();
          return faulty;
        }}) {}
  ~StorageFaults() override { engine->faults().heal(); }

  // Sends the batches of one idempotent producer at once, in order, and waits for all outcomes.
  std::vector<ProduceOutcome> send(const broker::CatalogueTopicPtr& topic,
                                   std::vector<protocol::RecordBatch> batches) {
    auto outcomes = std::make_shared<std::vector<ProduceOutcome>>(batches.size());
    plane.api.run(
        [&]() -> Task<void> {
          auto left = std::make_shared<std::size_t>(batches.size());
          auto done = std::make_shared<Event>();
          for (std::size_t i = 0; i < batches.size(); ++i) {
            Shard::current()->start(send_one(topic, batches[i].bytes, i, outcomes, left, done), "test");
          }
          if (*left > 0) co_await done->wait();
        },
        plane.api.last_shard());
    return *outcomes;
  }
  Task<void> send_one(broker::CatalogueTopicPtr topic, SharedBuffer records, std::size_t place,
                      std::shared_ptr<std::vector<ProduceOutcome>> outcomes,
                      std::shared_ptr<std::size_t> left, std::shared_ptr<Event> done) {
    std::vector<broker::ProduceItem> items;
    items.push_back({.partition = {topic->topic.id, 0}, .records = std::move(records)});
    auto got = co_await plane.api.broker().produce().append(std::move(items), {}, [] {});
    (*outcomes)[place] = std::move(got.front());
    if (--*left == 0) done->notify_all();
  }
  static protocol::RecordBatch nth(std::int32_t i) { return make_batch(1, from_producer(5, 0, i)); }
  static Task<void> stop_broker(broker::Broker& broker, MonoTime deadline,
                                std::shared_ptr<std::promise<bool>> done) {
    done->set_value(co_await broker.stop(deadline));
  }
  Offset high_watermark(const broker::CatalogueTopicPtr& topic) {
    return plane.fetch_one(topic, 0, 0).high_watermark;
  }

  test::FaultEngine* engine = nullptr;
  DataPlane plane;
};

TEST_F(StorageFaults, FailedAppend_CanBeSentAgain) {
  const auto topic = plane.api.make_topic("t");
  engine->faults().set({.append_error = 1000});
  EXPECT_EQ(send(topic, {nth(0)})[0].error, ErrorCode::kafka_storage_error);
  engine->faults().heal();
  EXPECT_EQ(send(topic, {nth(0)})[0].base_offset, 0);
  EXPECT_EQ(send(topic, {nth(1)})[0].base_offset, 1);
}

// What the producer had in flight behind its failed first batch must not come before it.
TEST_F(StorageFaults, FailedFirstBatch_IsStillTheFirst) {
  const auto topic = plane.api.make_topic("t");
  engine->faults().set({.append_error = 1000});
  EXPECT_EQ(send(topic, {nth(0)})[0].error, ErrorCode::kafka_storage_error);
  engine->faults().heal();
  EXPECT_EQ(send(topic, {nth(1)})[0].error, ErrorCode::kafka_storage_error);
  EXPECT_EQ(send(topic, {nth(0)})[0].base_offset, 0);
  EXPECT_EQ(send(topic, {nth(1)})[0].base_offset, 1);
}

// 89 belongs to topic changes: clients do not expect it of Produce, and librdkafka gives the batch up.
TEST_F(StorageFaults, FullAppendQueue_IsATimeoutToTheProducer) {
  const auto topic = plane.api.make_topic("t");
  engine->faults().set({.full_queue = 1000});
  EXPECT_EQ(plane.produce(topic, 0, nth(0).bytes).error_code, ErrorCode::request_timed_out);
  EXPECT_EQ(send(topic, {nth(0), nth(1)})[0].error, ErrorCode::request_timed_out);
  engine->faults().heal();
  EXPECT_EQ(send(topic, {nth(1)})[0].error, ErrorCode::request_timed_out);
  EXPECT_EQ(send(topic, {nth(0)})[0].base_offset, 0);
  EXPECT_EQ(send(topic, {nth(1)})[0].base_offset, 1);
}

TEST_F(StorageFaults, LostTail_FailsAllBehindItAndRollsSequencesBack) {
  engine->faults().hold_tails();
  const auto topic = plane.api.make_topic("t");
  EXPECT_EQ(send(topic, {nth(0)})[0].base_offset, 0);
  engine->faults().set({.delay = 500, .lost_tail = 1000});
  const auto lost = send(topic, {nth(1), nth(2), nth(3)});
  EXPECT_EQ(lost[0].error, ErrorCode::kafka_storage_error);
  // Behind it: in the tail that was lost, or come in after that, when there was a gap before them.
  for (const std::size_t i : {1U, 2U}) {
    EXPECT_TRUE(lost[i].error == ErrorCode::kafka_storage_error ||
                lost[i].error == ErrorCode::out_of_order_sequence_number)
        << error_name(lost[i].error);
  }
  EXPECT_EQ(high_watermark(topic), 1);
  engine->faults().heal();
  const auto again = send(topic, {nth(1), nth(2), nth(3)});
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(again[i].base_offset, static_cast<Offset>(i + 1));
  EXPECT_EQ(high_watermark(topic), 4);
}

TEST_F(StorageFaults, DuplicateInFlight_SharesTheOriginalsFate) {
  engine->faults().hold_tails();
  const auto topic = plane.api.make_topic("t");
  engine->faults().set({.delay = 700});
  for (const auto& outcome : send(topic, {nth(0), nth(0), nth(0)})) {
    EXPECT_EQ(outcome.error, ErrorCode::none);
    EXPECT_EQ(outcome.base_offset, 0);
  }
  EXPECT_EQ(high_watermark(topic), 1);
  engine->faults().set({.delay = 700, .lost_tail = 1000});
  // A repeat that comes in after the loss is a first try again, and lost as well.
  for (const auto& outcome : send(topic, {nth(1), nth(1)})) {
    EXPECT_EQ(outcome.error, ErrorCode::kafka_storage_error);
  }
  EXPECT_EQ(high_watermark(topic), 1);
}

TEST_F(StorageFaults, FailedRead_IsThatPartitionsErrorAlone) {
  const auto topic = plane.api.make_topic("t", 2);
  plane.produce(topic, 0, make_batch(1).bytes);
  engine->faults().set({.read_error = 1000});
  const auto response = plane.fetch(DataPlane::fetch_request(topic, {{0, 0}, {1, 0}}));
  EXPECT_EQ(response.responses[0].partitions[0].error_code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(response.responses[0].partitions[0].high_watermark, -1);
  EXPECT_EQ(response.responses[0].partitions[1].error_code, ErrorCode::none);
}

TEST_F(StorageFaults, ProducerIdsThatCannotBeReserved_AreNotGivenOut) {
  protocol::InitProducerIdRequest request;
  request.transactional_id = std::nullopt;
  engine->faults().set({.meta_error = 1000});
  const auto refused = plane.api.call<protocol::InitProducerIdResponse>(request);
  EXPECT_EQ(refused.error_code, ErrorCode::coordinator_not_available);
  EXPECT_EQ(refused.producer_id, -1);
  engine->faults().heal();
  EXPECT_EQ(plane.api.call<protocol::InitProducerIdResponse>(request).error_code, ErrorCode::none);
}

TEST_F(StorageFaults, UnreadableProducerState_KeepsThePartitionShutUntilItCanBeRead) {
  const auto topic = plane.api.make_topic("t");
  EXPECT_EQ(send(topic, {nth(0)})[0].base_offset, 0);
  broker::Broker second(plane.api.broker().parts());
  ASSERT_TRUE(plane.api.run([&] { return second.start(); }));
  const auto append = [&](std::int32_t i) {
    return plane.api.run([&]() -> Task<ProduceOutcome> {
      std::vector<broker::ProduceItem> items;
      items.push_back({.partition = {topic->topic.id, 0}, .records = nth(i).bytes});
      auto got = co_await second.produce().append(std::move(items), {}, [] {});
      co_return std::move(got.front());
    });
  };
  engine->faults().set({.meta_error = 1000});
  EXPECT_EQ(append(0).error, ErrorCode::kafka_storage_error);
  engine->faults().heal();
  EXPECT_EQ(append(0).base_offset, 0) << "a repeat, not a second copy";
  plane.api.run([&] { return second.stop(); });
}

// ------------------------------------------------------------------------- a disk that hangs

class HungDisk : public StorageFaults {
 protected:
  // A Produce request as the server hands it over, with memory that is counted.
  struct Context : api::RequestContext {
    std::shared_ptr<void> hold_memory() override { return std::exchange(memory, nullptr); }
    std::shared_ptr<int> memory = std::make_shared<int>(0);
  };
  struct Sent {
    std::future<ErrorCode> error;
    std::weak_ptr<int> memory;
    bool answered() const { return error.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  };
  Sent produce(const broker::CatalogueTopicPtr& topic, const protocol::RecordBatch& batch,
               std::int32_t timeout_ms, std::int16_t acks = -1) {
    auto request = DataPlane::produce_request(topic, 0, batch.bytes, acks);
    request.timeout_ms = timeout_ms;
    auto context = std::make_shared<Context>();
    context->broker = &plane.api.broker();
    context->row = api::find_api(0);
    context->version = 13;
    context->received = plane.api.shards().clock().now();
    auto done = std::make_shared<std::promise<ErrorCode>>();
    Sent sent{done->get_future(), context->memory};
    const auto encoded = protocol::Codec<protocol::ProduceRequest>::encode(request, 13, {});
    api::Reply body;
    body.chunks = encoded.chunks;
    auto start = [context = std::move(context), done, bytes = test::ApiHarness::joined(body)]() mutable {
      Shard::current()->start(answer(std::move(context), std::move(bytes), done), "test");
    };
    plane.api.shards().call(std::move(start), plane.api.last_shard());
    plane.api.shards().settle();
    return sent;
  }
  static Task<void> answer(std::shared_ptr<Context> context, SharedBuffer bytes,
                           std::shared_ptr<std::promise<ErrorCode>> done) {
    const auto reply = co_await context->row->invoke(context, std::move(bytes));
    context.reset();  // answered: the server gives the request's memory back
    done->set_value(static_cast<ErrorCode>(reply.error_code));
  }
  void advance(Duration by) {
    plane.api.shards().advance(by);
    plane.api.shards().settle(8);
  }
};

TEST_F(HungDisk, NotDurableInTime_IsATimeoutWhileTheWorkGoesOn) {
  const auto topic = plane.api.make_topic("t");
  ASSERT_EQ(send(topic, {nth(0)})[0].base_offset, 0);
  for (const std::int16_t acks : {std::int16_t{-1}, std::int16_t{1}}) {
    engine->faults().hang();
    const std::int32_t sequence = acks == -1 ? 1 : 2;
    auto sent = produce(topic, nth(sequence), 200, acks);
    advance(std::chrono::milliseconds(150));
    EXPECT_FALSE(sent.answered());
    advance(std::chrono::milliseconds(100));
    ASSERT_TRUE(sent.answered());
    EXPECT_EQ(sent.error.get(), ErrorCode::request_timed_out);
    EXPECT_FALSE(sent.memory.expired()) << "its bytes are still being written";
    engine->faults().heal();
    plane.api.shards().settle(8);
    EXPECT_EQ(send(topic, {nth(sequence)})[0].base_offset, sequence) << "a repeat, not a second copy";
    plane.api.shards().settle(8);
    EXPECT_TRUE(sent.memory.expired());
  }
  EXPECT_EQ(high_watermark(topic), 3);
}

TEST_F(HungDisk, NoTimeoutGiven_IsNotAnInstantOne) {
  const auto topic = plane.api.make_topic("t");
  engine->faults().hang();
  auto sent = produce(topic, nth(0), 0);
  advance(std::chrono::seconds(29));
  EXPECT_FALSE(sent.answered());
  advance(std::chrono::seconds(2));
  ASSERT_TRUE(sent.answered());
  EXPECT_EQ(sent.error.get(), ErrorCode::request_timed_out);
}

TEST_F(HungDisk, InTime_GivesItsMemoryBackWithTheAnswer) {
  const auto topic = plane.api.make_topic("t");
  auto sent = produce(topic, nth(0), 200);
  ASSERT_TRUE(sent.answered());
  EXPECT_EQ(sent.error.get(), ErrorCode::none);
  EXPECT_TRUE(sent.memory.expired());
}

TEST_F(HungDisk, BrokerStop_AbandonsWhatHangsAtItsDeadline) {
  const auto topic = plane.api.make_topic("t");
  engine->faults().hang();
  auto sent = produce(topic, nth(0), 60'000);
  auto stopped = std::make_shared<std::promise<bool>>();
  auto clean = stopped->get_future();
  const MonoTime deadline = plane.api.shards().clock().now() + std::chrono::milliseconds(300);
  auto stop = [&] { Shard::current()->start(stop_broker(plane.api.broker(), deadline, stopped), "test"); };
  plane.api.shards().call(stop);
  plane.api.shards().settle();
  EXPECT_NE(clean.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  advance(std::chrono::milliseconds(301));
  ASSERT_EQ(clean.wait_for(std::chrono::seconds(30)), std::future_status::ready);
  EXPECT_FALSE(clean.get());
  auto& in_flight = plane.api.shards().metrics().gauge("tidegate_broker_appends_in_flight", "");
  EXPECT_EQ(in_flight.value(), 1);
  EXPECT_FALSE(sent.answered()) << "nothing is acknowledged that was not written";
  engine->faults().heal();
  plane.api.shards().settle(8);
  EXPECT_EQ(in_flight.value(), 0);
}

// ------------------------------------------------------------- first batches that are turned away

TEST_F(StorageFaults, FirstBatchWhoseLogCannotBeOpened_IsStillTheFirst) {
  const auto topic = plane.api.make_topic("t");
  ASSERT_EQ(plane.produce(topic, 0, make_batch(1).bytes).error_code, ErrorCode::none);
  broker::Broker second(plane.api.broker().parts());
  ASSERT_TRUE(plane.api.run([&] { return second.start(); }));
  const auto append = [&](std::int32_t i) {
    return plane.api.run([&]() -> Task<ProduceOutcome> {
      std::vector<broker::ProduceItem> items;
      items.push_back({.partition = {topic->topic.id, 0}, .records = nth(i).bytes});
      auto got = co_await second.produce().append(std::move(items), {}, [] {});
      co_return std::move(got.front());
    });
  };
  engine->faults().set({.meta_error = 1000});
  EXPECT_EQ(append(0).error, ErrorCode::kafka_storage_error);
  engine->faults().heal();
  EXPECT_EQ(append(1).error, ErrorCode::kafka_storage_error);
  EXPECT_EQ(append(0).base_offset, 1);
  EXPECT_EQ(append(1).base_offset, 2);
  plane.api.run([&]() -> Task<void> { co_await second.stop(); });
}

TEST(AppendQueueLimit, FirstBatchTurnedAwayThere_IsStillTheFirst) {
  test::FaultEngine* engine = nullptr;
  DataPlane plane({.config = {{"partition.max.queued.appends", "1"}},
                   .wrap_engine = [&](std::unique_ptr<storage::Engine> inner, ShardPool& shards) {
                     auto faulty = std::make_unique<test::FaultEngine>(std::move(inner), shards, 1);
                     engine = faulty.get();
                     return faulty;
                   }});
  const auto topic = plane.api.make_topic("t");
  ASSERT_EQ(plane.produce(topic, 0, make_batch(1).bytes).error_code, ErrorCode::none);
  const auto append = [&](protocol::RecordBatch batch, MonoTime deadline) {
    return plane.api.run([&]() -> Task<ProduceOutcome> {
      std::vector<broker::ProduceItem> items;
      items.push_back({.partition = {topic->topic.id, 0}, .records = batch.bytes});
      auto got =
          co_await plane.api.broker().produce().append(std::move(items), {.deadline = deadline}, [] {});
      co_return std::move(got.front());
    });
  };
  engine->faults().hang();
  EXPECT_EQ(append(make_batch(1), MonoTime{}).error,
            ErrorCode::request_timed_out);  // goes on, and fills the queue
  const auto refused = append(make_batch(1, from_producer(5, 0, 0)), MonoTime::max());
  EXPECT_EQ(refused.error, ErrorCode::request_timed_out);
  EXPECT_EQ(refused.rest, nullptr) << "refused at the limit";
  engine->faults().heal();
  plane.api.shards().settle(8);
  EXPECT_EQ(append(make_batch(1, from_producer(5, 0, 1)), MonoTime::max()).error,
            ErrorCode::request_timed_out);
  EXPECT_EQ(append(make_batch(1, from_producer(5, 0, 0)), MonoTime::max()).base_offset, 2);
  EXPECT_EQ(append(make_batch(1, from_producer(5, 0, 1)), MonoTime::max()).base_offset, 3);
}

TEST(ProducerLimit, OneMoreThanFitWhileNoneIsIdle_IsRefusedForNow) {
  test::FaultEngine* engine = nullptr;
  DataPlane plane({.config = {{"partition.max.producers", "1"}},
                   .wrap_engine = [&](std::unique_ptr<storage::Engine> inner, ShardPool& shards) {
                     auto faulty = std::make_unique<test::FaultEngine>(std::move(inner), shards, 1);
                     faulty->faults().hold_tails();
                     engine = faulty.get();
                     return faulty;
                   }});
  const auto topic = plane.api.make_topic("t");
  const auto append = [&](std::int64_t producer, MonoTime deadline) {
    return plane.api.run([&]() -> Task<ProduceOutcome> {
      std::vector<broker::ProduceItem> items;
      items.push_back(
          {.partition = {topic->topic.id, 0}, .records = make_batch(1, from_producer(producer, 0, 0)).bytes});
      auto got =
          co_await plane.api.broker().produce().append(std::move(items), {.deadline = deadline}, [] {});
      co_return std::move(got.front());
    });
  };
  ASSERT_EQ(plane.produce(topic, 0, make_batch(1).bytes).error_code, ErrorCode::none);
  engine->faults().hang();
  EXPECT_NE(append(1, MonoTime{}).rest, nullptr);
  const auto refused = append(2, MonoTime::max());
  EXPECT_EQ(refused.error, ErrorCode::request_timed_out);
  EXPECT_EQ(refused.rest, nullptr) << "refused at the limit";
  engine->faults().heal();
  plane.api.shards().settle(8);
  EXPECT_EQ(append(2, MonoTime::max()).base_offset, 2) << "1 is idle now and makes room";
}

// An idempotent producer as clients are: five requests in flight, what fails is sent again in order.
class Resending : public StorageFaults, public ::testing::WithParamInterface<std::uint64_t> {
 protected:
  Resending() : StorageFaults(GetParam()) {}
};

TEST_P(Resending, NothingIsLostDoubledOrOutOfOrder) {
  constexpr std::int32_t kBatches = 150;
  constexpr std::int32_t kInFlight = 5;
  engine->faults().hold_tails();
  const auto topic = plane.api.make_topic("t");
  engine->faults().set({.delay = 300, .append_error = 60, .lost_tail = 60});
  std::vector<Offset> offsets;
  int rounds = 0;
  while (offsets.size() < kBatches) {
    ASSERT_LT(++rounds, 5'000) << "seed " << GetParam();
    std::vector<protocol::RecordBatch> window;
    const auto first = static_cast<std::int32_t>(offsets.size());
    for (std::int32_t i = first; i < std::min(first + kInFlight, kBatches); ++i) window.push_back(nth(i));
    for (const auto& outcome : send(topic, window)) {
      if (outcome.error != ErrorCode::none) break;
      offsets.push_back(outcome.base_offset);
    }
  }
  engine->faults().heal();
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    ASSERT_EQ(offsets[i], static_cast<Offset>(i)) << "seed " << GetParam();
  }
  const auto batches = DataPlane::batches(plane.fetch_one(topic, 0, 0));
  ASSERT_EQ(batches.size(), static_cast<std::size_t>(kBatches)) << "seed " << GetParam();
  for (std::size_t i = 0; i < batches.size(); ++i) {
    EXPECT_EQ(batches[i].header.base_sequence, static_cast<std::int32_t>(i));
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Resending, ::testing::Range<std::uint64_t>(1, 9));

}  // namespace
}  // namespace tidegate
