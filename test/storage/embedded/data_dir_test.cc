// The engine on a real directory with RocksDB: locks, versions, rights, many partitions.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "engine_rig.h"

namespace tidegate::test {
namespace {

TEST(EmbeddedDataDir, SecondEngine_IsRefusedInOneLine) {
  EngineRig rig;
  const std::string dir = rig.use_real_dir();
  ASSERT_TRUE(rig.start());
  EngineRig other;
  other.options.data_dir = dir;
  auto second =
      storage::make_embedded_engine(other.options, other.shards().pool(), other.blocking(),
                                    other.shards().clock(), *std::make_unique<SeededRng>(1), other.metrics());
  const auto refused = other.shards().run([&] { return second->start(); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "data directory " + dir + ": in use by another process");
  EXPECT_FALSE(second->health().ready);
}

TEST(EmbeddedDataDir, NewerFormat_IsRefusedInOneLine) {
  EngineRig rig;
  const std::string dir = rig.use_real_dir();
  ASSERT_TRUE(rig.start());
  rig.stop();
  std::ofstream(dir + "/VERSION") << "tidegate data format 9\n";
  const auto refused = rig.start();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "data directory " + dir + ": its format 9 is newer than this program's 1");
  std::ofstream(dir + "/VERSION") << "something else\n";
  EXPECT_EQ(rig.start().error().message, "data directory " + dir + ": the file VERSION is damaged");
}

// Root may write anywhere, so it goes on as nobody for a while.
class WithoutRoot {
 public:
  WithoutRoot() : was_root_(::geteuid() == 0 && ::seteuid(65534) == 0) {}
  ~WithoutRoot() {
    if (was_root_) EXPECT_EQ(::seteuid(0), 0);
  }

 private:
  bool was_root_;
};

TEST(EmbeddedDataDir, MissingRight_IsNamed) {
  EngineRig rig;
  const std::string dir = rig.use_real_dir();
  ASSERT_EQ(::mkdir(dir.c_str(), 0500), 0);
  const WithoutRoot meanwhile;
  ASSERT_NE(::geteuid(), 0U);
  const auto refused = rig.start();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("no permission"), std::string::npos);
}

TEST(EmbeddedDataDir, FileInItsPlace_IsNamed) {
  EngineRig rig;
  const std::string dir = rig.use_real_dir();
  std::ofstream(dir) << "a file";
  const auto refused = rig.start();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "data directory " + dir + ": open: Not a directory");
}

// The descriptor for syncfs is the second one that the lock needs.
TEST(EmbeddedDataDir, NoDescriptorLeftForTheLock_IsAnError) {
  EngineRig rig;
  const std::string dir = rig.use_real_dir();
  std::filesystem::create_directories(dir);
  const auto vfs = storage::embedded::make_posix_vfs();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest = ::dup(STDERR_FILENO);
  ASSERT_GE(lowest, 0);
  ::close(lowest);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(lowest) + 1;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  const auto locked = vfs->lock(dir + "/LOCK");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(locked);
  EXPECT_EQ(locked.error().code, EMFILE);
  EXPECT_TRUE(vfs->lock(dir + "/LOCK"));
}

TEST(EmbeddedDataDir, ClusterId_IsMadeOnce) {
  EngineRig rig;
  rig.use_real_dir();
  ASSERT_TRUE(rig.start());
  const std::string id = rig.engine().cluster_id();
  EXPECT_EQ(id.size(), 22U);
  rig.stop();
  ASSERT_TRUE(rig.start());
  EXPECT_EQ(rig.engine().cluster_id(), id);
}

TEST(EmbeddedDataDir, ThousandPartitions_ComeBack) {
  EngineRig rig(1, 2);
  rig.use_real_dir();
  rig.start_with_topic(1000);
  rig.shards().run([&]() -> Task<void> { co_return; });
  for (std::int32_t p = 0; p < 1000; ++p) ASSERT_TRUE(rig.append_values(p, {"p" + std::to_string(p)}));
  rig.stop();
  ASSERT_TRUE(rig.start());
  for (std::int32_t p = 0; p < 1000; ++p) {
    const auto all = rig.read_all(p);
    ASSERT_EQ(values_of(all.records), std::vector<std::string>{"p" + std::to_string(p)});
  }
}

TEST(EmbeddedDataDir, RemovedTopic_LeavesNoFiles) {
  EngineRig rig;
  const std::string dir = rig.use_real_dir();
  rig.start_with_topic(2);
  ASSERT_TRUE(rig.append_values(1, {"x"}));
  const std::string topic_dir = dir + "/logs/" + kTopicId.to_string();
  EXPECT_TRUE(std::filesystem::exists(topic_dir + "/1/00000000000000000000.log"));
  EXPECT_FALSE(std::filesystem::exists(topic_dir + "/0"));
  const auto removed = rig.shards().run([&] { return rig.engine().topics().remove({kTopicId}); });
  ASSERT_TRUE(removed.at(0));
  EXPECT_EQ(rig.read(1, 0).error().code, ErrorCode::unknown_topic_or_partition);
  rig.shards().run([&] { return rig.engine().housekeeping(); });
  EXPECT_FALSE(std::filesystem::exists(topic_dir));
  rig.stop();
  ASSERT_TRUE(rig.start());
  const auto topics = rig.shards().run([&] { return rig.engine().topics().list(); });
  ASSERT_TRUE(topics);
  EXPECT_TRUE(topics->empty());
}

TEST(EmbeddedDataDir, ManyTopics_GrowAndGoInOneWriteEach) {
  EngineRig rig;
  rig.start_with_topic(1);
  std::vector<storage::Topic> topics(1200);
  std::vector<storage::TopicStore::Growth> growths;
  std::vector<TopicId> ids;
  SeededRng rng(5);
  for (std::size_t i = 0; i < topics.size(); ++i) {
    topics[i] = {.name = "t" + std::to_string(i), .id = random_uuid(rng), .partitions = 1};
    growths.push_back({.id = topics[i].id, .partitions = 3});
    ids.push_back(topics[i].id);
  }
  ASSERT_TRUE(rig.shards().run([&] { return rig.engine().topics().create(topics); }));
  auto calls = rig.disk().calls();
  const auto grown = rig.shards().run([&] { return rig.engine().topics().add_partitions(growths); });
  EXPECT_EQ(std::ranges::count_if(grown, [](const auto& one) { return one.has_value(); }), 1200);
  EXPECT_EQ(rig.disk().calls(), calls + 1);
  calls = rig.disk().calls();
  const auto removed = rig.shards().run([&] { return rig.engine().topics().remove(ids); });
  EXPECT_EQ(std::ranges::count_if(removed, [](const auto& one) { return one.has_value(); }), 1200);
  EXPECT_EQ(rig.disk().calls(), calls + 1);
  rig.disk().crash();
  rig.stop();
  ASSERT_TRUE(rig.start());
  const auto left = rig.shards().run([&] { return rig.engine().topics().list(); });
  ASSERT_TRUE(left);
  EXPECT_EQ(left->size(), 1U) << "durable when they returned";
}

TEST(EmbeddedDataDir, RemovalThatCannotBeWritten_LeavesAllThere) {
  EngineRig rig;
  rig.start_with_topic(2);
  TopicId other = kTopicId;
  other.bytes[0] = 99;
  ASSERT_TRUE(rig.make_topic(1, other, "other"));
  ASSERT_TRUE(rig.append_values(1, {"x"}));
  TopicId unknown = kTopicId;
  unknown.bytes[0] = 98;
  rig.disk().power_off_after(1);
  const auto removed =
      rig.shards().run([&] { return rig.engine().topics().remove({kTopicId, unknown, other}); });
  EXPECT_EQ(removed.at(0).error().code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(removed.at(1).error().code, ErrorCode::unknown_topic_id);
  EXPECT_EQ(removed.at(2).error().code, ErrorCode::kafka_storage_error);
  const auto listed = rig.shards().run([&] { return rig.engine().topics().list(); });
  EXPECT_EQ(listed->size(), 2U);
  const auto grown =
      rig.shards().run([&] { return rig.engine().topics().add_partitions({{kTopicId, 5}, {other, 1}}); });
  EXPECT_EQ(grown.at(0).error().code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(grown.at(1).error().code, ErrorCode::invalid_partitions);
  rig.disk().crash();
  rig.stop();
  ASSERT_TRUE(rig.start());
  EXPECT_EQ(rig.shards().run([&] { return rig.engine().topics().list(); })->size(), 2U);
}

}  // namespace
}  // namespace tidegate::test
