// Layout `record`: one LogEntry holds one Kafka record, key and value as they are, so that SeaweedFS's SQL
// engine and SeaweedMQ's subscribers read them. What a LogEntry has no place for is in its field 100
// (docs/seaweedmq.md has the bytes); the first entry of a batch has there what belongs to the batch. A batch
// that cannot be taken apart, or has nothing to show (markers of transactions, what compaction emptied), is
// one entry without key and data, with the batch in field 100: other readers pass over it. Entries without
// field 100 are others'. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "log_entry.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::storage::seaweedmq {

// The value that was stored in another form.
using ValueOfStored = std::function<Result<std::string>(ByteView stored)>;

// Batches on their way into a chunk.
class RecordChunkBuilder {
 public:
  // A batch that inflates to more, or whose entries would take more, is kept whole.
  explicit RecordChunkBuilder(std::size_t max_inflated_bytes = 64U << 20)
      : max_inflated_bytes_(max_inflated_bytes) {}

  // `front` and `rest` together are the batch, as it is to be stored. The entries get ts_ns from `ts_ns` on,
  // one more each; returns how many there are.
  // Of `stored` what stands for a record's value is kept in its place.
  std::int64_t add(const protocol::BatchHeader& header, const SharedBuffer& front, const SharedBuffer& rest,
                   std::int64_t ts_ns, const protocol::StoredValues* stored = nullptr);
  std::size_t size_bytes() const { return bytes_.size(); }
  // Of the batches so far: those that were kept whole because they could not be taken apart.
  std::size_t opaque() const { return opaque_; }
  // The builder is empty afterwards.
  std::vector<SharedBuffer> take();

 private:
  bool add_records(const protocol::BatchHeader& header, const SharedBuffer& section, std::int64_t ts_ns,
                   const protocol::StoredValues* stored);
  std::size_t max_inflated_bytes_;
  std::string bytes_;
  std::size_t opaque_ = 0;
};

// Puts the batches of a chunk together again, one at a time. Memory is bounded by the chunk's bytes, whatever
// they claim.
class RecordChunkReader {
 public:
  struct Options {
    // Entries without field 100 are records, too; otherwise they are damage, as in files that we alone write.
    bool others = false;
    // Others' entries below count as given before.
    Offset from = 0;
    // Of batches made of others' entries, which have neither.
    LeaderEpoch leader_epoch = kNoEpoch;
    std::size_t max_batch_bytes = 1U << 20;
    // Batches of ours have no bytes, and their headers neither length nor CRC: for whoever only looks.
    bool headers_only = false;
    // The values that others are stored for.
    ValueOfStored value_of = {};
  };
  explicit RecordChunkReader(SharedBuffer chunk) : RecordChunkReader(std::move(chunk), Options{}) {}
  RecordChunkReader(SharedBuffer chunk, Options options)
      : chunk_(std::move(chunk)), frames_(chunk_), options_(options), next_offset_(options.from) {}

  // nullopt at the end. corrupt_message for what is damaged, and from then on.
  std::optional<Result<protocol::RecordBatch>> next();
  // Others' entries whose offset had been given before; they are left out. A broker that went on from an old
  // counter makes such.
  std::size_t passed_over() const { return passed_over_; }
  // Others' entries that were given back.
  std::size_t of_others() const { return of_others_; }

 private:
  using Batch = Result<protocol::RecordBatch>;
  // The next entry, left in `ahead_`; nullopt at the end.
  std::optional<Result<void>> look();
  std::optional<Batch> read_next();
  Batch batch_of_ours();
  std::optional<Batch> batch_of_others();
  // Others' entries up to the next of ours go into the window; the first in offset order leaves it.
  Result<std::optional<LogEntry>> next_of_others();
  void put_into_window(const LogEntry& entry);

  SharedBuffer chunk_;
  FrameReader frames_;
  Options options_;
  std::optional<LogEntry> ahead_;
  std::optional<Error> ahead_damage_;  // instead
  // Publishers of SeaweedMQ that write at the same time get their entries stored somewhat out of order.
  std::map<Offset, LogEntry> window_;
  Offset next_offset_ = 0;
  std::size_t passed_over_ = 0;
  std::size_t of_others_ = 0;
  std::optional<Error> damage_;
};

}  // namespace tidegate::storage::seaweedmq
