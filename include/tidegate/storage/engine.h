// The storage contracts. Engines (memory, embedded, seaweedmq) implement them; broker/ calls them and
// asks capabilities(), never the engine's name. One contract suite (test/contract) runs over every
// engine; a new promise here is first a test there.
//
// Shards: TopicStore is called on shard 0. A PartitionLog belongs to the owner shard of its partition
// and is called on it alone. MetaStore may be called on any shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tidegate/base/columns.h"
#include "tidegate/base/ids.h"
#include "tidegate/base/result.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/runtime/task.h"
#include "tidegate/storage/topic.h"

namespace tidegate::storage {

// ---------------------------------------------------------------------------------- partition log

struct LogOffsets {
  Offset log_start = 0;
  // What consumers may see and acks may confirm. Under flush=ack it follows the durable end.
  Offset high_watermark = 0;
  Offset log_end = 0;  // next offset to be assigned
};

struct Appended {
  Offset base_offset = 0;  // of the first batch
  Offset log_end = 0;      // after the last; pass it to wait_durable()
};

struct ReadLimits {
  std::size_t max_bytes = 1U << 20;
  // Return the first batch whole even when it is larger than max_bytes.
  bool at_least_one_batch = false;
  // Exclusive: a batch that holds an offset at or above it is not returned. Callers pass the high
  // watermark or the LSO.
  Offset end = std::numeric_limits<Offset>::max();
};

struct ReadResult {
  // Put one after the other: whole batches, verbatim but for base offset and leader epoch, in offset
  // order. The first one contains the offset asked for, or is the next one behind a gap. Where one
  // chunk ends and the next begins means nothing: it may be inside a batch.
  std::vector<SharedBuffer> chunks;
  std::size_t size_bytes = 0;
  std::size_t batches = 0;
  // Where the next read goes on; equals the offset asked for when nothing was returned.
  Offset next_offset = 0;
};

struct TimestampedOffset {
  Offset offset = -1;  // -1: none
  std::int64_t timestamp = -1;
  LeaderEpoch leader_epoch = kNoEpoch;
};

struct EpochStart {
  LeaderEpoch epoch = 0;
  Offset start = 0;
};

// Sealed data below the high watermark that compaction may rewrite. An engine knows of no
// transactions: the caller leaves alone what reaches above its last stable offset.
struct CleanableRange {
  Offset begin = 0;
  Offset end = 0;  // exclusive
  std::size_t size_bytes = 0;
};

// What replace() puts in: called on the owner shard, each time when the batches of before are written,
// until it gives none. An error ends replace() with that error.
using BatchSource = std::function<Task<Result<std::vector<protocol::RecordBatch>>>()>;

// All of them at once.
inline BatchSource source_of(std::vector<protocol::RecordBatch> batches) {
  using Batches = std::vector<protocol::RecordBatch>;
  static constexpr auto give = [](std::shared_ptr<Batches> left) -> Task<Result<Batches>> {
    co_return std::exchange(*left, {});
  };
  return [left = std::make_shared<Batches>(std::move(batches))] { return give(left); };
}

// Once its topic was removed, every call that returns a Result answers unknown_topic_or_partition.
class PartitionLog {
 public:
  virtual ~PartitionLog() = default;

  // Offsets are assigned in call order, at the call: two appends started (awaited or spawned) one
  // after the other get consecutive offsets, whatever order they finish in. Base offset and leader epoch
  // are written by the engine into a copy of the header; the given buffers are not changed.
  // Completes when the batches are in the log and readable up to the log end (not yet durable).
  // `epoch` is the caller's leadership; not_leader_or_follower with a message when it is not current.
  // kafka_storage_error when it cannot be written: then every append behind it that has not been
  // confirmed fails too, and the log goes on at its durable end.
  // throttling_quota_exceeded when too much waits for the disk already: nothing was taken.
  virtual Task<Result<Appended>> append(LeaderEpoch epoch, std::vector<protocol::RecordBatch> batches) = 0;

  // Completes when everything below `end` is as durable as storage.flush promises (with interval and
  // os: written, so at once when append() has come back). kafka_storage_error when it was lost to a
  // failed write or sync, and for an `end` above the log end. Call it straight after
  // append() came back, with no other wait in between: once a rolled-back log has grown again, an `end`
  // from before says nothing.
  virtual Task<Result<void>> wait_durable(Offset end) = 0;

  // offset_out_of_range below log start or above log end. Reading at the end returns nothing. May
  // return less than the limits allow (one segment, say), but never nothing where they allow a batch.
  // corrupt_message when the range asked for is damaged on disk.
  virtual Task<Result<ReadResult>> read(Offset from, ReadLimits limits) = 0;

  // Bytes that a read at `from` up to `end` could return, from memory, without I/O; an upper bound
  // within one index interval. 0 when there is nothing.
  virtual std::size_t readable_bytes(Offset from, Offset end) const = 0;

  virtual LogOffsets offsets() const = 0;
  virtual LeaderEpoch leader_epoch() const = 0;
  // Ascending; never empty once the log has an epoch.
  virtual std::span<const EpochStart> epochs() const = 0;

  // First record with timestamp >= `timestamp_ms`, from log start on and below `end`. In a batch of
  // append time every record has the batch's max timestamp.
  virtual Task<Result<TimestampedOffset>> offset_for_time(std::int64_t timestamp_ms, Offset end) = 0;
  // The record with the largest timestamp from log start on and below `end` (the earliest of them).
  virtual Task<Result<TimestampedOffset>> max_timestamp(Offset end) = 0;

  // Headers, as stored, of the batches that hold offsets in [from, end), in order, at most
  // `max_batches`, for recovery of producer state. Damaged ranges are skipped; a `from` below log
  // start means log start.
  virtual Task<Result<std::vector<protocol::BatchHeader>>> scan_headers(Offset from, Offset end,
                                                                        std::size_t max_batches) = 0;

  // DeleteRecords and retention: log start becomes max(log start, `offset`), durably. Offsets above the
  // high watermark are offset_out_of_range. Returns the new log start.
  virtual Task<Result<Offset>> trim_before(Offset offset) = 0;

  // Bytes on disk (or in memory) of this partition.
  virtual std::size_t size_bytes() const = 0;

  // Compaction. cleanable() gives the ranges that end at or below `end`, ascending; small neighbours may
  // come as one, and become one piece. replace() takes exactly one of cleanable(range.end), is all-or-nothing
  // across a crash, may leave gaps, and never moves log start or log end; readers that began before keep the
  // old data. The batches carry their own offsets and epochs, ascending and within the range; they are stored
  // verbatim. invalid_request when range or batches are not so, and nothing has changed then, nor after
  // any other failure. One replace() of a log at a time.
  virtual std::vector<CleanableRange> cleanable(Offset end) const = 0;
  virtual Task<Result<void>> replace(CleanableRange range, BatchSource batches) = 0;

  // Makes everything appended so far durable, whatever the flush policy.
  virtual Task<Result<void>> flush() = 0;

  // Called on the owner shard whenever the high watermark or log start has moved, and when an append
  // was rolled back (then log_end went down to a former value). At most one listener.
  virtual void set_listener(std::function<void(const LogOffsets&)> listener) = 0;
};

// ------------------------------------------------------------------------------------ topic store

class TopicStore {
 public:
  virtual ~TopicStore() = default;

  // All or nothing, durable before it returns. topic_already_exists names the first that does.
  // The ids are the caller's (random_uuid).
  virtual Task<Result<void>> create(std::vector<Topic> topics) = 0;
  // Each result stands for the id at the same place: unknown_topic_id when it is not there, or was named
  // before; one that could not be removed is still there. An engine whose store can do it writes all of
  // them at once. Durable before it returns; data goes away in the background, and a topic made anew under
  // the same name has another id and never sees it.
  virtual Task<std::vector<Result<void>>> remove(std::vector<TopicId> ids) = 0;
  virtual Task<Result<std::vector<Topic>>> list() = 0;
  struct Growth {
    TopicId id;
    std::int32_t partitions = 0;  // the new total
  };
  // As with remove(), each result at its place and one write if it can be: unknown_topic_id,
  // invalid_partitions unless larger than before (an earlier growth of the same call counts).
  virtual Task<std::vector<Result<void>>> add_partitions(std::vector<Growth> growths) = 0;
  // The whole new set of configs, kept for list(); unknown_topic_id. What an open log is to do
  // differently reaches it by Engine::apply_config.
  virtual Task<Result<void>> set_config(TopicId id, std::map<std::string, std::string> configs) = 0;
  // Adds what the topic's values do not have yet (tidegate::add_columns), durably, and returns all. Of a
  // topic that may have columns (Engine::may_have_columns); else invalid_request.
  virtual Task<Result<DeclaredColumns>> add_columns(TopicId id, DeclaredColumns more);
};
inline Task<Result<DeclaredColumns>> TopicStore::add_columns(TopicId, DeclaredColumns) {
  co_return fail(ErrorCode::invalid_request, "the topic has no columns");
}

// ------------------------------------------------------------------------------------- meta store

struct MetaOp {
  enum class Kind { put, erase };
  Kind kind = Kind::put;
  std::string key;
  std::string value;
};
struct MetaEntry {
  std::string key;
  std::string value;
};
enum class MetaDurability {
  synced,  // on disk before it returns, whatever storage.flush says
  policy,  // as storage.flush says
};

// Small state beside the log: producer-id blocks, producer snapshots, groups, offsets. Keys are bytes;
// a scope (one group, one topic, one partition) is the unit of atomicity and fencing.
class MetaStore {
 public:
  virtual ~MetaStore() = default;
  virtual Task<Result<std::optional<std::string>>> get(std::string scope, std::string key) = 0;
  // Atomic within the scope. `epoch` is the writer's; one lower than an earlier writer's is fenced
  // with not_coordinator. kafka_storage_error when it cannot be written, and nothing of it is then.
  virtual Task<Result<void>> put_batch(std::string scope, std::int32_t epoch, std::vector<MetaOp> ops,
                                       MetaDurability durability) = 0;
  // Entries of the scope whose key begins with `prefix`, in key order, from behind `after` on (empty:
  // from the first).
  virtual Task<Result<std::vector<MetaEntry>>> scan(std::string scope, std::string prefix, std::string after,
                                                    std::size_t limit) = 0;
  // Scopes that begin with `prefix` and hold anything, in order, from behind `after` on.
  virtual Task<Result<std::vector<std::string>>> scopes(std::string prefix, std::string after,
                                                        std::size_t limit) = 0;
  // An engine that keeps a scope as a whole can find it damaged: scopes() names it all the same, every other
  // call on it answers corrupt_message, and this deletes it. invalid_request for a scope that can be read.
  virtual Task<Result<void>> erase_damaged(std::string scope);
};
inline Task<Result<void>> MetaStore::erase_damaged(std::string) {
  co_return fail(ErrorCode::invalid_request, "the scope is not damaged");
}

// ---------------------------------------------------------------------------------------- cluster

struct Endpoint {
  std::string listener;
  std::string host;
  std::uint16_t port = 0;
};
struct Member {
  NodeId node = 0;
  std::string rack;  // empty: none
  std::vector<Endpoint> endpoints;
};

// Who leads what. One process alone is a constant: StandaloneCluster.
class Cluster {
 public:
  struct Owner {
    NodeId node = 0;
    // Of the ownership: of groups. What clients are told of a partition is the engine's leader_epoch().
    std::int32_t epoch = 0;
  };
  virtual ~Cluster() = default;
  virtual const std::string& cluster_id() const = 0;
  virtual NodeId self() const = 0;
  virtual std::vector<Member> members() const = 0;
  // Whether other nodes may own, and change, what this one does not.
  virtual bool has_peers() const { return false; }
  virtual Owner owner_of(const PartitionId& partition) const = 0;
  // Whether what an open log says of itself is still true: with a lease that has run out somebody else may
  // have written more. Asked before a reader is told anything. Appends ask on their own.
  virtual bool may_tell(const PartitionId& /*partition*/) const { return true; }
  virtual Owner owner_of_group(std::string_view group) const = 0;
  // Told when this node no longer owns what it did.
  virtual void on_lost(std::function<void(const PartitionId&)> listener) = 0;
};

// ----------------------------------------------------------------------------------------- engine

enum class FlushPolicy { ack, interval, os };

struct Capabilities {
  bool durable = false;     // data outlives the process
  bool compaction = false;  // cleanable() and replace() work
  std::int32_t max_partitions = 100'000;
  // Whoever opens a partition first in a run takes it over in a new leader epoch, because an owner of before
  // may still be alive somewhere. Otherwise the epoch rises only where data was lost.
  bool epoch_per_start = false;
  // Topics come, change and go without this process, too: TopicStore::list() is to be asked now and then.
  bool shares_topics = false;
  // The values of the topic setting seaweedmq.path that a new topic may have. Empty: topics have neither that
  // nor seaweedmq.layout.
  std::span<const std::string_view> write_paths = {};
};

struct Health {
  bool ready = false;
  std::string reason;  // empty when ready
};

// Gives back the values of batches that came with stored_values. Any shard.
class ValueRebuilder {
 public:
  virtual ~ValueRebuilder() = default;
  // Awaited before a partition of a topic that may have columns is opened: value_of() knows then what it
  // needs of everything that was stored before.
  virtual Task<Result<void>> prepare(TopicId topic) = 0;
  // corrupt_message when there is no such value.
  virtual Result<std::string> value_of(const TopicId& topic, ByteView stored) const = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string_view name() const = 0;
  // Takes the data directory (or what stands for it), recovers. On shard 0.
  virtual Task<Result<void>> start() = 0;
  // Flushes and lets go. Every PartitionLog is dead afterwards. On shard 0.
  virtual Task<void> stop() = 0;
  virtual Health health() const = 0;
  virtual Capabilities capabilities() const = 0;
  // Made once when the data directory was; stable afterwards. Valid after start().
  virtual std::string cluster_id() const = 0;

  // How records of columns are written, for stored_values. nullptr: the engine keeps values as they are.
  virtual const ColumnFormat* column_format() const { return nullptr; }
  // Whether batches of the topic may come with stored_values. Any shard.
  virtual bool may_have_columns(const TopicId& /*topic*/) const { return false; }
  // Before start(); outlives the engine's use.
  virtual void set_rebuilder(ValueRebuilder* /*rebuilder*/) {}

  virtual TopicStore& topics() = 0;
  virtual MetaStore& meta() = 0;
  // Opens (or gives the already open, whose config stays) log, on its owner shard.
  // unknown_topic_or_partition when the topic was removed meanwhile or has no such partition. The
  // pointer is valid on the owner shard until stop().
  virtual Task<Result<std::shared_ptr<PartitionLog>>> partition(PartitionId id, LogConfig config) = 0;
  // The partition's current leader epoch without opening it; 0 for one never written. Any shard,
  // valid after start().
  virtual LeaderEpoch leader_epoch(const PartitionId& id) const = 0;
  // Partitions that may hold data, those whose logs nobody has opened since the start among them. Any
  // shard, valid after start(). An engine whose housekeeping() reaches all of its data may give none.
  virtual std::vector<PartitionId> partitions_with_data() const { return {}; }
  // A changed topic config reaches an open log this way, on its owner shard.
  virtual void apply_config(PartitionId id, LogConfig config) = 0;
  // Retention, segment roll by time, deletion of dropped files: the owner calls it now and then, on
  // shard 0; the engine goes to the owner shards itself. It reaches open logs, whose configs are
  // known. Retention drops whole segments: by time once the youngest record of one is too old (the active
  // one too), by size while at least retention_bytes remain. A jump of the wall clock alone drops nothing.
  virtual Task<void> housekeeping() = 0;
};

// Which shard owns a partition, among `shards`.
inline unsigned owner_shard(const PartitionId& id, unsigned shards) {
  const std::size_t hash = std::hash<TopicId>{}(id.topic) / 7 + static_cast<std::size_t>(id.index);
  return static_cast<unsigned>(hash % shards);
}

}  // namespace tidegate::storage
