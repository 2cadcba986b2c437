// Requests that Kafka's own client wrote, damaged, at the real daemon and all of its handlers: flipped
// bytes, missing ends, lengths that promise too much. A client beside them that behaves sees nothing of it.
#include <gtest/gtest.h>

#include <memory>

#include "golden/vectors.h"
#include "support/daemon.h"
#include "support/wire_client.h"
#include "tidegate/base/rng.h"
#include "tidegate/protocol/messages/create_topics.h"
#include "tidegate/protocol/messages/fetch.h"
#include "tidegate/protocol/messages/produce.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate {
namespace {

using namespace protocol;  // NOLINT: a test that speaks the protocol

constexpr int kFrames = 5'000;
constexpr int kFramesPerRound = 25;
// A request that waits for something (a group, more records) is left behind after this long.
constexpr int kPatienceMs = 10;
// The key, version and correlation id in front: damage goes behind them, or the handlers never see it.
constexpr std::size_t kKeptBytes = 8;
constexpr const char* kTopic = "healthy-clients-own";

class HealthyClient {
 public:
  explicit HealthyClient(std::uint16_t port) : wire_(port, 10'000) {}

  bool create_topic() {
    CreateTopicsRequest request;
    request.timeout_ms = 10'000;
    CreateTopicsRequest::CreatableTopic topic;
    topic.name = kTopic;
    topic.num_partitions = 1;
    topic.replication_factor = 1;
    request.topics.push_back(topic);
    const auto answer = wire_.call<CreateTopicsResponse>(request, 4);
    return answer && answer->topics.size() == 1 && answer->topics[0].error_code == ErrorCode::none;
  }
  // One record, and the same record back.
  void round(Offset expected) {
    const std::string value = "round " + std::to_string(expected);
    ASSERT_EQ(produce(value), expected);
    ASSERT_EQ(fetch(expected), value);
  }

 private:
  Offset produce(const std::string& value) {
    std::vector<NewRecord> records;
    records.push_back({1'000'000, std::nullopt, value, {}});
    auto batch = build_batch(records, {});
    if (!batch) return -1;
    ProduceRequest request;
    request.acks = -1;
    request.timeout_ms = 10'000;
    ProduceRequest::TopicProduceData topic;
    topic.name = kTopic;
    ProduceRequest::PartitionProduceData data;
    data.records = batch->bytes;
    topic.partition_data.push_back(data);
    request.topic_data.push_back(topic);
    const auto answer = wire_.call<ProduceResponse>(request, 9);
    if (!answer || answer->responses.size() != 1) return -1;
    const auto& result = answer->responses[0].partition_responses.at(0);
    return result.error_code == ErrorCode::none ? result.base_offset : -1;
  }
  std::string fetch(Offset offset) {
    FetchRequest request;
    request.max_wait_ms = 5'000;
    request.min_bytes = 1;
    request.max_bytes = 1 << 20;
    FetchRequest::FetchTopic topic;
    topic.topic = kTopic;
    FetchRequest::FetchPartition wanted;
    wanted.fetch_offset = offset;
    wanted.partition_max_bytes = 1 << 20;
    topic.partitions.push_back(wanted);
    request.topics.push_back(topic);
    const auto answer = wire_.call<FetchResponse>(request, 11);
    if (!answer || answer->responses.empty()) return "no answer";
    const auto& result = answer->responses[0].partitions.at(0);
    if (result.error_code != ErrorCode::none || !result.records) return "an error";
    std::string bytes;
    for (const auto& chunk : result.records->chunks) bytes += as_text(chunk.bytes());
    auto split = split_batches(SharedBuffer::copy_of(as_bytes(bytes)));
    if (!split || split->batches.size() != 1) return "not one batch";
    std::string value;
    const auto walked = for_each_record(split->batches[0], {}, [&](const RecordView& record) {
      value = as_text(*record.value);
      return true;
    });
    return walked ? value : "a batch that cannot be read";
  }

  test::WireClient wire_;
};

class HostileClient {
 public:
  HostileClient(std::uint16_t port, std::uint64_t seed) : port_(port), rng_(seed) {
    for (const auto& vector : test::golden_vectors()) {
      if (vector.type && vector.type->is_request) originals_.emplace_back(as_text(vector.frame.bytes()));
    }
  }

  int answers() const { return answers_; }
  bool has_requests() const { return !originals_.empty(); }
  void throw_one() {
    if (!wire_) wire_ = std::make_unique<test::WireClient>(port_, kPatienceMs);
    // Whatever does not end in an answer leaves a connection that is done for.
    if (!wire_->send_bytes(damaged()) || !wire_->receive_frame()) {
      wire_.reset();
    } else {
      ++answers_;
    }
  }

 private:
  // With its length in front, which is true but in the last case.
  std::string damaged() {
    std::string frame = originals_[rng_.below(originals_.size())];
    std::uint32_t promised = 0;
    const std::size_t room = frame.size() - kKeptBytes;
    switch (rng_.below(5)) {
      case 0:  // as it was: well formed, of things that are not there
        break;
      case 1:
        for (std::uint64_t n = 1 + rng_.below(4); n > 0 && room > 0; --n) {
          frame[kKeptBytes + rng_.below(room)] ^= static_cast<char>(1 + rng_.below(255));
        }
        break;
      case 2:
        frame.resize(kKeptBytes + rng_.below(room + 1));
        break;
      case 3:  // a length or a count in the middle grows
        if (room < 4) break;
        frame.replace(kKeptBytes + rng_.below(room - 3), 4, length_bytes(0x7FFFFFFFU >> rng_.below(31)));
        break;
      case 4:
        promised = static_cast<std::uint32_t>(1 + rng_.below(1U << 31));
        break;
    }
    return length_bytes(static_cast<std::uint32_t>(frame.size()) + promised) + frame;
  }
  static std::string length_bytes(std::uint32_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift));
    return bytes;
  }

  std::uint16_t port_;
  SeededRng rng_;
  std::vector<std::string> originals_;
  std::unique_ptr<test::WireClient> wire_;
  int answers_ = 0;
};

TEST(HostileRequests, FiveThousandDamagedRequests_AHealthyClientSeesNothingOfThem) {
  test::DaemonProcess daemon;
  ASSERT_TRUE(daemon.ready());
  HealthyClient healthy(daemon.kafka_port());
  ASSERT_TRUE(healthy.create_topic());
  HostileClient hostile(daemon.kafka_port(), 20'240'611);
  ASSERT_TRUE(hostile.has_requests());
  for (int frame = 0; frame < kFrames; ++frame) {
    hostile.throw_one();
    if (frame % kFramesPerRound != 0) continue;
    ASSERT_NO_FATAL_FAILURE(healthy.round(frame / kFramesPerRound)) << "after " << frame << " frames";
  }
  EXPECT_GT(hostile.answers(), kFrames / 10) << "most were thrown away before any handler saw them";
  EXPECT_EQ(daemon.stop(SIGTERM), 0);
}

}  // namespace
}  // namespace tidegate
