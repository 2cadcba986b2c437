// The fences: one small entry for each of 256 groups of partitions, whose ETag is "<leader epoch>.<count>".
// Who writes the next epoch into it owns the group; everybody else's changes are refused from then on. A
// fence is taken when its first partition is opened, if the session that it names has ended, and has a home
// shard, where its calls are made one after the other; what it says is read on any shard.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "backend.h"
#include "ownership.h"
#include "session.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/shard.h"

namespace tidegate::storage::seaweedmq {

inline constexpr const char* kEtagAttribute = "Seaweed-X-Amz-ETag";

struct FenceMark {
  LeaderEpoch epoch = 0;
  std::int64_t count = 0;

  std::string etag() const;
  static std::optional<FenceMark> parse(const std::string& etag);
  bool operator==(const FenceMark&) const = default;
};

class Fence final : public Ownership, public std::enable_shared_from_this<Fence> {
 public:
  // The session's name tells this run's marks from everybody else's.
  Fence(Backend backend, Shard& home, unsigned index, Session& session);

  LeaderEpoch epoch() const override;
  std::string fence_path() const override;
  std::string etag() const override;
  bool holds() const override;
  bool lost() const override;
  Task<Result<void>> settle(std::string etag) override;

  // The epoch that it would be taken with, as far as known; until then.
  void expect(LeaderEpoch epoch);
  // Takes it with the next epoch, unless it is held already, and waits until what was written under it before
  // can be read. A fence that was lost is not taken again.
  Task<Result<void>> acquire();
  bool is_held() const { return state() == State::held; }
  static constexpr Duration kSeenWithin = std::chrono::seconds(5);
  // Leaves it to whoever comes first, in the next epoch: lost() from then on. The logs under it have been
  // closed.
  Task<Result<void>> release();
  // After another session has begun: makes the fence name it, or finds that it was lost.
  Task<void> confirm();

 private:
  enum class State { fresh, held, lost };
  Task<Result<void>> acquire_at_home();
  Task<Result<void>> settle_at_home(std::string etag);
  Task<void> confirm_at_home();
  Task<Result<void>> release_at_home();
  Task<Result<void>> try_to_take();
  // Filers with stores of their own follow each other some time later, each other's changes in their order.
  // Once the one that answers knows this mark, it knows all that was written under those before it.
  Task<Result<void>> wait_until_seen();
  // Writes the next count, whoever has taken it meanwhile.
  Task<Result<void>> count_up();
  // Writes `next` if the entry still has `expected`. false: refused, and it is not ours.
  Task<Result<bool>> write(std::optional<std::string> expected, FenceMark next, std::string session);
  Task<void> lock();
  void unlock();
  void set(State state, FenceMark mark, std::uint64_t generation);
  State state() const;
  Error lost_error() const;

  const Backend backend_;
  Shard& home_;
  const std::string name_;
  Session& session_;
  mutable std::mutex mutex_;
  State state_ = State::fresh;  // under mutex_, as mark_
  FenceMark mark_;
  std::uint64_t generation_ = 0;  // of the session that the entry names
  bool seen_ = false;             // since it was taken, as wait_until_seen() says
  bool busy_ = false;             // on the home shard, as the event
  Event idle_;
};

class FenceTable {
 public:
  static constexpr unsigned kFences = 256;

  FenceTable(Backend backend, ShardPool& shards, Session& session);
  // The fence of a partition, taken. On any shard.
  Task<Result<std::shared_ptr<Ownership>>> acquire(PartitionId id);
  LeaderEpoch epoch_of(const PartitionId& id) const;
  std::shared_ptr<Fence> at(unsigned index) const;
  // Another one in the place of one that is lost, which can be taken again.
  std::shared_ptr<Fence> renew(unsigned index);
  // Which epochs there are, of those that are not held: the present one where it is fenced for somebody, else
  // the next. Not shared: nobody else is there to hold any.
  Task<Result<void>> look(bool shared);
  // confirm() of all that are held.
  Task<void> confirm();

 private:
  const Backend backend_;
  ShardPool& shards_;
  Session& session_;
  mutable std::mutex mutex_;
  std::array<std::shared_ptr<Fence>, kFences> fences_;  // under mutex_
};

}  // namespace tidegate::storage::seaweedmq
