// The order of requests and answers on one connection.
#include "server_fixture.h"

namespace tidegate::server {
namespace {

using PipelineTest = ServerTest;

void append(std::vector<std::uint8_t>& to, const std::vector<std::uint8_t>& bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

TEST_F(PipelineTest, Request_IsAnsweredWithItsCorrelationId) {
  start();
  auto client = connect();
  ASSERT_TRUE(client.send(frame(kEcho, 42, "hello")));
  EXPECT_EQ(receive(client), (Answer{42, "hello"}));
  EXPECT_TRUE(counted("tidegate_server_requests_total", {{"api", "Echo"}, {"version", "0"}}));
  EXPECT_TRUE(counted("tidegate_server_request_seconds", {{"api", "Echo"}, {"version", "0"}}));
}

TEST_F(PipelineTest, Answers_LeaveInArrivalOrderWhenHandlersEndTheOtherWayRound) {
  start();
  auto client = connect();
  for (std::int32_t id = 1; id <= 4; ++id) ASSERT_TRUE(client.send(frame(kHeld, id, "x")));
  ASSERT_TRUE(logged("begin 4"));
  for (const std::int32_t id : {4, 3, 2}) release(id);
  EXPECT_TRUE(quiet(client));
  release(1);
  for (std::int32_t id = 1; id <= 4; ++id) EXPECT_EQ(receive(client), (Answer{id, "x"}));
}

TEST_F(PipelineTest, ManyFramesInOneSend_AreAllAnsweredInOrder) {
  start();
  auto client = connect();
  constexpr std::int32_t kFrames = 5'000;  // many times the in-flight limit and the scratch buffer
  std::vector<std::uint8_t> bytes;
  for (std::int32_t id = 0; id < kFrames; ++id) append(bytes, frame(kEcho, id, std::string(id % 97, 'a')));
  std::thread sender([&] { EXPECT_TRUE(client.send(bytes)); });
  for (std::int32_t id = 0; id < kFrames; ++id) {
    const auto answer = receive(client);
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->correlation, id);
    ASSERT_EQ(answer->body.size(), static_cast<std::size_t>(id % 97));
  }
  sender.join();
}

TEST_F(PipelineTest, FrameCutAtEveryByte_IsPutTogether) {
  start();
  auto client = connect();
  const auto bytes = frame(kEcho, 9, "in pieces");
  for (const std::uint8_t byte : bytes) {
    ASSERT_TRUE(client.send({&byte, 1}));
    harness.settle(2);
  }
  EXPECT_EQ(receive(client), (Answer{9, "in pieces"}));
}

TEST_F(PipelineTest, LargeFrames_ArriveWholeBetweenSmallOnes) {
  start();
  auto client = connect();
  std::thread sender([&] {
    for (std::int32_t id = 0; id < 12; ++id) {
      const std::size_t size = id % 3 == 0 ? 700'000 + static_cast<std::size_t>(id) : 10;
      ASSERT_TRUE(client.send(frame(kEcho, id, std::string(size, static_cast<char>('a' + id)))));
    }
  });
  for (std::int32_t id = 0; id < 12; ++id) {
    const auto answer = receive(client);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->correlation, id);
    EXPECT_EQ(answer->body.size(), id % 3 == 0 ? 700'000 + static_cast<std::size_t>(id) : 10);
    EXPECT_EQ(answer->body.find_first_not_of(static_cast<char>('a' + id)), std::string::npos);
  }
  sender.join();
}

TEST_F(PipelineTest, OrderedLane_TheNextBeginsWhenTheOneBeforeIsDispatched) {
  start();
  auto client = connect();
  for (std::int32_t id = 1; id <= 3; ++id) ASSERT_TRUE(client.send(frame(kOrdered, id)));
  ASSERT_TRUE(logged("begin 1"));
  harness.settle();
  EXPECT_EQ(log(), (std::vector<std::string>{"begin 1"}));
  dispatched(1);
  EXPECT_EQ(log(), (std::vector<std::string>{"begin 1", "begin 2"}));
  dispatched(1);  // only the first call counts
  EXPECT_EQ(log().size(), 2u);
  release(2);  // ends without having called dispatched()
  ASSERT_TRUE(logged("begin 3"));
  release(3);
  EXPECT_TRUE(quiet(client));
  release(1);
  for (std::int32_t id = 1; id <= 3; ++id) EXPECT_EQ(receive(client), (Answer{id, ""}));
}

TEST_F(PipelineTest, ParallelAndWaitingRequests_BeginBesideAnOrderedOne) {
  start();
  auto client = connect();
  ASSERT_TRUE(client.send(frame(kOrdered, 1)));
  ASSERT_TRUE(client.send(frame(kWaiting, 2)));
  ASSERT_TRUE(client.send(frame(kHeld, 3)));
  ASSERT_TRUE(client.send(frame(kOrdered, 4)));
  ASSERT_TRUE(logged("begin 3"));
  harness.settle();
  EXPECT_EQ(log(), (std::vector<std::string>{"begin 1", "begin 2", "begin 3"}));
}

TEST_F(PipelineTest, ManyOrderedRequestsThatEndAtOnce_RunInALoop) {
  start();
  auto client = connect();
  std::vector<std::uint8_t> bytes = frame(kOrdered, 1);
  for (int i = 0; i < 60; ++i) append(bytes, frame(kSilent, 100 + i));
  ASSERT_TRUE(client.send(bytes));
  ASSERT_TRUE(logged("begin 1"));
  release(1);
  ASSERT_TRUE(logged("silent 159"));
  EXPECT_EQ(receive(client), (Answer{1, ""}));
  EXPECT_TRUE(echoes(client));
}

TEST_F(PipelineTest, RequestWithoutAnswer_LeavesNoGapAndHoldsNothingUp) {
  start();
  auto client = connect();
  ASSERT_TRUE(client.send(frame(kEcho, 1)));
  ASSERT_TRUE(client.send(frame(kSilent, 2)));
  ASSERT_TRUE(client.send(frame(kEcho, 3)));
  EXPECT_EQ(receive(client), (Answer{1, ""}));
  EXPECT_EQ(receive(client), (Answer{3, ""}));
}

TEST_F(PipelineTest, ReplyThatCloses_ComesAfterEarlierAnswersAndBeforeNone) {
  start();
  auto client = connect();
  ASSERT_TRUE(client.send(frame(kHeld, 1)));
  ASSERT_TRUE(client.send(frame(kSilent, 2, "close")));
  ASSERT_TRUE(client.send(frame(kEcho, 3)));
  ASSERT_TRUE(logged("silent 2"));
  EXPECT_TRUE(quiet(client));
  release(1);
  EXPECT_EQ(receive(client), (Answer{1, ""}));
  EXPECT_TRUE(client.wait_closed());
  EXPECT_TRUE(closed_for("handler_closed"));
}

TEST_F(PipelineTest, HandlerThatThrows_EndsItsConnectionOnly) {
  start();
  auto client = connect();
  auto other = connect();
  ASSERT_TRUE(client.send(frame(kThrows, 1)));
  EXPECT_TRUE(client.wait_closed());
  EXPECT_TRUE(echoes(other));
  EXPECT_TRUE(closed_for("handler_failed"));
}

TEST_F(PipelineTest, ErrorInAReply_IsCountedByApiVersionAndName) {
  start();
  auto client = connect();
  ASSERT_TRUE(client.send(frame(kFailing, 1)));
  EXPECT_TRUE(receive(client));
  EXPECT_TRUE(counted("tidegate_server_errors_total",
                      {{"api", "Failing"}, {"version", "0"}, {"error", "UNKNOWN_TOPIC_OR_PARTITION"}}));
}

TEST_F(PipelineTest, LostConnection_EndsWaitsAndStillCarriesOutWhatWasReceived) {
  start();
  auto client = connect();
  ASSERT_TRUE(client.send(frame(kWaiting, 1)));
  ASSERT_TRUE(client.send(frame(kOrdered, 2)));
  ASSERT_TRUE(client.send(frame(kSilent, 3)));
  ASSERT_TRUE(logged("begin 2"));
  client.close();
  ASSERT_TRUE(logged("end 1"));
  ASSERT_TRUE(eventually([this] { return server->connections() == 0; }));
  release(2);
  EXPECT_TRUE(logged("silent 3"));
}

TEST_F(PipelineTest, Throttle_TheAnswerLeavesAtOnceAndTheConnectionIsNotReadForTheTime) {
  start();
  auto client = connect();
  ASSERT_TRUE(client.send(frame(kThrottled, 1)));
  EXPECT_EQ(receive(client), (Answer{1, ""}));
  ASSERT_TRUE(client.send(frame(kEcho, 2)));
  EXPECT_TRUE(quiet(client));
  harness.advance(std::chrono::milliseconds(999));
  EXPECT_TRUE(quiet(client));
  harness.advance(std::chrono::milliseconds(1));
  EXPECT_EQ(receive(client), (Answer{2, ""}));
}

TEST_F(PipelineTest, ApiVersionsOfTheFuture_ReachesItsRowWithoutItsBodyBeingRead) {
  start();
  auto client = connect();
  ASSERT_TRUE(client.send(frame(kApiVersions, 5, std::string(3, '\xff'), 99)));
  EXPECT_EQ(receive(client), (Answer{5, "asked 99"}));
  const std::uint8_t bare[] = {0, 0, 0, 8, 0, 18, 0, 90, 0, 0, 0, 6};
  ASSERT_TRUE(client.send(bare));
  EXPECT_EQ(receive(client), (Answer{6, "asked 90"}));
  EXPECT_EQ(metric("tidegate_server_requests_total", {{"api", "ApiVersions"}, {"version", "unsupported"}}),
            2);
}

TEST_F(PipelineTest, FlexibleHeader_ItsTaggedFieldsAreSkipped) {
  start();
  auto client = connect();
  auto bytes = frame(kEcho, 8, std::string("\x01\x05\x02zz", 5) + "body", 2);
  ASSERT_TRUE(client.send(bytes));
  EXPECT_EQ(receive(client), (Answer{8, "body"}));
}

struct SpreadTest : ServerTest {
  SpreadTest() : ServerTest(2) {}
};

TEST_F(SpreadTest, Connections_AreSpreadOverTheShards) {
  start();
  std::vector<test::SocketClient> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(connect());
    EXPECT_TRUE(echoes(clients.back(), i));
  }
  EXPECT_EQ(server->connections(), 8u);
  clients.clear();
  EXPECT_TRUE(eventually([this] { return server->connections() == 0; }));
}

}  // namespace
}  // namespace tidegate::server
