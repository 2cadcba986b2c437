// Discovery of brokers, lookups and publish streams against the fake broker: answers in order, what a crash
// takes, a broker that is frozen or remembers a topic of before.
#include <gtest/gtest.h>

#include "format/records.h"
#include "rpc/client_rig.h"

namespace tidegate::storage::seaweedmq {
namespace {

using std::chrono::milliseconds;
using Next = PublishStream::Next;

test::FakeClusterOptions with_broker(test::FakeBrokerTimes times = {}) {
  test::FakeClusterOptions options;
  options.broker = true;
  options.broker_times = times;
  return options;
}

class BrokerRig {
 public:
  explicit BrokerRig(test::FakeBrokerTimes times = {})
      : rig_(std::make_unique<FakeCluster>(with_broker(times)), options()) {
    rig_.start_and_wait();
    put_topic(kGeneration);
  }
  ~BrokerRig() { close(); }

  static constexpr std::int64_t kGeneration = 1'700'000'000'000'000'000;
  void put_topic(std::int64_t generation) {
    const std::string conf = encode_topic_conf({.slots = 1, .generation_ns = generation});
    EXPECT_TRUE(rig_.fake().filer().put_content("/topics/kafka/t/topic.conf", conf));
  }
  BrokerPlace place(std::int64_t generation = kGeneration) {
    return {.topic = "t", .generation_ns = generation, .range = ring_range(0, 1), .slots = 1};
  }
  void look_again(std::int64_t generation) {
    rig_.run([&, this] { return rig_.client().brokers().look_again(place(generation)); });
  }
  auto leader(std::int64_t generation = kGeneration) {
    return rig_.run([&, this] { return rig_.client().brokers().leader_of(place(generation)); });
  }
  auto high_water_mark() {
    return rig_.run([this] { return rig_.client().brokers().high_water_mark(fake().address(), place()); });
  }
  // The first event of a new stream.
  Next open() {
    rig_.shards().call(
        [this] { stream_ = rig_.client().brokers().publish(fake().address(), place(), "test"); });
    EXPECT_TRUE(stream_);
    return next();
  }
  void send(const std::string& value) {
    rig_.shards().call([this, &value] { stream_->send("k", value); });
  }
  Next next(milliseconds within = milliseconds(2000)) {
    acks_.clear();
    return rig_.run(
        [this, within] { return stream_->next(Shard::current()->clock().now() + within, acks_); });
  }
  // As many answers as asked for, or fewer when none comes any more.
  std::vector<Offset> answers(std::size_t count) {
    std::vector<Offset> all;
    while (all.size() < count && next() == Next::acks) all.insert(all.end(), acks_.begin(), acks_.end());
    return all;
  }
  void close() {
    rig_.shards().call([this] { stream_.reset(); });
  }
  PublishStream& stream() { return *stream_; }
  test::FakeBroker& fake() { return rig_.fake().broker(); }
  ClientRig& rig() { return rig_; }

 private:
  static ClientOptions options() {
    ClientOptions options = ClientRig::quick();
    options.find_brokers = true;
    return options;
  }
  ClientRig rig_;
  std::unique_ptr<PublishStream> stream_;
  std::vector<Offset> acks_;
};

TEST(BrokerClientTest, BrokerIsFoundThroughTheMasterAndLeadsTheTopic) {
  BrokerRig rig;
  const auto leader = rig.leader();
  ASSERT_TRUE(leader) << leader.error().message;
  EXPECT_EQ(*leader, rig.fake().address());
}

TEST(BrokerClientTest, AnswersComeInTheOrderOfTheMessages) {
  BrokerRig rig;
  ASSERT_EQ(rig.open(), Next::ready);
  for (int i = 0; i < 500; ++i) rig.send("value " + std::to_string(i));
  const auto offsets = rig.answers(500);
  ASSERT_EQ(offsets.size(), 500U);
  for (std::size_t i = 0; i < offsets.size(); ++i) ASSERT_EQ(offsets[i], static_cast<Offset>(i));
  EXPECT_EQ(rig.high_water_mark().value(), 500);
}

TEST(BrokerClientTest, GenerationThatTheBrokerDoesNotLeadIsRefusedWithItsOwnError) {
  BrokerRig rig;
  ASSERT_TRUE(rig.leader());
  rig.put_topic(BrokerRig::kGeneration + 5'000'000'000);
  ASSERT_TRUE(
      rig.rig().eventually([&] { return rig.leader(BrokerRig::kGeneration + 5'000'000'000).has_value(); }));
  ASSERT_EQ(rig.open(), Next::ended);
  EXPECT_EQ(rig.stream().error_code(), 6);
  EXPECT_EQ(rig.stream().why(), "refused");
}

TEST(BrokerClientTest, BrokerThatRemembersTheTopicOfBeforeIsMadeToLookAgain) {
  test::FakeBrokerTimes times;
  times.topic_cache = std::chrono::hours(1);
  BrokerRig rig(times);
  ASSERT_TRUE(rig.leader());
  const std::int64_t later = BrokerRig::kGeneration + 5'000'000'000;
  rig.put_topic(later);
  const auto first = rig.leader(later);
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, ErrorCode::leader_not_available);
  for (int i = 0; i < 3; ++i) rig.look_again(later);
  EXPECT_TRUE(rig.leader(later));
  EXPECT_EQ(rig.fake().faults().calls("ConfigureTopic"), 1);
}

TEST(BrokerClientTest, CrashEndsTheStreamAndTakesWhatWasNotFlushed) {
  BrokerRig rig;
  rig.fake().hold_flushes(true);
  ASSERT_EQ(rig.open(), Next::ready);
  rig.send("lost");
  ASSERT_EQ(rig.answers(1).size(), 1U);
  rig.rig().cluster().kill(Part::broker);
  EXPECT_EQ(rig.next(), Next::ended);
  rig.close();
  rig.rig().cluster().start(Part::broker);
  ASSERT_TRUE(rig.rig().eventually([&] { return rig.high_water_mark().has_value(); }));
  const std::string directory = paths::partition_dir("t", BrokerRig::kGeneration, ring_range(0, 1));
  const auto files = rig.rig().list(directory, "2", "", 10);
  ASSERT_TRUE(files);
  EXPECT_TRUE(files->empty());
}

TEST(BrokerClientTest, FrozenBrokerAnswersNothingAndCallsEndByTheirDeadline) {
  BrokerRig rig;
  ASSERT_EQ(rig.open(), Next::ready);
  rig.fake().freeze();
  rig.send("unanswered");
  EXPECT_EQ(rig.next(milliseconds(200)), Next::timeout);
  EXPECT_FALSE(rig.leader());
  for (int i = 0; i < Breaker::kFailuresToOpen; ++i) static_cast<void>(rig.high_water_mark());
  const std::string missing = rig.rig().client().brokers().missing();
  EXPECT_NE(missing.find("no broker"), std::string::npos) << missing;
  EXPECT_EQ(rig.rig().client().missing(), "") << "topics of the direct path need none";
}

TEST(BrokerClientTest, TopicWithoutStreamsFreezesTheBroker) {
  test::FakeBrokerTimes times;
  times.cleanup = milliseconds(20);
  BrokerRig rig(times);
  ASSERT_EQ(rig.open(), Next::ready);
  EXPECT_FALSE(rig.fake().frozen());
  rig.close();
  EXPECT_TRUE(rig.rig().eventually([&] { return rig.fake().frozen(); }));
}

TEST(BrokerClientTest, MessageLostOnTheWayEndsTheStreamWithThoseBehindIt) {
  BrokerRig rig;
  ASSERT_EQ(rig.open(), Next::ready);
  rig.fake().faults().set("Publish", {.kind = Fault::Kind::lost_answer});
  rig.send("taken");
  rig.send("not taken");
  EXPECT_TRUE(rig.answers(1).empty());
  EXPECT_EQ(rig.next(), Next::ended);
  EXPECT_EQ(rig.high_water_mark().value(), 1);
}

TEST(BrokerClientTest, FinishedStreamEndsOnceEverythingIsAnswered) {
  BrokerRig rig;
  ASSERT_EQ(rig.open(), Next::ready);
  rig.send("last");
  rig.rig().shards().call([&] { rig.stream().finish(); });
  EXPECT_EQ(rig.answers(1), std::vector<Offset>{0});
  EXPECT_EQ(rig.next(), Next::ended);
}

}  // namespace
}  // namespace tidegate::storage::seaweedmq
