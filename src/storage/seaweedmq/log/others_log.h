// A partition that SeaweedMQ's brokers write, for reading alone: what they have flushed into log files. Once
// we publish to it, too, a BrokerLog has what comes then, and this what was there before. Nobody tells when
// they flush, so the directory is listed again and again, often while somebody reads. The files' attributes
// say which offsets they hold, more or less: a window that begins at offset 0 adds nothing to them, and the
// record whose arrival makes a broker flush a window is counted to it, although it is the first one of the
// next. So an end is sure once its chunk was read. What is in which chunk is learned as chunks are read.
// Lives on its owner shard.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/ownership.h"
#include "engine_log.h"
#include "format/names.h"
#include "log_shard.h"
#include "tidegate/runtime/event.h"

namespace tidegate::storage::seaweedmq {

class OthersLog final : public EngineLog, public std::enable_shared_from_this<OthersLog> {
 public:
  // What belongs to it: files up to this one, of which so many chunks.
  struct Edge {
    LogFileName file;
    std::size_t chunks = 0;
    Offset end = 0;
  };
  struct Options {
    std::optional<Edge> edge;
    // Somebody wants to publish.
    std::function<void()> wants_to_write;
  };
  // Lists the partition's directory. The ownership says who answers for the partition; nothing is written
  // under it.
  static Task<Result<std::shared_ptr<OthersLog>>> open(LogShard& home, std::string directory,
                                                       std::shared_ptr<Ownership> ownership, Options options);
  OthersLog(LogShard& home, std::string directory, std::shared_ptr<Ownership> ownership, Options options);

  // Refused with not_leader_or_follower until the engine has opened the partition as a BrokerLog, and with
  // policy_violation where nobody is to be told.
  Task<Result<Appended>> append(LeaderEpoch epoch, std::vector<protocol::RecordBatch> batches) override;
  // Refused with policy_violation.
  Task<Result<Offset>> trim_before(Offset offset) override;

  // Where what is known ends, surely; nullopt without any file.
  Result<std::optional<Edge>> edge() const;

  Task<Result<void>> wait_durable(Offset end) override;
  Task<Result<ReadResult>> read(Offset from, ReadLimits limits) override;
  std::size_t readable_bytes(Offset from, Offset end) const override;
  LogOffsets offsets() const override;
  LeaderEpoch leader_epoch() const override { return epochs_.back().epoch; }
  std::span<const EpochStart> epochs() const override { return epochs_; }
  Task<Result<TimestampedOffset>> offset_for_time(std::int64_t timestamp_ms, Offset end) override;
  Task<Result<TimestampedOffset>> max_timestamp(Offset end) override;
  // None: these records have no producers.
  Task<Result<std::vector<protocol::BatchHeader>>> scan_headers(Offset from, Offset end,
                                                                std::size_t max_batches) override;
  std::size_t size_bytes() const override;
  std::vector<CleanableRange> cleanable(Offset) const override { return {}; }
  Task<Result<void>> replace(CleanableRange range, BatchSource batches) override;
  Task<Result<void>> flush() override { return wait_durable(end_); }
  void set_listener(std::function<void(const LogOffsets&)> listener) override {
    listener_ = std::move(listener);
  }

  // Retention of these files is not ours.
  void apply_config(const LogConfig&) override {}
  Task<void> keep_house(std::int64_t age_now_ms) override;
  void remove() override;
  Task<void> close(Error why) override;
  bool is_idle() const override { return jobs_ == 0; }
  bool is_for_reading_alone() const override { return true; }

 private:
  struct OthersChunk {
    Chunk stored;
    // Behind its last offset, once it was read; -1 before.
    Offset end = -1;
  };
  struct OthersFile {
    LogFileName name;
    std::vector<OthersChunk> chunks;
    // The offsets that are in no file in front; unless it was read, the first and the last may not be there.
    Offset base = 0;
    Offset end = 0;
    bool base_was_read = false;
    bool end_was_read = false;
    // No offset below is in a file behind.
    Offset sure_end() const { return end_was_read ? end : std::max(base, end - 1); }
    std::uint64_t begin = 0;  // bytes of the files in front
    std::uint64_t bytes = 0;
  };
  struct Wanted {
    LogFileName file;
    Chunk stored;
    Offset from = 0;  // what is below was in front of it
  };
  class Job;

  // others_log.cc
  Result<void> check_owner() const;
  void ask() const;
  Task<Result<void>> open_wanted(std::vector<Wanted> wanted, std::vector<ChunkPtr>* opened);
  std::size_t find_above(Offset offset) const;
  std::vector<Wanted> chunks_from(Offset from, Offset end, std::size_t limit) const;
  void note_end(const Wanted& chunk, Offset end);
  // All batches of the file whose name is given, as far as they can be read.
  Task<Result<std::vector<protocol::RecordBatch>>> batches_of(LogFileName name);

  // others_listing.cc
  Task<Result<void>> refresh(bool all);
  Task<Result<void>> list(bool all);
  // Where its offsets begin and end, behind those of `front` (nullptr: there is none).
  Task<Result<void>> place(OthersFile* file, Attributes attributes, const OthersFile* front);
  Task<Result<void>> learn_range(OthersFile* file, const OthersFile* front);
  // Reads where the first file begins and the last one ends.
  Task<void> learn_edges(std::vector<OthersFile>* files);
  void adopt(std::vector<OthersFile> files);
  Task<void> watch(std::shared_ptr<OthersLog> self, std::unique_ptr<Job> job);

  LogShard& home_;
  const std::string directory_;
  const std::shared_ptr<Ownership> ownership_;
  const Options options_;
  const std::vector<EpochStart> epochs_;
  std::vector<OthersFile> files_;  // ascending in name and offsets
  Offset start_ = 0;
  Offset end_ = 0;
  mutable MonoTime asked_;  // when somebody wanted to know something
  mutable Event wake_;      // and it had been long ago
  MonoTime listed_;         // when all of the directory was
  MonoTime wanted_{};       // to be opened for writing
  bool listing_ = false;
  bool removed_ = false;
  bool closing_ = false;
  std::optional<Error> closed_by_;
  bool overlap_told_ = false;
  std::size_t jobs_ = 0;
  Event changed_;
  std::function<void(const LogOffsets&)> listener_;
};

}  // namespace tidegate::storage::seaweedmq
