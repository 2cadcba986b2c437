#include "listeners.h"

#include <gtest/gtest.h>

namespace tidegate::app {
namespace {

TEST(Listeners, OneAddress_IsPlaintextAndAdvertisesItself) {
  const auto listeners = make_listeners({"127.0.0.1:0"}, {});
  ASSERT_TRUE(listeners) << listeners.error().message;
  ASSERT_EQ(listeners->size(), 1U);
  EXPECT_EQ(listeners->front().name, "PLAINTEXT");
  EXPECT_EQ(listeners->front().advertised.host, "127.0.0.1");
  EXPECT_EQ(listeners->front().advertised.port, 0);
}

TEST(Listeners, Ipv6_IsWrittenInBrackets) {
  const auto listeners = make_listeners({"[::1]:9092"}, {});
  ASSERT_TRUE(listeners) << listeners.error().message;
  EXPECT_EQ(listeners->front().bind.host, "::1");
  EXPECT_EQ(to_text(listeners->front().bind), "[::1]:9092");
  EXPECT_FALSE(make_listeners({"::1:9092"}, {}));
}

TEST(Listeners, Wildcard_NeedsAnAdvertisedAddress) {
  for (const char* text : {"0.0.0.0:9092", "[::]:9092", ":9092", "OUT://:9092"}) {
    const auto refused = make_listeners({text}, {});
    ASSERT_FALSE(refused) << text;
    EXPECT_NE(refused.error().message.find("--advertise"), std::string::npos) << refused.error().message;
  }
  const auto accepted = make_listeners({":9092"}, {"broker.example:19092"});
  ASSERT_TRUE(accepted) << accepted.error().message;
  EXPECT_EQ(to_text(accepted->front().advertised), "broker.example:19092");
}

TEST(Listeners, SeveralNames_AreMatched) {
  const auto listeners =
      make_listeners({"IN://127.0.0.1:9092", "out://0.0.0.0:9093"}, {"OUT://kafka.example:0"});
  ASSERT_TRUE(listeners) << listeners.error().message;
  EXPECT_EQ((*listeners)[0].advertised.host, "127.0.0.1");
  EXPECT_EQ((*listeners)[1].name, "OUT");
  EXPECT_EQ((*listeners)[1].advertised.host, "kafka.example");
}

TEST(Listeners, Mistakes_AreNamed) {
  const struct {
    std::vector<std::string> listen;
    std::vector<std::string> advertise;
    const char* expected;
  } cases[] = {
      {{}, {}, "no listener"},
      {{"localhost"}, {}, "HOST:PORT"},
      {{"localhost:99999"}, {}, "0 to 65535"},
      {{"localhost:"}, {}, "0 to 65535"},
      {{"a b://localhost:1"}, {}, "listener name"},
      {{"127.0.0.1:1", "127.0.0.1:2"}, {}, "already"},
      {{"127.0.0.1:1"}, {"OTHER://h:1"}, "no listener named OTHER"},
      {{"127.0.0.1:1"}, {"0.0.0.0:1"}, "wildcard"},
      {{"127.0.0.1:1"}, {"a:1", "b:2"}, "already"},
  };
  for (const auto& c : cases) {
    const auto result = make_listeners(c.listen, c.advertise);
    ASSERT_FALSE(result) << c.expected;
    EXPECT_NE(result.error().message.find(c.expected), std::string::npos) << result.error().message;
  }
}

}  // namespace
}  // namespace tidegate::app
