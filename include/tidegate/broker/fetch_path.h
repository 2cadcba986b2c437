// Fetching: sessions, long poll across shards, reading. Called by api/fetch on the connection's shard.
// Split: fetch_session (what a client wants), fetch_plan (who may read how much), fetch_memory (what
// answers may take), fetch_wait (long poll), fetch_owner (the owner shards' half), fetch_path (the way
// through all of them).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tidegate/base/ids.h"
#include "tidegate/base/result.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/broker/produce_path.h"
#include "tidegate/runtime/task.h"

namespace tidegate::broker {

struct BrokerParts;
class TopicCatalogue;
class PartitionTables;

// A partition as the client names it: by topic id from Fetch 13 on, by name below.
struct FetchKey {
  std::string name;
  TopicId id;
  std::int32_t partition = 0;
  bool operator==(const FetchKey&) const = default;
};

struct FetchWant {
  FetchKey key;
  LeaderEpoch current_leader_epoch = kNoEpoch;
  Offset fetch_offset = 0;
  LeaderEpoch last_fetched_epoch = kNoEpoch;
  std::int32_t max_bytes = 0;
};

struct FetchQuery {
  std::int32_t max_wait_ms = 0;
  std::int32_t min_bytes = 0;
  std::int32_t max_bytes = 0;
  std::int32_t session_id = 0;
  std::int32_t session_epoch = -1;
  bool by_id = false;            // Fetch 13 on
  bool zstd_allowed = true;      // Fetch 10 on
  bool follower = false;         // names a replica id: no such replica is known
  std::uint64_t connection = 0;  // whose share of the memory for answers this takes; 0: nobody's
  std::vector<FetchWant> wants;
  std::vector<FetchKey> forgotten;

  // All but the partitions.
  FetchQuery limits() const {
    return {max_wait_ms, min_bytes,  max_bytes, session_id, session_epoch, by_id, zstd_allowed,
            follower,    connection, {},        {}};
  }
};

struct FetchedPartition {
  FetchKey key;
  ErrorCode error = ErrorCode::none;
  LeaderHint leader;
  struct Diverging {
    LeaderEpoch epoch = kNoEpoch;
    Offset end = -1;
  };
  std::optional<Diverging> diverging;
  // -1 with an error. The last stable offset is the high watermark: there are no transactions.
  Offset high_watermark = -1;
  Offset log_start = -1;
  std::vector<SharedBuffer> records;  // slices of the engine's memory
};

struct FetchReply {
  ErrorCode error = ErrorCode::none;  // of the session
  std::int32_t session_id = 0;
  std::vector<FetchedPartition> partitions;
  bool refused = false;          // by the allowance: no partitions, and a session stays as it was
  std::shared_ptr<void> charge;  // memory that the records are charged to, until they are written
};

// Asked once, on the connection's shard, when it is known how many record bytes the answer would carry.
// false: the client is to get none of them now.
using FetchAllowance = std::function<bool(std::size_t bytes)>;

// How a waiting fetch learns that nobody wants its answer any more. Connection's shard.
class FetchCancel {
 public:
  void cancel() {
    cancelled_ = true;
    if (call_) call_();
  }

 private:
  friend class FetchPath;
  bool cancelled_ = false;
  std::function<void()> call_;
};

class FetchPath {
 public:
  FetchPath(const BrokerParts& parts, TopicCatalogue& catalogue, PartitionTables& tables);
  ~FetchPath();

  Task<FetchReply> fetch(FetchQuery query, std::shared_ptr<FetchCancel> cancel,
                         FetchAllowance allowance = {});
  // Wakes every waiting fetch; later ones do not wait. From shard 0.
  Task<void> stop();

 private:
  struct State;
  struct Round;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::broker
