#include "tidegate/broker/topic_catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "support/run_task.h"
#include "tidegate/broker/server_config.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/let_others_run.h"
#include "tidegate/storage/memory/memory_engine.h"

namespace tidegate::broker {
namespace {

using ::testing::HasSubstr;

class Catalogue : public ::testing::Test {
 protected:
  void start(std::map<std::string, std::string> config = {}, unsigned shards = 3) {
    for (const auto& [name, value] : config) ASSERT_TRUE(config_.set(name, value, ConfigSource::file));
    shards_ = std::make_unique<test::ShardHarness>(shards);
    engine_ = storage::make_memory_engine({}, shards_->pool(), shards_->clock(), rng_, shards_->metrics());
    ASSERT_TRUE(shards_->run([this] { return engine_->start(); }));
    make_catalogue();
  }
  void make_catalogue() {
    topics_ = std::make_unique<TopicCatalogue>(*engine_, shards_->pool(), config_, shards_->clock(), rng_);
    topics_->count_in(topic_count_, partition_count_);
    ASSERT_TRUE(shards_->run([this] { return topics_->start(); }));
  }
  void TearDown() override {
    if (!shards_) return;
    shards_->run([this] { return engine_->stop(); });
    shards_->stop();
  }

  unsigned last() const { return shards_->pool().size() - 1; }
  std::vector<Result<CatalogueTopicPtr>> create(std::vector<NewTopic> wanted, bool validate_only = false) {
    return shards_->run([&] { return topics_->create(wanted, validate_only); }, last());
  }
  Result<CatalogueTopicPtr> create_one(NewTopic wanted, bool validate_only = false) {
    return create({std::move(wanted)}, validate_only).front();
  }
  ErrorCode error_of(NewTopic wanted) {
    const auto made = create_one(std::move(wanted));
    return made ? ErrorCode::none : made.error().code;
  }
  CatalogueTopicPtr find(std::string name, unsigned shard) {
    return shards_->call([&] { return topics_->find(name); }, shard);
  }

  SeededRng rng_{7};
  Gauge topic_count_;
  Gauge partition_count_;
  ConfigValues config_{server_config_table()};
  std::unique_ptr<test::ShardHarness> shards_;
  std::unique_ptr<storage::Engine> engine_;
  std::unique_ptr<TopicCatalogue> topics_;
};

TEST(TopicName, FollowsKafkasRule) {
  for (const char* good : {"a", "A.b_c-9", "...", "__consumer_offsets"}) {
    EXPECT_TRUE(TopicCatalogue::check_name(good)) << good;
  }
  EXPECT_TRUE(TopicCatalogue::check_name(std::string(249, 'x')));
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string("a b"), std::string("a/b"),
        std::string("ä"), std::string("a\0b", 3), std::string(250, 'x')}) {
    const auto result = TopicCatalogue::check_name(bad);
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(result.error().code, ErrorCode::invalid_topic_exception);
    EXPECT_FALSE(result.error().message.empty());
  }
}

TEST_F(Catalogue, Create_IsSeenByEveryShardWhenItReturns) {
  start();
  const auto made = create_one({.name = "t", .partitions = 4, .configs = {{"retention.ms", "5"}}});
  ASSERT_TRUE(made);
  for (unsigned shard = 0; shard <= last(); ++shard) {
    const auto found = find("t", shard);
    ASSERT_NE(found, nullptr) << shard;
    EXPECT_EQ(found->topic.partitions, 4);
    EXPECT_EQ(found->settings.log.retention_ms, 5);
    EXPECT_EQ(shards_->call([&] { return topics_->find(found->topic.id); }, shard), found);
    EXPECT_EQ(shards_->call([&] { return topics_->partition_count(); }, shard), 4U);
  }
  EXPECT_FALSE((*made)->topic.id.is_zero());
}

TEST_F(Catalogue, Refresh_TakesInWhatOthersDidToTheStore) {
  start();
  ASSERT_TRUE(create_one({.name = "stays", .partitions = 1}));
  const auto goes = create_one({.name = "goes", .partitions = 2});
  const auto grows = create_one({.name = "grows", .partitions = 2});
  ASSERT_TRUE(goes && grows);
  const auto stays = find("stays", last());
  TopicId id;
  id.bytes = {1, 2, 3};
  std::vector<std::string> told;
  const auto listen = [&] {
    topics_->listen({.added = [&](const auto& topic) { told.push_back("+" + topic->topic.name); },
                     .removed = [&](const auto& topic) { told.push_back("-" + topic->topic.name); },
                     .changed = [&](const auto& topic) { told.push_back("~" + topic->topic.name); }});
    return 0;
  };
  shards_->call(listen, last());
  auto& store = engine_->topics();
  ASSERT_TRUE(shards_->run([&] { return store.create({{.name = "new", .id = id, .partitions = 3}}); }));
  ASSERT_TRUE(shards_->run([&] { return store.remove({(*goes)->topic.id}); }).at(0));
  ASSERT_TRUE(shards_->run([&] { return store.add_partitions({{(*grows)->topic.id, 5}}); }).at(0));
  ASSERT_TRUE(shards_->run([&] { return store.set_config((*grows)->topic.id, {{"retention.ms", "5"}}); }));
  EXPECT_EQ(find("new", last()), nullptr);
  ASSERT_TRUE(shards_->run([&] { return topics_->refresh(); }, last()));
  EXPECT_EQ(told, (std::vector<std::string>{"-goes", "+new", "~grows"}));
  EXPECT_EQ(find("new", last())->topic.id, id);
  EXPECT_EQ(find("goes", last()), nullptr);
  EXPECT_EQ(find("grows", last())->topic.partitions, 5);
  EXPECT_EQ(find("grows", last())->settings.log.retention_ms, 5);
  EXPECT_EQ(find("stays", last()), stays) << "as it was";
  EXPECT_EQ(partition_count_.value(), 9);
  ASSERT_TRUE(shards_->run([&] { return topics_->refresh(); }));
  EXPECT_EQ(told.size(), 3U);
}

TEST_F(Catalogue, Gauges_FollowEveryChangeAndWhatIsLoaded) {
  start();
  using Counts = std::pair<std::int64_t, std::int64_t>;
  const auto counts = [this] { return Counts(topic_count_.value(), partition_count_.value()); };
  EXPECT_EQ(counts(), Counts(0, 0));
  const auto made = create({{.name = "a", .partitions = 2}, {.name = "b", .partitions = 3}});
  ASSERT_TRUE(made[0] && made[1]);
  EXPECT_EQ(counts(), Counts(2, 5));
  create({{.name = "c", .partitions = 7}}, true);
  EXPECT_EQ(counts(), Counts(2, 5)) << "only validated";
  ASSERT_TRUE(shards_->run([&] { return topics_->add_partitions({{"a", 6}}, false); }).at(0));
  EXPECT_EQ(counts(), Counts(2, 9));
  ASSERT_TRUE(shards_->run([&] { return topics_->remove({(*made[1])->topic.id}); }).at(0));
  EXPECT_EQ(counts(), Counts(1, 6));
  topic_count_.set(-1);
  partition_count_.set(-1);
  make_catalogue();
  EXPECT_EQ(counts(), Counts(1, 6)) << "what the engine had";
}

TEST_F(Catalogue, Create_TakesPartitionsFromTheServer) {
  start({{"num.partitions", "6"}});
  EXPECT_EQ((*create_one({.name = "t"}))->topic.partitions, 6);
}

TEST_F(Catalogue, Create_RefusesWithTheRightCode) {
  start();
  ASSERT_TRUE(create_one({.name = "a.b"}));
  EXPECT_EQ(error_of({.name = "a.b"}), ErrorCode::topic_already_exists);
  EXPECT_EQ(error_of({.name = "a_b"}), ErrorCode::invalid_topic_exception);
  EXPECT_EQ(error_of({.name = "no way"}), ErrorCode::invalid_topic_exception);
  EXPECT_EQ(error_of({.name = "t", .partitions = 0}), ErrorCode::invalid_partitions);
  EXPECT_EQ(error_of({.name = "t", .partitions = -2}), ErrorCode::invalid_partitions);
  EXPECT_EQ(error_of({.name = "t", .configs = {{"nope", "1"}}}), ErrorCode::invalid_config);
  EXPECT_EQ(error_of({.name = "t", .configs = {{"retention.ms", "x"}}}), ErrorCode::invalid_config);
  EXPECT_EQ(find("t", 0), nullptr);
}

TEST_F(Catalogue, Create_AnswersEachTopicAtItsPlace) {
  start();
  const auto made = create(
      {{.name = "a"}, {.name = "bad name"}, {.name = "b"}, {.name = "a"}, {.name = "x.y"}, {.name = "x_y"}});
  ASSERT_EQ(made.size(), 6U);
  EXPECT_EQ((*made[0])->topic.name, "a");
  EXPECT_EQ(made[1].error().code, ErrorCode::invalid_topic_exception);
  EXPECT_EQ((*made[2])->topic.name, "b");
  EXPECT_EQ(made[3].error().code, ErrorCode::topic_already_exists);
  EXPECT_TRUE(made[4]);
  EXPECT_THAT(made[5].error().message, HasSubstr("x.y"));
}

TEST_F(Catalogue, Create_ValidateOnlyMakesNothing) {
  start();
  EXPECT_TRUE(create_one({.name = "t", .partitions = 3}, true));
  EXPECT_EQ(find("t", 0), nullptr);
  EXPECT_TRUE(create_one({.name = "t"}));
  EXPECT_EQ(create_one({.name = "t"}, true).error().code, ErrorCode::topic_already_exists);
}

TEST_F(Catalogue, Create_StopsAtTheLimitOfAllPartitions) {
  start({{"max.partitions", "5"}});
  EXPECT_TRUE(create_one({.name = "a", .partitions = 3}));
  const auto made = create({{.name = "b", .partitions = 2}, {.name = "c", .partitions = 1}});
  EXPECT_TRUE(made[0]);
  EXPECT_EQ(made[1].error().code, ErrorCode::policy_violation);
  EXPECT_THAT(made[1].error().message, HasSubstr("limit is 5"));
}

TEST_F(Catalogue, Create_RefusesAWholeRequestOverItsLimit) {
  start({{"max.partitions.per.request", "4"}});
  for (const auto& result : create({{.name = "a", .partitions = 3}, {.name = "b", .partitions = 2}})) {
    EXPECT_EQ(result.error().code, ErrorCode::policy_violation);
  }
  EXPECT_EQ(find("a", 0), nullptr);
  EXPECT_TRUE(create_one({.name = "a", .partitions = 4}));
}

TEST_F(Catalogue, Remove_FreesNameAndCollisionEverywhere) {
  start();
  const auto made = create_one({.name = "a.b"});
  ASSERT_TRUE(made);
  const TopicId id = (*made)->topic.id;
  EXPECT_TRUE(shards_->run([&] { return topics_->remove({id}); }, last()).at(0));
  for (unsigned shard = 0; shard <= last(); ++shard) EXPECT_EQ(find("a.b", shard), nullptr);
  EXPECT_EQ(shards_->run([&] { return topics_->remove({id}); }, last()).at(0).error().code,
            ErrorCode::unknown_topic_id);
  const auto again = create_one({.name = "a_b"});
  ASSERT_TRUE(again);
  EXPECT_NE((*again)->topic.id, id);
  EXPECT_EQ(shards_->call([&] { return topics_->partition_count(); }, 0), 1U);
}

TEST_F(Catalogue, AddPartitions_OnlyGrows) {
  start({{"max.partitions", "10"}, {"max.partitions.per.request", "5"}});
  ASSERT_TRUE(create_one({.name = "t", .partitions = 3}));
  const auto grow = [&](std::string name, std::int32_t total, bool validate_only = false) {
    return shards_->run([&] { return topics_->add_partitions({{name, total}}, validate_only); }, last())
        .at(0);
  };
  EXPECT_EQ(grow("none", 4).error().code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(grow("t", 3).error().code, ErrorCode::invalid_partitions);
  EXPECT_EQ(grow("t", 2).error().code, ErrorCode::invalid_partitions);
  EXPECT_EQ(grow("t", -1).error().code, ErrorCode::invalid_partitions);
  EXPECT_EQ(grow("t", 9).error().code, ErrorCode::policy_violation);
  EXPECT_TRUE(grow("t", 8, true));
  EXPECT_EQ(find("t", last())->topic.partitions, 3);
  EXPECT_TRUE(grow("t", 8));
  for (unsigned shard = 0; shard <= last(); ++shard) EXPECT_EQ(find("t", shard)->topic.partitions, 8);
  EXPECT_EQ(grow("t", 11).error().code, ErrorCode::policy_violation);
}

TEST_F(Catalogue, AddPartitionsToSeveral_CountsThemTogether) {
  start({{"max.partitions", "20"}, {"max.partitions.per.request", "5"}});
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(create_one({.name = name, .partitions = 1}));
  const auto grow = [&](std::vector<TopicGrowth> growths) {
    return shards_->run([&] { return topics_->add_partitions(growths, false); }, last());
  };
  const auto grown = grow({{"a", 4}, {"none", 2}, {"b", 4}, {"a", 5}, {"c", 3}});
  ASSERT_EQ(grown.size(), 5U);
  EXPECT_TRUE(grown[0]);
  EXPECT_EQ(grown[1].error().code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(grown[2].error().code, ErrorCode::policy_violation) << "six more would be above five";
  EXPECT_EQ(grown[3].error().code, ErrorCode::invalid_request);
  EXPECT_TRUE(grown[4]);
  EXPECT_EQ(find("a", last())->topic.partitions, 4);
  EXPECT_EQ(find("b", last())->topic.partitions, 1);
  EXPECT_EQ(find("c", last())->topic.partitions, 3);
  EXPECT_TRUE(grow({}).empty());
}

// Counts how often its shard comes to it, until it is told to stop.
Task<void> count_turns(const std::atomic<bool>& stop, int& turns) {
  for (; !stop; ++turns) co_await let_others_run();
}

TEST_F(Catalogue, ThousandsInOneCall_ComeAndGoWithoutHoldingUpTheShard) {
  start();
  std::vector<NewTopic> wanted(2600);
  for (std::size_t i = 0; i < wanted.size(); ++i)
    wanted[i] = {.name = "t" + std::to_string(i), .partitions = 1};
  std::vector<TopicId> ids;
  for (const auto& made : create(wanted)) ids.push_back((*made)->topic.id);
  EXPECT_EQ(topic_count_.value(), 2600);
  ids.push_back(ids.front());
  int turns = 0;
  auto remove_watched = [&]() -> Task<std::vector<Result<void>>> {
    std::atomic<bool> stop = false;
    Shard::current()->start(count_turns(stop, turns), "watch");
    auto removed = co_await topics_->remove(ids);
    stop = true;
    co_await let_others_run();
    co_await let_others_run();
    co_return removed;
  };
  const auto removed = shards_->run(remove_watched);
  EXPECT_EQ(std::ranges::count_if(removed, [](const auto& one) { return one.has_value(); }), 2600);
  EXPECT_EQ(removed.back().error().code, ErrorCode::unknown_topic_id);
  EXPECT_GE(turns, 2600 / 500);
  EXPECT_EQ(topic_count_.value(), 0);
  for (unsigned shard = 0; shard <= last(); ++shard) {
    EXPECT_TRUE(shards_->call([&] { return topics_->list(); }, shard).empty());
  }
}

TEST_F(Catalogue, SetConfigs_ReplacesWhatTheChangeMakes) {
  start();
  ASSERT_TRUE(create_one({.name = "t", .configs = {{"retention.ms", "5"}}}));
  const auto set = [&](ConfigChange change, bool validate_only = false) {
    return shards_->run([&] { return topics_->set_configs("t", change, validate_only); }, last());
  };
  const auto add = [](TopicConfigs configs) -> Result<TopicConfigs> {
    configs["segment.ms"] = " 9 ";
    return configs;
  };
  EXPECT_TRUE(set(add, true));
  EXPECT_EQ(find("t", last())->topic.configs.size(), 1U);
  EXPECT_TRUE(set(add));
  for (unsigned shard = 0; shard <= last(); ++shard) {
    const auto topic = find("t", shard);
    EXPECT_EQ(topic->topic.configs, (TopicConfigs{{"retention.ms", "5"}, {"segment.ms", "9"}}));
    EXPECT_EQ(topic->settings.log.segment_ms, 9);
  }
  const auto refuse = [](TopicConfigs) -> Result<TopicConfigs> {
    return fail(ErrorCode::invalid_request, "no");
  };
  EXPECT_EQ(set(refuse).error().code, ErrorCode::invalid_request);
  const auto bad = [](TopicConfigs) -> Result<TopicConfigs> { return TopicConfigs{{"retention.ms", "x"}}; };
  EXPECT_EQ(set(bad).error().code, ErrorCode::invalid_config);
  EXPECT_EQ(shards_->run([&] { return topics_->set_configs("none", add, false); }, 0).error().code,
            ErrorCode::unknown_topic_or_partition);
}

TEST_F(Catalogue, AutoCreate_ByManyAtOnceMakesOneTopic) {
  start({{"num.partitions", "2"}});
  const auto made = shards_->run(
      [&]() -> Task<std::vector<TopicId>> {
        std::vector<TopicId> ids;
        std::size_t ended = 0;
        Event done;
        for (int i = 0; i < 20; ++i) {
          shards_->shard(last()).spawn(
              [](TopicCatalogue* topics, std::vector<TopicId>* out, std::size_t* count,
                 Event* event) -> Task<void> {
                auto topic = co_await topics->auto_create("wanted");
                if (topic) out->push_back((*topic)->topic.id);
                ++*count;
                event->notify_all();
              }(topics_.get(), &ids, &ended, &done),
              "auto_create");
        }
        while (ended < 20) co_await done.wait();
        co_return ids;
      },
      last());
  ASSERT_EQ(made.size(), 20U);
  for (const TopicId& id : made) EXPECT_EQ(id, made.front());
  EXPECT_EQ(shards_->call([&] { return topics_->partition_count(); }, 0), 2U);
}

TEST_F(Catalogue, AutoCreate_TellsWhyNot) {
  start({{"max.partitions", "1"}});
  const auto make = [&](std::string name) {
    return shards_->run([&] { return topics_->auto_create(name); }, last());
  };
  EXPECT_EQ(make("no way").error().code, ErrorCode::invalid_topic_exception);
  EXPECT_TRUE(make("a"));
  EXPECT_TRUE(make("a"));
  EXPECT_EQ(make("b").error().code, ErrorCode::policy_violation);
}

TEST_F(Catalogue, Listeners_HearOfRemovalAndChangeOnTheirShard) {
  start();
  std::vector<std::string> heard;
  shards_->call(
      [&] {
        topics_->listen({.removed =
                             [&](const CatalogueTopicPtr& topic) {
                               EXPECT_TRUE(shards_->shard(last()).is_current());
                               heard.push_back("removed " + topic->topic.name);
                             },
                         .changed =
                             [&](const CatalogueTopicPtr& topic) {
                               heard.push_back("changed " + topic->topic.name + " " +
                                               std::to_string(topic->topic.partitions));
                             }});
      },
      last());
  const auto made = create_one({.name = "t"});
  ASSERT_TRUE(shards_->run([&] { return topics_->add_partitions({{"t", 2}}, false); }).at(0));
  ASSERT_TRUE(shards_->run([&] { return topics_->remove({(*made)->topic.id}); }).at(0));
  EXPECT_THAT(heard, ::testing::ElementsAre("changed t 2", "removed t"));
}

TEST_F(Catalogue, Start_LoadsWhatTheEngineHasAndIgnoresForeignConfigs) {
  start();
  SeededRng rng(3);
  std::vector<storage::Topic> stored(1);
  stored.front() = {
      .name = "old.topic",
      .id = random_uuid(rng),
      .partitions = 2,
      .configs = {{"from.another.version", "1"}, {"retention.ms", "soon"}, {"segment.ms", "7"}}};
  ASSERT_TRUE(shards_->run([&] { return engine_->topics().create(stored); }));
  make_catalogue();
  const auto found = find("old.topic", last());
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->topic.configs, (TopicConfigs{{"segment.ms", "7"}}));
  EXPECT_EQ(found->settings.log.segment_ms, 7);
  EXPECT_EQ(error_of({.name = "old_topic"}), ErrorCode::invalid_topic_exception);
}

TEST_F(Catalogue, List_IsInOrderOfName) {
  start();
  create({{.name = "b"}, {.name = "a"}, {.name = "C"}});
  const auto listed = shards_->call([&] { return topics_->list(); }, last());
  std::string names;
  for (const auto& topic : listed) names += topic->topic.name + " ";
  EXPECT_EQ(names, "C a b ");
}

}  // namespace
}  // namespace tidegate::broker
