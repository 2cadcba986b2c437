// Fetch sessions (KIP-227): what a consumer wants is remembered, so that it sends changes only and is
// answered with changes only. No I/O, no clock. One FetchSessions lives on each shard and is
// touched there alone; a session's id names its shard (id % shards). FetchSessionSlots is the one limit
// that all shards share. Called by fetch_path.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tidegate/base/clock.h"
#include "tidegate/base/error_code.h"
#include "tidegate/base/ids.h"
#include "tidegate/base/rng.h"
#include "tidegate/broker/fetch_path.h"
#include "turn_queue.h"

namespace tidegate::broker {

inline constexpr std::int32_t kNoSession = 0;
inline constexpr std::int32_t kInitialSessionEpoch = 0;
inline constexpr std::int32_t kFinalSessionEpoch = -1;

// What a reply says of one partition, as far as a session remembers it.
struct FetchSeen {
  FetchKey key;
  ErrorCode error = ErrorCode::none;
  bool diverging = false;
  bool has_records = false;
  Offset high_watermark = -1;
  Offset log_start = -1;
};

// A request's place in the order of its session, while it holds it. Given up on the session's shard.
struct SessionTurn {
  SessionTurn(std::shared_ptr<TurnQueue> of, TurnQueue::Turn taken)
      : queue(std::move(of)), turn(std::move(taken)) {}
  std::shared_ptr<TurnQueue> queue;  // outlives the turn, even when the session is closed
  TurnQueue::Turn turn;
};

// What a session holds: it is what a client chose to send, names of topics that do not exist included.
struct FetchSessionSize {
  std::size_t partitions = 0;
  std::size_t bytes = 0;
};

// The session slots of the whole process, and the memory behind them. Thread-safe; held for a few
// instructions.
class FetchSessionSlots {
 public:
  FetchSessionSlots(std::size_t limit, std::size_t max_bytes, Duration evict_after)
      : limit_(limit), max_bytes_(max_bytes), evict_after_(evict_after) {}

  // Takes a slot for `id`. At a limit a session that nobody used for the eviction time gives way
  // (`evicted` tells which: drop it on its shard), or a smaller one that is older than that; false when
  // there is still no room.
  bool take(std::int32_t id, FetchSessionSize size, MonoTime now, std::optional<std::int32_t>& evicted);
  // False when the session has grown past the memory that there is.
  bool touch(std::int32_t id, FetchSessionSize size, MonoTime now);
  void release(std::int32_t id);
  std::size_t used() const;
  std::size_t used_bytes() const;

 private:
  struct Slot {
    MonoTime created;
    MonoTime last_used;
    FetchSessionSize size;
  };
  bool has_room(std::size_t more_bytes) const {
    return bytes_ <= max_bytes_ && more_bytes <= max_bytes_ - bytes_;
  }
  void erase(std::unordered_map<std::int32_t, Slot>::iterator at);

  std::size_t limit_;
  std::size_t max_bytes_;
  Duration evict_after_;
  mutable std::mutex mutex_;
  std::size_t bytes_ = 0;  // of all slots
  std::unordered_map<std::int32_t, Slot> slots_;
};

class FetchSessions {
 public:
  FetchSessions(unsigned shard, unsigned shards, std::uint64_t seed, FetchSessionSlots& slots)
      : shard_(shard), shards_(shards), rng_(seed), slots_(slots) {}
  ~FetchSessions();

  static unsigned shard_of(std::int32_t session_id, unsigned shards) {
    return static_cast<unsigned>(session_id) % shards;
  }

  // A request (id, epoch > 0): applies the changes, advances the epoch.
  struct Incremental {
    ErrorCode error = ErrorCode::none;     // 70, 71 or 106, told at the top of an empty reply
    std::int32_t session_id = kNoSession;  // kNoSession: its last partition was forgotten, it is closed
    std::vector<FetchWant> wants;          // everything to look at, in the order of filling
  };
  Incremental advance(std::int32_t session_id, std::int32_t epoch, bool by_id, std::vector<FetchWant> changes,
                      const std::vector<FetchKey>& forgotten, MonoTime now);

  // Remembers what a full request asked for and was answered. kNoSession when there is no slot.
  std::int32_t create(bool by_id, const std::vector<FetchWant>& wants, const std::vector<FetchSeen>& seen,
                      MonoTime now, std::optional<std::int32_t>& evicted);

  // Which of the partitions an incremental reply has to carry, one flag each; remembers what was told
  // and moves partitions that had records to the end of the order.
  std::vector<bool> record_reply(std::int32_t session_id, const std::vector<FetchSeen>& seen);

  void close(std::int32_t session_id);
  // In which requests of the session take turns, before advance(); null when there is none such.
  std::shared_ptr<TurnQueue> turns(std::int32_t session_id) const;
  std::size_t size() const { return sessions_.size(); }

 private:
  struct Remembered {
    FetchWant want;
    Offset high_watermark = -1;
    Offset log_start = -1;
  };
  struct KeyHash {
    std::size_t operator()(const FetchKey& key) const noexcept;
  };
  struct Session {
    bool by_id = false;
    std::int32_t next_epoch = 1;
    std::size_t bytes = 0;
    std::shared_ptr<TurnQueue> turns = std::make_shared<TurnQueue>();
    std::list<Remembered> order;
    std::unordered_map<FetchKey, std::list<Remembered>::iterator, KeyHash> by_key;
  };
  std::int32_t fresh_id();
  static void remember(Session& session, FetchWant want);
  static void forget(Session& session, const FetchKey& key);

  unsigned shard_;
  unsigned shards_;
  SeededRng rng_;
  FetchSessionSlots& slots_;
  std::unordered_map<std::int32_t, Session> sessions_;
};

}  // namespace tidegate::broker
