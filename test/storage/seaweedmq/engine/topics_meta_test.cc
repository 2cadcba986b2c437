// Topics and meta data: what SeaweedMQ sees of them, several gateways at once, failures on the way.
#include <algorithm>

#include "format/records.h"
#include "seaweed_rig.h"

namespace tidegate::test {
namespace {

using storage::MetaOp;

TopicId id_of(std::uint8_t n) {
  TopicId id;
  id.bytes = {1, n};
  return id;
}

Result<void> change(SeaweedRig& rig, std::function<Task<Result<void>>()> fn) {
  return rig.shards().run(std::move(fn));
}

Result<void> change_one(SeaweedRig& rig, std::function<Task<std::vector<Result<void>>>()> fn) {
  return rig.shards().run(std::move(fn)).at(0);
}

TEST(SeaweedTopics, SeaweedSeesThemAndTheirReserve) {
  SeaweedRig rig;
  auto gateway = rig.gateway();
  ASSERT_TRUE(gateway->make_topic(3));
  const auto conf = seaweed::parse_topic_conf(rig.cluster.entry("/topics/kafka/topic/topic.conf")->content);
  ASSERT_TRUE(conf);
  EXPECT_EQ(conf->slots, 64);
  ASSERT_TRUE(gateway->append_values({"x"}, 1));
  EXPECT_TRUE(rig.log_files().at(0).starts_with(
      seaweed::paths::partition_dir("topic", conf->generation_ns, seaweed::ring_range(1, 64)) + "/"));
  EXPECT_TRUE(rig.log_files().at(0).find("/0039-0078/") != std::string::npos);
  auto grow = [&](std::int32_t to) {
    return change_one(rig, [&, to] { return gateway->engine().topics().add_partitions({{kTopicId, to}}); });
  };
  EXPECT_TRUE(grow(64));
  const auto refused = grow(65);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_partitions);
  EXPECT_NE(refused.error().message.find("64"), std::string::npos);
  EXPECT_EQ(gateway->make_topic(2521, id_of(1), "wide").error().code, ErrorCode::invalid_partitions);
  EXPECT_TRUE(gateway->make_topic(2520, id_of(2), "widest"));
  gateway->housekeeping();
  const auto checkpoint =
      rig.cluster.entry("/topics/kafka/topic/" + seaweed::paths::version_name(conf->generation_ns) +
                        "/0039-0078/checkpoint.offset");
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(seaweed::parse_checkpoint(checkpoint->content), 0);
}

TEST(SeaweedTopics, MadeAnewAtOnce_HasADirectoryOfItsOwn_AndTheOldOneGoes) {
  SeaweedRig rig;
  auto gateway = rig.gateway();
  for (std::uint8_t i = 0; i < 4; ++i) {
    const TopicId id = i == 3 ? kTopicId : id_of(i);
    ASSERT_TRUE(gateway->make_topic(1, id));
    if (i == 3) break;
    auto log = rig.shards().run([&] { return gateway->engine().partition({id, 0}, {}); });
    ASSERT_TRUE(log);
    auto appended =
        rig.shards().run([&] { return (*log)->append((*log)->leader_epoch(), list(batch_of({"old"}))); });
    ASSERT_TRUE(appended);
    ASSERT_TRUE(change_one(rig, [&] { return gateway->engine().topics().remove({id}); }));
    EXPECT_FALSE(rig.cluster.entry("/topics/kafka/topic/topic.conf")) << "SeaweedMQ's tools do not see it";
  }
  EXPECT_EQ(rig.log_files().size(), 3U) << "each in a version directory of its own";
  ASSERT_TRUE(gateway->append_values({"new"}));
  EXPECT_EQ(gateway->values(), Values{"new"});
  gateway->housekeeping();
  EXPECT_EQ(rig.log_files().size(), 1U);
  EXPECT_EQ(rig.cluster.needles(), 1U);
  EXPECT_EQ(gateway->values(), Values{"new"});
  ASSERT_TRUE(change_one(rig, [&] { return gateway->engine().topics().remove({kTopicId}); }));
  gateway->housekeeping();
  EXPECT_TRUE(rig.cluster.paths("/topics/kafka/topic").empty());
  EXPECT_FALSE(rig.cluster.entry("/topics/kafka/topic")) << "the empty directory goes too";
  EXPECT_TRUE(rig.cluster.paths("/topics/kafka/.meta/topics/").empty());
  EXPECT_EQ(rig.cluster.needles(), 0U);
}

TEST(SeaweedTopics, TopicsOfSeaweed_AreNotWrittenOver) {
  SeaweedRig rig;
  seaweed::Entry conf;
  conf.content = seaweed::encode_topic_conf({.slots = 4, .generation_ns = 5});
  rig.cluster.set_entry("/topics/kafka/theirs/topic.conf", conf);
  auto gateway = rig.gateway();
  EXPECT_EQ(gateway->make_topic(1, id_of(1), "theirs").error().code, ErrorCode::topic_already_exists);
  EXPECT_EQ(rig.cluster.entry("/topics/kafka/theirs/topic.conf")->content, conf.content);
}

TEST(SeaweedTopics, RecordThatCannotBeRead_IsNamedAndHoldsUpNoOther) {
  SeaweedRig rig;
  auto gateway = rig.gateway(true);
  ASSERT_TRUE(gateway->make_topic(1, id_of(1), "other"));
  ASSERT_TRUE(gateway->append_values({"x"}));
  const std::string path = "/topics/kafka/.meta/topics/topic";
  const auto good = *rig.cluster.entry(path);
  auto bad = good;
  bad.content.resize(bad.content.size() / 2);
  rig.cluster.set_entry(path, bad);
  const auto names = [&](Gateway& of) {
    const auto listed = rig.shards().run([&] { return of.engine().topics().list(); });
    EXPECT_TRUE(listed);
    std::vector<std::string> all;
    for (const auto& topic : listed.value_or(std::vector<storage::Topic>())) all.push_back(topic.name);
    std::ranges::sort(all);
    return all;
  };
  EXPECT_EQ(names(*gateway), (std::vector<std::string>{"other", "topic"})) << "it was seen before";
  EXPECT_EQ(gateway->values(), Values{"x"});

  auto next = rig.gateway();
  EXPECT_EQ(names(*next), std::vector<std::string>{"other"});
  EXPECT_FALSE(next->make_topic(1, id_of(2), "topic")) << "its data are somebody's";
  next->housekeeping();
  EXPECT_EQ(rig.cluster.entry(path)->content, bad.content);
  EXPECT_EQ(rig.log_files().size(), 1U);
  rig.cluster.set_entry(path, good);
  EXPECT_EQ(names(*next), (std::vector<std::string>{"other", "topic"}));
  gateway->stop();
  EXPECT_EQ(next->values(), Values{"x"});
}

TEST(SeaweedTopics, CreationThatFailsHalfWay_IsUndone) {
  SeaweedRig rig;
  auto gateway = rig.gateway();
  rig.cluster.set_script([](const SeaweedCall& call) {
    return call.path == "/topics/kafka/b/topic.conf" && call.op == SeaweedOp::transact
               ? SeaweedFault::error_before
               : SeaweedFault::none;
  });
  const auto failed = change(rig, [&] {
    return gateway->engine().topics().create({{.name = "a", .id = id_of(1)}, {.name = "b", .id = id_of(2)}});
  });
  EXPECT_EQ(failed.error().code, ErrorCode::kafka_storage_error);
  auto listed = rig.shards().run([&] { return gateway->engine().topics().list(); });
  EXPECT_TRUE(listed->empty());
  rig.cluster.set_script({});
  EXPECT_TRUE(gateway->make_topic(1, id_of(3), "a"));
  EXPECT_TRUE(gateway->make_topic(1, id_of(4), "b"));
}

TEST(SeaweedTopics, LostAnswers_ChangeOnce) {
  for (int call = 1; call <= 2; ++call) {
    SeaweedRig rig;
    auto gateway = rig.gateway();
    rig.cluster.strike(SeaweedOp::transact, SeaweedFault::error_after, call);
    EXPECT_TRUE(gateway->make_topic(2));
    rig.cluster.strike(SeaweedOp::transact, SeaweedFault::error_after);
    EXPECT_TRUE(change_one(rig, [&] { return gateway->engine().topics().add_partitions({{kTopicId, 3}}); }));
    auto listed = rig.shards().run([&] { return gateway->engine().topics().list(); });
    ASSERT_EQ(listed->size(), 1U);
    EXPECT_EQ(listed->at(0).partitions, 3);
  }
}

TEST(SeaweedTopics, SeveralGateways_AgreeOnNamesAndCluster) {
  SeaweedRig rig;
  auto one = rig.gateway();
  auto two = rig.gateway();
  EXPECT_EQ(one->engine().cluster_id(), two->engine().cluster_id());
  EXPECT_TRUE(one->make_topic(1, id_of(1)));
  EXPECT_EQ(two->make_topic(1, id_of(2)).error().code, ErrorCode::topic_already_exists);
  EXPECT_EQ(change_one(rig, [&] { return two->engine().topics().remove({id_of(1)}); }).error().code,
            ErrorCode::unknown_topic_id)
      << "not seen yet";
  ASSERT_EQ(rig.shards().run([&] { return two->engine().topics().list(); })->size(), 1U);
  EXPECT_TRUE(change_one(rig, [&] { return two->engine().topics().remove({id_of(1)}); }));
  EXPECT_EQ(change(rig, [&] { return one->engine().topics().set_config(id_of(1), {}); }).error().code,
            ErrorCode::unknown_topic_id);
}

// ---------------------------------------------------------------------------------------- meta store

Result<void> put(SeaweedRig& rig, Gateway& gateway, std::string scope, std::vector<MetaOp> ops,
                 std::int32_t epoch = 0) {
  return change(rig, [&] {
    return gateway.engine().meta().put_batch(scope, epoch, ops, storage::MetaDurability::synced);
  });
}
std::optional<std::string> get(SeaweedRig& rig, Gateway& gateway, std::string scope, std::string key) {
  auto found = rig.shards().run([&] { return gateway.engine().meta().get(scope, key); });
  EXPECT_TRUE(found) << found.error().message;
  return found.value_or(std::nullopt);
}
MetaOp op(std::string key, std::string value) { return {.key = std::move(key), .value = std::move(value)}; }

TEST(SeaweedMeta, WritersOfSeveralGateways_LoseNothing) {
  SeaweedRig rig;
  auto one = rig.gateway();
  auto two = rig.gateway();
  for (int i = 0; i < 20; ++i) {
    auto& writer = i % 2 == 0 ? *one : *two;
    ASSERT_TRUE(put(rig, writer, "group/g", {op("k" + std::to_string(i), "v")}));
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get(rig, *one, "group/g", "k" + std::to_string(i)), "v");
  ASSERT_TRUE(put(rig, *two, "group/g", {op("k0", "two")}, 5));
  EXPECT_EQ(put(rig, *one, "group/g", {op("k0", "one")}, 4).error().code, ErrorCode::not_coordinator);
  EXPECT_EQ(get(rig, *one, "group/g", "k0"), "two");
}

TEST(SeaweedMeta, UnknownFate_IsWrittenOnceOrFails) {
  for (const auto fault : {SeaweedFault::error_after, SeaweedFault::error_before, SeaweedFault::refused,
                           SeaweedFault::error_late}) {
    SeaweedRig rig;
    auto gateway = rig.gateway();
    ASSERT_TRUE(put(rig, *gateway, "s", {op("k", "before")}));
    rig.cluster.strike(SeaweedOp::transact, fault);
    EXPECT_TRUE(put(rig, *gateway, "s", {op("k", "after")}));
    EXPECT_EQ(rig.cluster.release_late(), 0);
    EXPECT_EQ(get(rig, *gateway, "s", "k"), "after");
  }
  SeaweedRig rig;
  auto gateway = rig.gateway();
  ASSERT_TRUE(put(rig, *gateway, "s", {op("k", "before")}));
  rig.cluster.strike(SeaweedOp::transact, SeaweedFault::error_before, 1, 1000);
  EXPECT_EQ(put(rig, *gateway, "s", {op("k", "after")}).error().code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(get(rig, *gateway, "s", "k"), "before");
}

TEST(SeaweedMeta, LongNamesAndLargeScopes_HaveLimits) {
  SeaweedRig rig;
  auto gateway = rig.gateway();
  const std::string base = "group/" + std::string(300, 'x');
  ASSERT_TRUE(put(rig, *gateway, base + "1", {op("k", "one")}));
  ASSERT_TRUE(put(rig, *gateway, base + "2", {op("k", "two")}));
  EXPECT_EQ(get(rig, *gateway, base + "1", "k"), "one");
  EXPECT_EQ(get(rig, *gateway, base + "2", "k"), "two");
  EXPECT_EQ(get(rig, *gateway, base, "k"), std::nullopt);
  auto found = rig.shards().run([&] { return gateway->engine().meta().scopes("group/", "", 10); });
  EXPECT_EQ(found->size(), 2U);
  for (const auto& path : rig.cluster.paths("/topics/kafka/.meta/scopes/")) EXPECT_LT(path.size(), 260U);
  ASSERT_TRUE(put(rig, *gateway, "big", {op("small", "kept")}));
  EXPECT_EQ(put(rig, *gateway, "big", {op("k", std::string(5U << 20, 'x'))}).error().code,
            ErrorCode::kafka_storage_error);
  EXPECT_EQ(get(rig, *gateway, "big", "small"), "kept");
  EXPECT_EQ(get(rig, *gateway, "big", "k"), std::nullopt);
}

TEST(SeaweedMeta, PutThatDoesNotFit_LeavesThoseBesideItAlone) {
  SeaweedRig rig;
  auto gateway = rig.gateway();
  ASSERT_TRUE(put(rig, *gateway, "s", {op("a", "1"), op("b", "2"), op("c", "3")}));
  // They wait for the one in front, and become one write.
  rig.cluster.hold(SeaweedOp::transact);
  auto results = std::make_shared<std::vector<std::optional<ErrorCode>>>(4);
  static constexpr auto one = [](storage::MetaStore* meta, std::vector<MetaOp> ops, std::size_t at,
                                 std::shared_ptr<std::vector<std::optional<ErrorCode>>> to) -> Task<void> {
    const auto done = co_await meta->put_batch("s", 0, std::move(ops), storage::MetaDurability::synced);
    to->at(at) = done ? ErrorCode::none : done.error().code;
  };
  const MetaOp erase_b{.kind = MetaOp::Kind::erase, .key = "b", .value = {}};
  const std::vector<std::vector<MetaOp>> puts{
      {op("front", "x")},
      {op("a", "before")},
      {op("a", "never"), erase_b, op("new", "never"), op("a", std::string(5U << 20, 'x')), op("c", "never")},
      {op("c", "behind"), op("b", "4")}};
  for (std::size_t i = 0; i < puts.size(); ++i) {
    rig.shards().shard().spawn(one(&gateway->engine().meta(), puts[i], i, results), "put");
    while (i == 0 && rig.cluster.held() == 0) rig.shards().settle();
  }
  rig.shards().settle();
  rig.cluster.stop_holding();
  rig.cluster.resume_held();
  while (!rig.shards().call([results] { return results->at(1) && results->at(2) && results->at(3); })) {
  }
  EXPECT_EQ(results->at(1), ErrorCode::none);
  EXPECT_EQ(results->at(2), ErrorCode::kafka_storage_error);
  EXPECT_EQ(results->at(3), ErrorCode::none);
  EXPECT_EQ(get(rig, *gateway, "s", "a"), "before");
  EXPECT_EQ(get(rig, *gateway, "s", "b"), "4");
  EXPECT_EQ(get(rig, *gateway, "s", "c"), "behind");
  EXPECT_EQ(get(rig, *gateway, "s", "new"), std::nullopt);
}

TEST(SeaweedMeta, DamagedScope_IsNamedAndCanBeErased_AndTheOthersAreRead) {
  SeaweedRig rig;
  auto gateway = rig.gateway();
  const std::string cut = "group/" + std::string(300, 'x');
  for (const std::string& scope :
       {std::string("group/a"), std::string("group/b"), std::string("group/c"), cut})
    ASSERT_TRUE(put(rig, *gateway, scope, {op("k", "v")}));
  for (const std::string& path : rig.cluster.paths("/topics/kafka/.meta/scopes/")) {
    if (!path.ends_with("b") && path.find("~~") == std::string::npos) continue;
    auto entry = *rig.cluster.entry(path);
    entry.content.resize(entry.content.size() / 2);
    rig.cluster.set_entry(path, entry);
  }
  auto& meta = gateway->engine().meta();
  const auto scopes = [&](std::string after = "") {
    return rig.shards().run([&] { return meta.scopes("group/", after, 10); }).value();
  };
  EXPECT_EQ(scopes(), (std::vector<std::string>{"group/a", "group/b", "group/c"}))
      << "a name that was cut tells nothing";
  EXPECT_EQ(scopes("group/b"), (std::vector<std::string>{"group/c"}));
  EXPECT_EQ(rig.shards().run([&] { return meta.get("group/b", "k"); }).error().code,
            ErrorCode::corrupt_message);
  EXPECT_EQ(rig.shards().run([&] { return meta.scan("group/b", "", "", 9); }).error().code,
            ErrorCode::corrupt_message);
  EXPECT_EQ(put(rig, *gateway, "group/b", {op("k", "new")}).error().code, ErrorCode::corrupt_message);
  const auto erase = [&](std::string scope) {
    return rig.shards().run([&] { return meta.erase_damaged(scope); });
  };
  EXPECT_EQ(erase("group/a").error().code, ErrorCode::invalid_request);
  EXPECT_EQ(erase("group/none").error().code, ErrorCode::invalid_request);
  EXPECT_TRUE(erase("group/b"));
  EXPECT_TRUE(erase(cut));
  EXPECT_TRUE(put(rig, *gateway, "group/b", {op("k", "new")}));
  EXPECT_EQ(get(rig, *gateway, "group/b", "k"), "new");
  EXPECT_EQ(get(rig, *gateway, "group/a", "k"), "v");
}

TEST(SeaweedStart, TtlThatComesLater_IsSaidInHealthUntilItIsGone) {
  SeaweedRig rig;
  auto gateway = rig.gateway(true);
  gateway->housekeeping();
  EXPECT_TRUE(gateway->engine().health().ready);
  seaweed::Entry rules;
  rules.content = R"({"version": 1, "locations": [{"locationPrefix": "/topics/", "ttl": "7d"}]})";
  rig.cluster.set_entry("/etc/seaweedfs/filer.conf", rules);
  gateway->housekeeping();
  EXPECT_FALSE(gateway->engine().health().ready);
  EXPECT_NE(gateway->engine().health().reason.find("TTL of 7d"), std::string::npos);
  EXPECT_TRUE(gateway->append_values({"x"})) << "it goes on: stopping would save nothing";
  rig.cluster.strike(SeaweedOp::lookup, SeaweedFault::error_before);
  gateway->housekeeping();
  EXPECT_FALSE(gateway->engine().health().ready) << "nobody knows better";
  rig.cluster.drop_entry("/etc/seaweedfs/filer.conf");
  gateway->housekeeping();
  EXPECT_TRUE(gateway->engine().health().ready);
}

TEST(SeaweedStart, UnreachableFiler_IsSaidInHealth) {
  SeaweedRig rig;
  rig.cluster.set_script([](const SeaweedCall&) { return SeaweedFault::error_before; });
  SeededRng rng(1);
  Gateway gateway(rig.shards(), rig.cluster, rig.options, rng);
  EXPECT_FALSE(gateway.start());
  EXPECT_FALSE(gateway.engine().health().ready);
  EXPECT_FALSE(gateway.engine().health().reason.empty());
}

}  // namespace
}  // namespace tidegate::test
