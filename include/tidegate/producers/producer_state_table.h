// What one partition knows of its idempotent and transactional producers: the last five batches of each,
// which tell a retry from a gap (KIP-98). Pure state, no locks: it lives on the partition's owner shard,
// and the produce path asks it in slot order, before the append.
//
// State is tentative until durable: prepare() counts a batch as written at once, so that the next one
// in the pipe fits its sequence; committed_up_to() makes it final, roll_back_to() undoes it.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "tidegate/base/clock.h"
#include "tidegate/base/ids.h"
#include "tidegate/base/result.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::producers {

struct ProducerLimits {
  // Producers remembered per partition. One more pushes out the least recently used that has nothing in
  // flight and no open transaction; when there is none such it is refused.
  std::size_t max_producers = 10'000;
  // Batches prepared and not yet durable. The produce path's own queue limit should be reached first.
  std::size_t max_in_flight = 4'096;
  // producer.id.expiration.ms, counted from the last batch (or repeat of one).
  Duration expiration = std::chrono::hours(24);
};

struct BatchMetadata {
  std::int32_t first_sequence = 0;
  std::int32_t last_sequence = 0;
  Offset base_offset = 0;
  Offset last_offset = 0;
  std::int64_t timestamp = -1;  // the batch's max_timestamp

  bool operator==(const BatchMetadata&) const = default;
};

inline constexpr std::size_t kRememberedBatches = 5;
inline constexpr Offset kNoOpenTransaction = -1;

// One producer; also what DescribeProducers shows.
struct ProducerState {
  std::int16_t epoch = -1;
  std::uint8_t batch_count = 0;
  std::array<BatchMetadata, kRememberedBatches> batches;  // oldest first; all of `epoch`
  Offset open_transaction = kNoOpenTransaction;           // its first offset

  std::span<const BatchMetadata> remembered() const { return {batches.data(), batch_count}; }
  const BatchMetadata* last() const { return batch_count == 0 ? nullptr : &batches[batch_count - 1U]; }
};

struct Verdict {
  enum class Kind {
    append,               // write it: it is counted as written from now on
    duplicate,            // durable already: answer success with base_offset and timestamp
    duplicate_in_flight,  // its original is on the way: the same answer once everything below wait_for
                          // is durable; when it is rolled back, what befell the original
    refused,              // answer `error`
  };
  Kind kind = Kind::append;
  Offset base_offset = -1;
  std::int64_t timestamp = -1;
  Offset wait_for = -1;
  Error error{ErrorCode::none, {}};
};

class ProducerStateTable {
 public:
  // `start` is the end of the log that the (empty) state stands for.
  explicit ProducerStateTable(ProducerLimits limits, Offset start = 0);
  ProducerStateTable(ProducerStateTable&&) = default;
  ProducerStateTable& operator=(ProducerStateTable&&) = default;

  // For every batch of the partition, in the order of append, with the base offset that the log is going
  // to assign; prepared_end() is just that if all go through here. Batches without a producer
  // id are always to be appended. The header must have passed check_produced_batch, or be a marker.
  // Refusals: invalid_producer_epoch (47) for a lower epoch; out_of_order_sequence_number (45) for a
  // gap, a repeat that is older than five batches, or a higher epoch that does not begin at 0;
  // invalid_txn_state (48) for a plain batch inside the producer's own transaction;
  // request_timed_out (7, every client tries again) at one of the limits.
  // A marker (control batch) ends the producer's transaction; only its epoch is checked.
  Verdict prepare(const protocol::BatchHeader& header, MonoTime now);
  // Everything below `end` is durable.
  void committed_up_to(Offset end);
  // Forgets every batch at or above `end`. False, with nothing done, when `end` lies below
  // what was committed: then the table must be built anew, from a snapshot and replay().
  [[nodiscard]] bool roll_back_to(Offset end);

  // Recovery: one batch that is in the log, in order, with its real base offset. Nothing is refused.
  // Call with each header from durable_end() on; nothing may be in flight.
  void replay(const protocol::BatchHeader& header, MonoTime now);

  // Forgets idle producers; returns how many. prepare() never believes an expired one, so
  // this only frees memory: call it every few minutes.
  std::size_t expire(MonoTime now);

  // Durable state only, up to durable_end(). Format: docs/producer-snapshot.md.
  SharedBuffer serialise(MonoTime now) const;
  // corrupt_message for anything but a whole, checksummed, sensible snapshot. durable_end() of the result
  // is the offset it stands for: drop it when that is beyond the recovered end of the log.
  // When it holds more than limits.max_producers, the least recently used idle ones are left out.
  static Result<ProducerStateTable> parse(SharedBuffer snapshot, ProducerLimits limits, MonoTime now);

  Offset durable_end() const { return durable_end_; }
  Offset prepared_end() const { return prepared_end_; }
  std::size_t size() const { return producers_.size(); }
  std::size_t in_flight() const { return undo_.size() - undo_begin_; }
  // Tentative batches included. nullptr when unknown; dead after the next change.
  const ProducerState* find(std::int64_t producer_id) const;
  std::vector<std::int64_t> producer_ids() const;
  // The lowest first offset of all open transactions: the last stable offset is this or the high
  // watermark.
  std::optional<Offset> first_open_transaction() const;

 private:
  struct Producer {
    ProducerState state;
    MonoTime last_used;
    std::uint32_t in_flight = 0;
    std::list<std::int64_t>::iterator recency;  // in recency_
  };
  using Producers = std::map<std::int64_t, Producer>;
  struct Undo {
    Offset base_offset = 0;
    Offset end = 0;
    std::int64_t producer_id = -1;
    std::optional<ProducerState> before;  // nullopt: was not known
  };

  static Verdict refuse(ErrorCode code, std::string message);
  Verdict check(const ProducerState& state, const protocol::BatchHeader& header) const;
  Verdict check_sequence(const ProducerState& state, const protocol::BatchHeader& header) const;
  bool is_busy(const Producer& producer) const;
  bool is_expired(const Producer& producer, MonoTime now) const;
  bool make_room();
  Producers::iterator insert(std::int64_t producer_id, MonoTime now);
  void erase(Producers::iterator producer);
  void touch(Producer& producer, MonoTime now);
  void set_state(Producers::iterator producer, const ProducerState& state);
  void apply(Producers::iterator producer, const protocol::BatchHeader& header);

  ProducerLimits limits_;
  Offset durable_end_;
  Offset prepared_end_;
  Producers producers_;
  std::list<std::int64_t> recency_;  // least recently used first
  std::set<std::pair<Offset, std::int64_t>> open_transactions_;
  std::vector<Undo> undo_;  // in offset order; those before undo_begin_ are done with
  std::size_t undo_begin_ = 0;
};

}  // namespace tidegate::producers
