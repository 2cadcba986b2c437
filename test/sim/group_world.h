// A world for one consumer group on virtual time: the Group, the shell that writes its records and holds
// its replies, and clients that join, sync, commit, stall, die and misbehave as a seed has it. After every
// event the world checks what must always hold; the first breach is kept in failure().
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tidegate/base/rng.h"
#include "tidegate/groups/group.h"

namespace tidegate::groups::sim {

inline constexpr int kPartitions = 12;
inline constexpr int kClients = 6;
inline const std::string kTopic = "t";

using Store = std::map<std::string, std::string>;

enum class Asked { join, sync, heartbeat, commit, fetch, other };

struct Client {
  std::optional<std::string> instance;
  std::string member_id;
  std::int32_t generation = -1;
  bool alive = false;
  bool must_join = true;
  bool must_sync = false;
  bool eager_version = false;  // before KIP-394: joins without an id
  bool range_first = false;
  std::uint8_t metadata = 0;
  std::vector<std::string> to_assign;  // as leader
  ReplyId waits_for = 0;               // the join or sync that is out
  int identity = 0;                    // of the one who owns partitions
  std::uint32_t owned = 0;             // bit set of partitions
  std::uint32_t positioned = 0;        // those whose committed offset is known
  std::array<Offset, kPartitions> position{};
  MonoTime stalled_until;
  MonoTime last_heartbeat;
};

class World {
 public:
  explicit World(std::uint64_t seed);
  ~World();

  // One event more, of whatever kind.
  void step();
  // Clients behave, nothing else happens: the group must come to rest.
  void settle();
  // What was emitted, through the codec, gives the live group again.
  void check_replay();

  std::uint64_t events() const { return events_; }
  const std::string& failure() const { return failure_; }
  std::string summary() const;

 private:
  struct Outstanding {
    Asked what = Asked::other;
    int client = -1;
    std::int32_t generation = -1;
    int identity = 0;
    bool must_fail = false;
    std::uint32_t partitions = 0;               // commit, fetch
    std::array<Offset, kPartitions> offsets{};  // commit
  };
  struct Held {
    std::uint64_t after_persist = 0;
    Reply reply;
  };

  // ---- the shell (group_world.cc)
  void tell(Event event);
  template <class Request>
  ReplyId ask(Request request, Outstanding about);
  void write_one();
  void release();
  void fail_writes();
  void advance(Duration by);
  void deliver(Reply reply);
  std::unique_ptr<Group> load(const Store& store);

  // ---- checks (group_checks.cc)
  void breach(std::string what);
  void check_event();
  void check_classic();
  void check_records(const std::vector<Record>& records);
  void check_durable_offsets();
  void check_generation_is_durable(std::int32_t generation);
  void note_told(ReplyId id, const FetchOffsetsReply& reply);
  void check_refused(const ReplyBody& body);
  void take_ownership(Client& client, std::uint32_t partitions);
  static bool same_durable(const Group& a, const Group& b);

  // ---- clients (group_clients.cc)
  void act(int index, bool behaves);
  void join(int index);
  void sync(int index);
  void commit(int index);
  void fetch(int index);
  void misbehave();
  void administrate();
  void restart(Client& client);
  void on_join_reply(Client& client, const JoinReply& reply);
  void on_sync_reply(Client& client, const SyncReply& reply);
  void on_error(Client& client, ErrorCode error);
  void on_fetch_reply(const Outstanding& about, const FetchOffsetsReply& reply);

  bool chance(std::uint32_t in_ten_thousand) { return rng_.below(10'000) < in_ten_thousand; }
  // For what disturbs the group: some worlds are calm, some are not.
  bool mishap(std::uint32_t in_ten_thousand) { return chance(in_ten_thousand * chaos_); }

  SeededRng rng_;
  std::uint32_t chaos_ = 1;
  GroupLimits limits_;
  NoTopics topics_;
  std::unique_ptr<Group> group_;
  std::unique_ptr<Group> shadow_;
  Now now_{.mono = {std::chrono::hours(1)}, .wall_ms = 1'700'000'000'000};
  std::optional<MonoTime> wake_at_;

  Store store_;
  std::deque<Persist> writing_;
  std::uint64_t durable_ = 0;
  std::deque<Held> held_;
  std::unordered_map<ReplyId, Outstanding> outstanding_;  // nobody was answered
  std::size_t unsaid_ = 0;                                // answered by the group, held by the shell
  ReplyId next_reply_ = 1;

  std::array<Client, kClients> clients_;
  int next_identity_ = 1'000;
  // Who owned which partition in a generation of this incarnation of the group.
  std::map<std::int32_t, std::array<int, kPartitions>> owners_;
  // What some client was told is committed.
  std::array<Offset, kPartitions> told_{};
  // Requests older than this may tell of offsets that were taken away since.
  std::array<ReplyId, kPartitions> erased_before_{};

  std::uint64_t events_ = 0;
  std::uint64_t stable_ = 0;
  std::uint64_t generations_ = 0;
  std::uint64_t commits_ = 0;
  std::uint64_t reloads_ = 0;
  std::string failure_;
};

}  // namespace tidegate::groups::sim
