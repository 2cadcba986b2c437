// The registry client against a scripted transport and a clock that the test turns.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "support/run_task.h"
#include "support/scripted_registry.h"
#include "tidegate/schema/registry.h"

namespace tidegate::schema {
namespace {

using namespace std::chrono_literals;
using test::http_error;
using test::http_failure;
using test::http_ok;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kVersionsOf7 = "/schemas/ids/7/versions?deleted=true";

class RegistryTest : public ::testing::Test {
 protected:
  void make(RegistryOptions options = {}) {
    if (options.urls.empty()) options.urls = {"http://a"};
    registry =
        std::make_unique<Registry>(std::move(options), std::make_unique<test::ScriptedTransport>(script),
                                   shards.shard(0), blocking, shards.clock(), rng, shards.metrics());
  }
  ~RegistryTest() override { shards.stop(); }

  MembershipAnswer ask(std::string subject, std::int32_t id) {
    return shards.run([&] { return registry->membership(subject, id); }, 1);
  }
  Membership member(std::string subject, std::int32_t id) { return ask(std::move(subject), id).membership; }
  // Starts a look-up whose end needs the clock.
  std::future<MembershipAnswer> begin(std::string subject, std::int32_t id) {
    auto done = std::make_shared<std::promise<MembershipAnswer>>();
    auto future = done->get_future();
    shards.shard(0).spawn(tell(registry.get(), std::move(subject), id, done), "test");
    shards.settle();
    return future;
  }
  static Task<void> tell(Registry* of, std::string subject, std::int32_t id,
                         std::shared_ptr<std::promise<MembershipAnswer>> done) {
    done->set_value(co_await of->membership(std::move(subject), id));
  }
  // Turns the clock until the look-up has ended; how long that took.
  Duration finish(std::future<MembershipAnswer>& future, MembershipAnswer& answer) {
    Duration passed{};
    while (future.wait_for(0s) != std::future_status::ready && passed < 60s) {
      shards.advance(10ms);
      shards.settle();
      passed += 10ms;
    }
    if (passed < 60s) answer = future.get();
    return passed;
  }
  double metric(const std::string& name, const std::string& label = "") {
    double sum = 0;
    for (const auto& family : shards.metrics().collect()) {
      if (family.name != name) continue;
      for (const auto& sample : family.samples) {
        bool match = label.empty();
        for (const auto& [key, value] : sample.labels) match = match || value == label;
        if (match) sum += sample.value;
      }
    }
    return sum;
  }

  test::ShardHarness shards{2};
  BlockingPool blocking{BlockingPoolOptions{}, shards.metrics()};
  SeededRng rng{1};
  std::shared_ptr<test::RegistryScript> script = std::make_shared<test::RegistryScript>();
  std::unique_ptr<Registry> registry;
};

TEST_F(RegistryTest, Membership_IsAskedOnceAndRememberedForEverySubjectOfTheId) {
  make();
  script->id_of(7, {"a-value", "b-value"});
  EXPECT_EQ(member("a-value", 7), Membership::registered);
  EXPECT_EQ(member("a-value", 7), Membership::registered);
  EXPECT_EQ(member("b-value", 7), Membership::registered);
  EXPECT_EQ(script->asked().size(), 1U);
  EXPECT_EQ(script->asked()[0].url, "http://a/schemas/ids/7/versions?deleted=true");
  shards.advance(24h);
  EXPECT_EQ(member("a-value", 7), Membership::registered) << "what an id means never changes";
  EXPECT_EQ(script->asked().size(), 1U);
  EXPECT_EQ(metric("tidegate_schema_cache_lookups_total", "hit"), 3);
  EXPECT_EQ(metric("tidegate_schema_cache_lookups_total", "miss"), 1);
}

TEST_F(RegistryTest, OtherSubjectAndUnknownId_AreAskedAgainAfterTheirTime) {
  make();
  script->id_of(7, {"b-value"});
  EXPECT_EQ(member("a-value", 7), Membership::other_subject);
  EXPECT_EQ(member("a-value", 7), Membership::other_subject);
  EXPECT_EQ(member("a-value", 8), Membership::unknown_id);
  EXPECT_EQ(member("c-value", 8), Membership::unknown_id) << "of every subject";
  EXPECT_EQ(script->asked().size(), 2U);
  script->id_of(7, {"b-value", "a-value"});
  script->id_of(8, {"a-value"});
  shards.advance(4999ms);
  EXPECT_EQ(member("a-value", 7), Membership::other_subject);
  EXPECT_EQ(member("a-value", 8), Membership::unknown_id);
  shards.advance(2ms);
  EXPECT_EQ(member("a-value", 7), Membership::registered);
  EXPECT_EQ(member("a-value", 8), Membership::registered);
}

TEST_F(RegistryTest, NegativeId_IsUnknownWithoutAQuestion) {
  make();
  EXPECT_EQ(member("a-value", -1), Membership::unknown_id);
  EXPECT_TRUE(script->asked().empty());
}

TEST_F(RegistryTest, ManyAtOnce_AreOneRequest) {
  make();
  script->id_of(7, {"a-value"});
  script->held = true;
  std::vector<std::future<MembershipAnswer>> futures;
  for (int i = 0; i < 50; ++i) futures.push_back(begin(i % 2 == 0 ? "a-value" : "b-value", 7));
  EXPECT_EQ(script->asked().size(), 1U);
  EXPECT_EQ(metric("tidegate_schema_registry_shared_requests_total"), 49);
  shards.call([&] {
    script->held = false;
    script->released.notify_all();
  });
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(futures[static_cast<std::size_t>(i)].get().membership,
              i % 2 == 0 ? Membership::registered : Membership::other_subject);
  }
  EXPECT_EQ(script->asked().size(), 1U);
}

TEST_F(RegistryTest, Failures_AreTriedAgainWithPausesThenUnavailable) {
  make();
  for (const auto& failure : {http_error(500, 50001), http_error(429, 42901), http_error(408, 408),
                              http_ok("<html>"), http_ok("{\"subject\":"), http_ok("[{\"version\":1}]"),
                              http_failure(), http_failure(HttpReply::Failure::too_large)}) {
    make();  // breakers anew
    script->replace(kVersionsOf7, failure);
    const std::size_t before = script->asked().size();
    auto future = begin("a-value", 7);
    MembershipAnswer answer{Membership::registered, {}};
    const Duration took = finish(future, answer);
    EXPECT_EQ(answer.membership, Membership::unavailable) << failure.body;
    EXPECT_FALSE(answer.problem.empty());
    EXPECT_EQ(script->asked().size() - before, 3U) << failure.body;
    EXPECT_GE(took, 100ms);
    EXPECT_LE(took, 2100ms);
  }
}

TEST_F(RegistryTest, FailureThatPasses_IsNotSeen) {
  make();
  script->answer(kVersionsOf7, http_error(503, 50301));
  script->answer(kVersionsOf7, http_ok("not json"));
  script->answer(kVersionsOf7, http_ok(R"([{"subject":"a-value","version":3}])"));
  auto future = begin("a-value", 7);
  MembershipAnswer answer;
  finish(future, answer);
  EXPECT_EQ(answer.membership, Membership::registered);
}

TEST_F(RegistryTest, Refusals_AreNotTriedAgainAndLeaveTheBreakerAlone) {
  make();
  int asked = 0;
  for (const auto& refusal : {http_error(401, 40101, "who are you"), http_error(403, 40301),
                              http_error(404, 0), HttpReply{.status = 404, .body = "<html>", .problem = {}},
                              HttpReply{.status = 302, .body = "", .problem = {}}}) {
    for (int i = 0; i < 10; ++i) {
      script->replace(kVersionsOf7, refusal);
      EXPECT_EQ(member("a-value", 7), Membership::unavailable);
      EXPECT_EQ(script->asked().size(), static_cast<std::size_t>(++asked));
    }
  }
  script->replace(kVersionsOf7, http_error(401, 40101, "who are you"));
  EXPECT_THAT(ask("a-value", 7).problem, HasSubstr("who are you"));
}

TEST_F(RegistryTest, RetryAfter_IsWaitedForUnlessItIsTooLong) {
  make();
  auto slow_down = http_error(429, 42901);
  slow_down.retry_after = 2s;
  script->answer(kVersionsOf7, slow_down);
  script->answer(kVersionsOf7, http_ok(R"([{"subject":"a-value","version":3}])"));
  auto future = begin("a-value", 7);
  MembershipAnswer answer;
  const Duration took = finish(future, answer);
  EXPECT_EQ(answer.membership, Membership::registered);
  EXPECT_GE(took, 2s);
  slow_down.retry_after = 10s;
  script->replace("/schemas/ids/8/versions?deleted=true", slow_down);
  EXPECT_EQ(member("a-value", 8), Membership::unavailable)
      << "at once: it would be past the time for a look-up";
}

TEST_F(RegistryTest, Reconfigured_AsksOtherUrlsAndKeepsWhatItKnows) {
  make();
  script->id_of(7, {"a-value"});
  script->id_of(8, {"a-value"});
  script->id_of(9, {"a-value"});
  EXPECT_EQ(member("a-value", 7), Membership::registered);
  script->held = true;
  auto under_way = begin("a-value", 8);
  shards.call([&] {
    registry->reconfigure({.urls = {"http://b"}}, std::make_unique<test::ScriptedTransport>(script));
  });
  auto behind = begin("a-value", 9);
  shards.call([&] {
    script->held = false;
    script->released.notify_all();
  });
  EXPECT_EQ(under_way.get().membership, Membership::registered) << "ends as it began";
  EXPECT_EQ(behind.get().membership, Membership::registered);
  EXPECT_EQ(member("a-value", 7), Membership::registered);
  std::vector<std::string> urls;
  for (const auto& request : script->asked()) urls.push_back(request.url.substr(0, 9));
  EXPECT_THAT(urls, ElementsAre("http://a/", "http://a/", "http://b/"));
  const auto state = shards.call([&] { return registry->state(); });
  ASSERT_EQ(state.endpoints.size(), 1U);
  EXPECT_EQ(state.endpoints[0].url, "http://b");
}

TEST_F(RegistryTest, BaseUrls_AreTriedInOrderWithAShareOfTheTime) {
  make({.urls = {"http://a", "http://b", "http://c"}});
  script->answer("http://a" + std::string(kVersionsOf7), http_failure());
  script->answer("http://b" + std::string(kVersionsOf7), http_ok(R"([{"subject":"a-value","version":3}])"));
  EXPECT_EQ(member("a-value", 7), Membership::registered);
  const auto asked = script->asked();
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[0].timeout, 1s);
  EXPECT_EQ(asked[1].timeout, 1500ms);
  EXPECT_EQ(asked[0].connect_timeout, 1s);
}

TEST_F(RegistryTest, Breaker_OpensAfterFailuresProbesAndCloses) {
  make({.tries = 1});
  script->otherwise(http_failure());
  for (std::int32_t id = 1; id <= 5; ++id) EXPECT_EQ(member("a-value", id), Membership::unavailable);
  EXPECT_EQ(script->asked().size(), 5U);
  EXPECT_EQ(metric("tidegate_schema_registry_breakers_open"), 1);
  EXPECT_EQ(member("a-value", 6), Membership::unavailable);
  EXPECT_EQ(script->asked().size(), 5U) << "left alone";
  shards.advance(2s);
  EXPECT_EQ(member("a-value", 6), Membership::unavailable);
  EXPECT_EQ(member("a-value", 7), Membership::unavailable);
  EXPECT_EQ(script->asked().size(), 6U) << "one probe in each interval";
  script->id_of(7, {"a-value"});
  shards.advance(2s);
  EXPECT_EQ(member("a-value", 7), Membership::registered) << "back within the window, without a restart";
  EXPECT_EQ(metric("tidegate_schema_registry_breakers_open"), 0);
  script->otherwise(http_error(404, 40403));
  EXPECT_EQ(member("a-value", 8), Membership::unknown_id);
}

TEST_F(RegistryTest, CachedIds_WorkWhileTheRegistryIsAway) {
  make({.tries = 1});
  script->id_of(7, {"a-value"});
  EXPECT_EQ(member("a-value", 7), Membership::registered);
  script->replace(kVersionsOf7, http_failure());
  script->otherwise(http_failure());
  for (std::int32_t id = 100; id < 120; ++id) EXPECT_EQ(member("a-value", id), Membership::unavailable);
  EXPECT_EQ(member("a-value", 7), Membership::registered);
}

TEST_F(RegistryTest, HungRegistry_TakesTwoRequestsAndTheTimeOfALookUp) {
  make({.tries = 1});
  script->held = true;
  std::vector<std::future<MembershipAnswer>> futures;
  for (std::int32_t id = 0; id < 10; ++id) futures.push_back(begin("a-value", id));
  EXPECT_EQ(script->asked().size(), 2U);
  shards.advance(3001ms);
  shards.settle();
  for (std::size_t i = 2; i < 10; ++i) {
    ASSERT_EQ(futures[i].wait_for(10s), std::future_status::ready);
    const auto answer = futures[i].get();
    EXPECT_EQ(answer.membership, Membership::unavailable);
    EXPECT_THAT(answer.problem, HasSubstr("time"));
  }
  shards.call([&] {
    script->held = false;
    script->released.notify_all();
  });
  EXPECT_EQ(futures[0].get().membership, Membership::unknown_id);
  EXPECT_EQ(futures[1].get().membership, Membership::unknown_id);
}

TEST_F(RegistryTest, UnknownIds_AreLimitedBySubject) {
  make({.unknown_ids_per_second = 5});
  for (std::int32_t id = 0; id < 5; ++id) EXPECT_EQ(member("a-value", id), Membership::unknown_id);
  EXPECT_EQ(member("a-value", 5), Membership::unavailable);
  EXPECT_EQ(script->asked().size(), 5U);
  EXPECT_EQ(member("b-value", 5), Membership::unknown_id) << "another topic is not held up";
  shards.advance(200ms);
  EXPECT_EQ(member("a-value", 6), Membership::unknown_id);
}

TEST_F(RegistryTest, SubjectCache_ForgetsTheLeastRecentlyUsed) {
  make({.subject_cache_entries = 2});
  for (std::int32_t id = 1; id <= 3; ++id) script->id_of(id, {"s"});
  EXPECT_EQ(member("s", 1), Membership::registered);
  EXPECT_EQ(member("s", 2), Membership::registered);
  EXPECT_EQ(member("s", 1), Membership::registered);
  EXPECT_EQ(member("s", 3), Membership::registered);
  EXPECT_EQ(metric("tidegate_schema_cache_evictions_total"), 1);
  EXPECT_EQ(script->asked().size(), 3U);
  EXPECT_EQ(member("s", 1), Membership::registered);
  EXPECT_EQ(script->asked().size(), 3U);
  EXPECT_EQ(member("s", 2), Membership::registered);
  EXPECT_EQ(script->asked().size(), 4U);
}

TEST_F(RegistryTest, Schema_HasTypeTextAndReferences) {
  make();
  script->answer("/schemas/ids/3", http_ok(R"({"schema":"\"string\"","references":[]})"));
  script->answer("/schemas/ids/4", http_ok(
                                       R"({"schema":"syntax = \"proto3\";","schemaType":"PROTOBUF",
          "references":[{"name":"a.proto","subject":"a","version":2}]})"));
  const auto schema = [&](std::int32_t id) { return shards.run([&] { return registry->schema(id); }, 1); };
  auto avro = schema(3);
  ASSERT_TRUE(avro.schema) << avro.problem;
  EXPECT_EQ(avro.schema->type, SchemaType::avro);
  EXPECT_EQ(avro.schema->text, "\"string\"");
  auto proto = schema(4);
  ASSERT_TRUE(proto.schema) << proto.problem;
  EXPECT_EQ(proto.schema->type, SchemaType::protobuf);
  ASSERT_EQ(proto.schema->references.size(), 1U);
  EXPECT_EQ(proto.schema->references[0].subject, "a");
  EXPECT_EQ(proto.schema->references[0].version, 2);
  schema(3);
  EXPECT_EQ(script->asked().size(), 2U);
  EXPECT_TRUE(schema(5).unknown_id);
  schema(5);
  EXPECT_EQ(script->asked().size(), 3U);
}

TEST_F(RegistryTest, Schema_ThatIsNoneIsUnavailable) {
  for (const char* body :
       {"{}", "[]", "7", R"({"schema":7})", R"({"schema":"x","schemaType":"XML"})",
        R"({"schema":"x","references":7})", R"({"schema":"x","references":[{"name":"n"}]})",
        R"({"schema":"x","references":[{"name":"n","subject":"s","version":4294967298}]})",
        "[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]"}) {
    make({.tries = 1});
    script->replace("/schemas/ids/3", http_ok(body));
    const auto answer = shards.run([&] { return registry->schema(3); }, 1);
    EXPECT_FALSE(answer.schema) << body;
    EXPECT_FALSE(answer.unknown_id);
    EXPECT_FALSE(answer.problem.empty());
  }
}

TEST_F(RegistryTest, SchemaCache_IsBoundedByBytes) {
  make({.schema_cache_bytes = 2600});
  const std::string text(1000, ' ');
  for (int id = 1; id <= 3; ++id) {
    script->answer("/schemas/ids/" + std::to_string(id), http_ok("{\"schema\":\"" + text + "\"}"));
  }
  script->answer("/schemas/ids/4", http_ok("{\"schema\":\"" + std::string(3000, ' ') + "\"}"));
  for (std::int32_t id : {1, 2, 3, 4}) {
    EXPECT_TRUE(shards.run([&] { return registry->schema(id); }, 0).schema);
  }
  EXPECT_EQ(registry->cached_schema(1), nullptr);
  EXPECT_NE(registry->cached_schema(2), nullptr);
  EXPECT_NE(registry->cached_schema(3), nullptr);
  EXPECT_EQ(registry->cached_schema(4), nullptr) << "larger than all of the cache";
  const auto state = shards.call([&] { return registry->state(); });
  EXPECT_EQ(state.cached_schemas, 2U);
  EXPECT_LE(state.cached_schema_bytes, 2600U);
}

TEST_F(RegistryTest, LargeAnswer_IsReadOffTheShard) {
  make();
  std::string list = "[";
  for (int i = 0; i < 2000; ++i) list += "{\"subject\":\"s" + std::to_string(i) + "\",\"version\":1},";
  list += "{\"subject\":\"a-value\",\"version\":1}]";
  ASSERT_GT(list.size(), 16U << 10);
  script->answer(kVersionsOf7, http_ok(list));
  EXPECT_EQ(member("a-value", 7), Membership::registered);
  EXPECT_LE(shards.call([&] { return registry->state(); }).cached_subject_ids, 65U);
}

TEST_F(RegistryTest, Version_EscapesTheSubject) {
  make();
  script->answer("/subjects/a%2Fb%20c/versions/4?deleted=true", http_ok(R"({"schema":"\"int\""})"));
  const auto answer = shards.run([&] { return registry->version("a/b c", 4); }, 1);
  ASSERT_TRUE(answer.schema) << answer.problem;
  EXPECT_EQ(answer.schema->text, "\"int\"");
}

TEST_F(RegistryTest, Subjects_AreRefreshedAndToldWithTheState) {
  make({.urls = {"http://user:secret@a:8081/x"}});
  script->replace("/subjects", http_ok(R"(["b-value","a-value"])"));
  shards.call([&] { registry->start(); });
  shards.settle();
  auto state = shards.call([&] { return registry->state(); });
  EXPECT_TRUE(state.subjects_known);
  EXPECT_THAT(state.subjects, ElementsAre("a-value", "b-value"));
  ASSERT_EQ(state.endpoints.size(), 1U);
  EXPECT_EQ(state.endpoints[0].url, "http://a:8081/x") << "without the password";
  script->replace("/subjects", http_ok(R"(["c-value"])"));
  shards.advance(59s);
  shards.settle();
  EXPECT_EQ(script->asked().size(), 1U);
  shards.advance(2s);
  shards.settle();
  state = shards.call([&] { return registry->state(); });
  EXPECT_THAT(state.subjects, ElementsAre("c-value"));
  shards.call([&] { registry->stop(); });
  shards.settle();
  EXPECT_EQ(shards.pool().live_tasks(), 0U);
  EXPECT_EQ(member("a-value", 7), Membership::unavailable) << "after stop()";
}

TEST(RegistryUrl, IsCheckedAndNeverShownWithItsPassword) {
  EXPECT_EQ(check_registry_url("http://h:1/apis/ccompat/v7/").value(), "http://h:1/apis/ccompat/v7");
  EXPECT_EQ(check_registry_url("https://h").value(), "https://h");
  for (const char* bad :
       {"", "h:1", "ftp://h", "http://", "http:///x", "http://u:secret@", "http://u:secret@h",
        "http://u:secret@:1", "http://h/ x", "http://h?a=b", "http://u:secret@h#f", "http://h/\n"}) {
    const auto checked = check_registry_url(bad);
    ASSERT_FALSE(checked) << bad;
    EXPECT_EQ(checked.error().message.find("secret"), std::string::npos) << checked.error().message;
  }
  EXPECT_EQ(without_credentials("https://u:p@ss@h:1/x@y"), "https://h:1/x@y");
  EXPECT_EQ(without_credentials("http://h/x@y"), "http://h/x@y");
  EXPECT_EQ(percent_encoded("a-Z0._~/ ü%"), "a-Z0._~%2F%20%C3%BC%25");
}

}  // namespace
}  // namespace tidegate::schema
