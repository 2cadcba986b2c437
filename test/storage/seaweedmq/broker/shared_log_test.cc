// Topics that SeaweedMQ has made, published to by a gateway and by somebody else at the same time.
#include <gtest/gtest.h>

#include "broker/broker_log_rig.h"

namespace tidegate::storage::seaweedmq {
namespace {

using Records = std::vector<std::pair<Offset, std::string>>;

RigOptions others(RigOptions options = {}) {
  return with_form({"", Layout::record, 1'000'000, true}, options);
}

// All in one file.
TEST(SharedLog, WhatOthersHadBefore_KeepsItsOffsets) {
  RigOptions options = others({.read_first = true});
  const auto now = std::make_shared<std::atomic<std::int64_t>>(1'900'000'100'000'000'000);
  options.times.now_ns = [now] { return now->fetch_add(1000); };
  BrokerLogRig rig(options);
  rig.publish_as_others({"a", "b", "c"});
  ASSERT_TRUE(rig.eventually([&] { return rig.offsets().high_watermark == 3; }));
  rig.open_for_writing();
  EXPECT_EQ(rig.offsets().log_end, 3);
  const auto appended = rig.append({"ours"});
  ASSERT_TRUE(appended);
  EXPECT_EQ(appended->base_offset, 3);
  ASSERT_TRUE(rig.wait_durable(4));
  rig.publish_as_others({"d"});
  const Records all{{0, "a"}, {1, "b"}, {2, "c"}, {3, "ours"}, {4, "d"}};
  ASSERT_TRUE(rig.eventually([&] { return rig.offsets().high_watermark == 5; }));
  EXPECT_EQ(rig.records(), all);
  rig.reopen();
  ASSERT_TRUE(rig.eventually([&] { return rig.offsets().high_watermark == 5; }));
  EXPECT_EQ(rig.records(), all);
}

TEST(SharedLog, NothingIsPublishedBeforeSomebodyAppends) {
  BrokerLogRig rig(others({.read_first = true}));
  rig.publish_as_others({"a"});
  ASSERT_TRUE(rig.eventually([&] { return rig.offsets().high_watermark == 1; }));
  EXPECT_EQ(rig.broker().streams(), 0);
  rig.open_for_writing();
  ASSERT_TRUE(rig.store({"ours"}));
  EXPECT_EQ(rig.broker().streams(), 1);
  rig.stop();
  ASSERT_TRUE(rig.eventually([&] { return rig.broker().streams() == 0; }));
  rig.start();
  rig.open();
  EXPECT_TRUE(rig.eventually([&] { return rig.broker().streams() == 1; }))
      << "whether anybody appends or not";
}

TEST(SharedLog, OthersBehindOurs_AreShownThoughNobodyAppends) {
  BrokerLogRig rig(others());
  rig.publish_as_others({"a"});
  ASSERT_TRUE(rig.eventually([&] { return rig.offsets().high_watermark == 1; }));
  ASSERT_TRUE(rig.store({"ours"}));
  rig.reopen();
  rig.publish_as_others({"b", "c"});
  ASSERT_TRUE(rig.eventually([&] { return rig.offsets().high_watermark == 4; }));
  EXPECT_EQ(rig.records(), (Records{{0, "a"}, {1, "ours"}, {2, "b"}, {3, "c"}}));
}

TEST(SharedLog, OthersInTheMiddleOfABatch_StandBehindIt) {
  for (const std::size_t chunk_messages : {1'000'000U, 3U}) {
    BrokerLogRig rig(others({.times = {.flush = milliseconds(10), .chunk_messages = chunk_messages}}));
    rig.broker().publish_beside(true);
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(rig.store({std::to_string(i), "b", "c", "d", "e"}));
    rig.broker().publish_beside(false);
    ASSERT_TRUE(rig.eventually([&] { return rig.values().size() >= 50; }));
    const Records all = rig.records();
    Values ours;
    std::size_t theirs = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(all[i].first, static_cast<Offset>(i));
      if (all[i].second == "somebody else's") {
        ++theirs;
      } else {
        ours.push_back(all[i].second);
      }
    }
    // One for each of our messages, GoesOn among them.
    EXPECT_GE(theirs, 26U);
    ASSERT_EQ(ours.size(), 25U);
    for (std::size_t i = 0; i < 25; i += 5) {
      EXPECT_EQ(ours[i], std::to_string(i / 5));
      EXPECT_EQ(ours[i + 4], "e");
    }
    rig.reopen();
    ASSERT_TRUE(rig.eventually([&] { return rig.values().size() >= all.size(); }));
    EXPECT_EQ(rig.records(), all);
  }
}

// Whoever has read an offset never finds anything else there, what was acknowledged is there once, where it
// was said to be, and so is all that others had flushed.
class SharedLogWalk : public testing::TestWithParam<int> {};

TEST_P(SharedLogWalk, OffsetsStayAndNothingIsLost) {
  SeededRng rng(static_cast<std::uint64_t>(GetParam()));
  BrokerLogRig rig(others({.flush_within = milliseconds(200),
                           .times = {.flush = milliseconds(10), .chunk_messages = 1 + rng.below(7)}}));
  std::map<Offset, std::string> seen;
  std::map<Offset, std::string> acknowledged;
  std::vector<std::pair<Appended, Values>> waiting;
  std::set<std::string> theirs;
  int number = 0;
  const auto look = [&] {
    for (const auto& [offset, value] : rig.records()) {
      const auto before = seen.try_emplace(offset, value).first;
      EXPECT_EQ(before->second, value) << "at " << offset;
    }
  };
  const auto settle = [&] {
    for (const auto& [appended, values] : waiting) {
      if (!rig.wait_durable(appended.log_end)) continue;
      for (std::size_t i = 0; i < values.size(); ++i)
        acknowledged[appended.base_offset + static_cast<Offset>(i)] = values[i];
    }
    waiting.clear();
  };
  for (int step = 0; step < 60; ++step) {
    switch (rng.below(8)) {
      case 0:
      case 1:
      case 2: {
        Values values;
        for (std::uint64_t i = 0; i <= rng.below(6); ++i)
          values.push_back("ours " + std::to_string(++number));
        if (const auto appended = rig.append(values)) waiting.emplace_back(*appended, values);
        break;
      }
      case 3:
      case 4:
        for (std::uint64_t i = 0; i <= rng.below(4); ++i) {
          const std::string value = "theirs " + std::to_string(++number);
          rig.publish_as_others({value});
          theirs.insert(value);
        }
        break;
      case 5:
        look();
        break;
      case 6:
        settle();
        break;
      case 7:
        if (rng.below(3) == 0) {
          // What is under way then may be there, or not.
          if (rng.below(2) == 0) settle();
          waiting.clear();
          rig.reopen();
        } else if (rng.below(2) == 0) {
          rig.broker().publish_beside(rng.below(2) == 0);
        } else if (rng.below(2) == 0) {
          // What others had in the broker's memory alone is lost with it.
          settle();
          theirs.clear();
          rig.crash_broker();
        } else {
          rig.broker().rewind_counters(static_cast<std::int64_t>(rng.below(5)));
        }
        break;
      default:
        break;
    }
  }
  rig.broker().publish_beside(false);
  settle();
  EXPECT_TRUE(rig.eventually([&] {
    std::set<std::string> missing = theirs;
    for (const auto& [offset, value] : rig.records()) missing.erase(value);
    return missing.empty();
  }));
  look();
  const Records before = rig.records();
  rig.reopen();
  EXPECT_TRUE(rig.eventually([&] { return rig.records().size() >= before.size(); }));
  look();
  const Records all = rig.records();
  std::map<std::string, int> times;
  for (const auto& [offset, value] : all) ++times[value];
  for (const auto& [value, count] : times) EXPECT_TRUE(count == 1 || value == "somebody else's") << value;
  for (const auto& [offset, value] : acknowledged) EXPECT_EQ(seen[offset], value) << "at " << offset;
  EXPECT_FALSE(acknowledged.empty());
}
INSTANTIATE_TEST_SUITE_P(Seeds, SharedLogWalk, testing::Range(1, 13));

}  // namespace
}  // namespace tidegate::storage::seaweedmq
