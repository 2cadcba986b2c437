// SeaweedFS's own Kafka gateway on the same cluster is noticed by the lock that its leader holds.
#include "foreign_gateway.h"

#include <gtest/gtest.h>

#include "support/run_task.h"

namespace tidegate::test {
namespace {

namespace seaweed = storage::seaweedmq;

class OneLock final : public seaweed::Locks {
 public:
  Task<Result<seaweed::LockAnswer>> lock(std::string, std::int64_t, std::string, std::string) override {
    ADD_FAILURE() << "nobody is to take it";
    co_return seaweed::LockAnswer{};
  }
  Task<Result<bool>> unlock(std::string, std::string) override {
    ADD_FAILURE() << "nobody is to release it";
    co_return false;
  }
  Task<Result<std::optional<std::string>>> lock_owner(std::string name) override {
    EXPECT_EQ(name, "kafka-gateway-leader");
    co_return owner;
  }
  Result<std::optional<std::string>> owner = std::optional<std::string>();
};

struct ForeignGateway : testing::Test {
  void look(seaweed::Locks* asked) {
    shards.run([&] { return watch.look(asked); });
  }
  bool is_shown() { return metrics.gauge("tidegate_seaweedmq_foreign_gateway", "").value() == 1; }
  ShardHarness shards{1};
  MetricRegistry metrics;
  OneLock locks;
  seaweed::ForeignGatewayWatch watch{metrics};
};

TEST_F(ForeignGateway, ItsLeadersLock_IsSeenAndItsEndToo) {
  look(&locks);
  EXPECT_EQ(watch.holder(), "");
  EXPECT_FALSE(is_shown());
  locks.owner = std::optional<std::string>("10.0.0.7:9093");
  look(&locks);
  EXPECT_EQ(watch.holder(), "10.0.0.7:9093");
  EXPECT_TRUE(is_shown());
  locks.owner = std::optional<std::string>();
  look(&locks);
  EXPECT_EQ(watch.holder(), "");
  EXPECT_FALSE(is_shown());
}

TEST_F(ForeignGateway, FilerThatDoesNotAnswer_ChangesNothing) {
  locks.owner = std::optional<std::string>("10.0.0.7:9093");
  look(&locks);
  locks.owner = fail(ErrorCode::kafka_storage_error, "away");
  look(&locks);
  EXPECT_EQ(watch.holder(), "10.0.0.7:9093");
  EXPECT_TRUE(is_shown());
}

TEST_F(ForeignGateway, WithoutLocks_NothingIsAsked) {
  look(nullptr);
  EXPECT_EQ(watch.holder(), "");
}

}  // namespace
}  // namespace tidegate::test
