#include "append_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gather.h"
#include "scatter.h"
#include "support/run_task.h"
#include "tidegate/runtime/event.h"

namespace tidegate::broker {
namespace {

using ::testing::ElementsAre;

Task<void> take_turn(AppendOrder::Slot slot, std::vector<int>* order, int name) {
  co_await slot.turn();
  order->push_back(name);
}
Task<void> take_turn_after(AppendOrder::Slot slot, std::vector<int>* order, int name,
                           std::shared_ptr<Event> gate) {
  co_await gate->wait();
  co_await slot.turn();
  order->push_back(name);
}

TEST(AppendOrder, LateFirstSlot_StillGoesFirst) {
  test::ShardHarness shards(1);
  std::vector<int> order;
  shards.run([&]() -> Task<void> {
    auto appends = std::make_shared<AppendOrder>();
    auto gate = std::make_shared<Event>();
    auto first = AppendOrder::take(appends);
    auto second = AppendOrder::take(appends);
    auto third = AppendOrder::take(appends);
    EXPECT_EQ(appends->waiting(), 3U);
    Gather gather;
    gather.add(take_turn(std::move(third), &order, 3), "test");
    gather.add(take_turn(std::move(second), &order, 2), "test");
    gather.add(take_turn_after(std::move(first), &order, 1, gate), "test");
    EXPECT_TRUE(order.empty());
    gate->notify_all();
    co_await gather.all();
    EXPECT_EQ(appends->waiting(), 0U);
  });
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST(AppendOrder, SlotGivenUp_LetsTheNextPass) {
  test::ShardHarness shards(1);
  std::vector<int> order;
  shards.run([&]() -> Task<void> {
    auto appends = std::make_shared<AppendOrder>();
    auto first = AppendOrder::take(appends);
    auto second = AppendOrder::take(appends);
    auto third = AppendOrder::take(appends);
    Gather gather;
    gather.add(take_turn(std::move(third), &order, 3), "test");
    second.release();  // out of its turn: refused before it came
    first.release();
    co_await gather.all();
  });
  EXPECT_THAT(order, ElementsAre(3));
}

Task<void> hold_forever(AppendOrder::Slot slot, Event* never) {
  co_await never->wait();
  slot.release();
}

// Nobody is left to wake the others then.
TEST(AppendOrder, SlotsLeftAtTheEnd_AreDestroyedWithTheShards) {
  std::weak_ptr<AppendOrder> left;
  auto never = std::make_unique<Event>();
  {
    test::ShardHarness shards(1);
    std::vector<int> order;
    auto begin = [&] {
      auto appends = std::make_shared<AppendOrder>();
      left = appends;
      auto first = AppendOrder::take(appends);
      auto second = AppendOrder::take(appends);
      auto third = AppendOrder::take(appends);
      Shard::current()->start(take_turn(std::move(third), &order, 3), "test");
      Shard::current()->start(take_turn(std::move(second), &order, 2), "test");
      Shard::current()->start(hold_forever(std::move(first), never.get()), "test");
    };
    shards.call(begin);
    shards.pool().stop(Duration::zero());
    never.reset();
    EXPECT_TRUE(order.empty());
  }
  EXPECT_TRUE(left.expired());
}

struct Question {
  PartitionId partition;
  int value = 0;
};

Task<std::vector<int>> answer_slowly(std::vector<Question> questions) {
  std::vector<int> answers;
  for (const Question& question : questions) answers.push_back(question.value * 10);
  co_return answers;
}

TEST(Scatter, Answers_StandWhereTheQuestionsStood) {
  test::ShardHarness shards(3);
  const auto answers = shards.run([&]() -> Task<std::vector<int>> {
    std::vector<Question> questions;
    for (int i = 0; i < 12; ++i) questions.push_back({.partition = {Uuid{}, i}, .value = i});
    bool sent = false;
    auto visit = [](std::vector<Question> mine) { return answer_slowly(std::move(mine)); };
    auto got =
        co_await scatter<int>(shards.pool(), std::move(questions), std::move(visit), [&] { sent = true; });
    EXPECT_TRUE(sent);
    co_return got;
  });
  ASSERT_EQ(answers.size(), 12U);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(answers[static_cast<std::size_t>(i)], i * 10);
}

TEST(Scatter, NothingToAsk_IsAnsweredAtOnce) {
  test::ShardHarness shards(2);
  const auto answers = shards.run([&]() -> Task<std::vector<int>> {
    auto visit = [](std::vector<Question> mine) { return answer_slowly(std::move(mine)); };
    co_return co_await scatter<int>(shards.pool(), std::vector<Question>{}, std::move(visit));
  });
  EXPECT_TRUE(answers.empty());
}

}  // namespace
}  // namespace tidegate::broker
