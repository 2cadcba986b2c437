// One partition on the `broker` path: its owner publishes each batch as one message to a SeaweedMQ broker, on
// a stream that stays open, and reads the log files that the broker writes. Lives on its owner shard.
//
// The way of an append: offsets at the call -> sent_, and onto the stream -> the broker's answer -> seen in a
// chunk of a log file. With ack=flushed the high watermark follows what was seen in files, with ack=broker
// what the broker has answered. Batches stay in sent_ until they were seen: when a stream ends, the files are
// asked which of them arrived, and the others are sent again in a new session, whose copies void earlier ones
// (format/broker_message.h).
//
// A partition may be shared with others who publish to it (a topic that they have made). Their messages
// count, in the order of the files: what was there before we first published is an OthersLog's; behind it
// they have the offsets between our batches (others_runs.h), as each message of ours that follows some of
// theirs says (GoesOn). Those behind all of ours are shown when nothing that could get in front of them is on
// its way: once something of this owner's was seen in a file, and nothing has failed since.
//
// Sources: broker_log.cc (life, offsets), broker_log_send.cc (appends, the stream, failures),
// broker_log_scan.cc (what the files have), broker_log_read.cc (reads and searches), broker_log_trim.cc (log
// start, retention, state), shared_log.cc (others' messages).
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "cluster/ownership.h"
#include "fenced_writer.h"
#include "format/message_sieve.h"
#include "format/record_messages.h"
#include "format/records.h"
#include "log/engine_log.h"
#include "log/file_index.h"
#include "log/log_shard.h"
#include "log/others_log.h"
#include "log/waiting_bytes.h"
#include "others_runs.h"
#include "rpc/broker_client.h"
#include "stream_watch.h"
#include "tidegate/runtime/event.h"
#include "tidegate/storage/batch_search.h"
#include "tidegate/storage/engine.h"
#include "tidegate/storage/read_builder.h"

namespace tidegate::storage::seaweedmq {

struct BrokerOptions {
  // acks=all and the high watermark wait until the batch was read back from a log file.
  bool flushed = true;
  // How often the files are looked at while something is not known to be in them.
  Duration look_every = std::chrono::milliseconds(200);
  // A message that is unanswered for so long says that the broker is frozen.
  Duration answer_within = std::chrono::seconds(5);
  // How long to wait for a broker to flush what it has from before, and at the end of a log.
  Duration flush_within = std::chrono::seconds(8);
};

// What the logs of an engine share beside the shard.
struct BrokerPath {
  BrokerClient& brokers;
  StreamWatch& watch;
  // Puts a topic.conf right that is not as the topic was made; an error says that it may still be wrong.
  std::function<Task<Result<void>>(TopicId)> mend_topic;
  BrokerOptions options;
};

// Where a partition is.
struct BrokerLogPlace {
  PartitionId id;
  std::string directory;  // of its log files
  BrokerPlace at;
  Layout layout = Layout::batch;
  // Others publish to it, too; in layout record.
  bool shared = false;
};

class BrokerLog final : public EngineLog, public std::enable_shared_from_this<BrokerLog> {
 public:
  static Task<Result<std::shared_ptr<BrokerLog>>> open(LogShard& home, BrokerPath path, BrokerLogPlace place,
                                                       LogConfig config,
                                                       std::shared_ptr<Ownership> ownership);
  BrokerLog(LogShard& home, BrokerPath path, BrokerLogPlace place, LogConfig config,
            std::shared_ptr<Ownership> ownership);
  ~BrokerLog() override;

  Task<Result<Appended>> append(LeaderEpoch epoch, std::vector<protocol::RecordBatch> batches) override;
  Task<Result<void>> wait_durable(Offset end) override;
  Task<Result<ReadResult>> read(Offset from, ReadLimits limits) override;
  std::size_t readable_bytes(Offset from, Offset end) const override;
  LogOffsets offsets() const override;
  LeaderEpoch leader_epoch() const override { return epochs_.back().epoch; }
  std::span<const EpochStart> epochs() const override { return epochs_; }
  Task<Result<TimestampedOffset>> offset_for_time(std::int64_t timestamp_ms, Offset end) override;
  Task<Result<TimestampedOffset>> max_timestamp(Offset end) override;
  Task<Result<std::vector<protocol::BatchHeader>>> scan_headers(Offset from, Offset end,
                                                                std::size_t max_batches) override;
  Task<Result<Offset>> trim_before(Offset offset) override;
  std::size_t size_bytes() const override;
  std::vector<CleanableRange> cleanable(Offset end) const override;
  Task<Result<void>> replace(CleanableRange range, BatchSource batches) override;
  Task<Result<void>> flush() override { return wait_durable(log_end_); }
  void set_listener(std::function<void(const LogOffsets&)> listener) override {
    listener_ = std::move(listener);
  }

  void apply_config(const LogConfig& config) override { config_ = config; }
  Task<void> keep_house(std::int64_t age_now_ms) override;
  void remove() override;
  Task<void> close(Error why) override;
  bool is_idle() const override;
  bool keeps_stream() const override { return keeping_; }
  std::string_view topic() const override { return place_.at.topic; }
  Task<void> let_go() override;

 private:
  struct PendingAppend {
    Appended value;
    std::optional<Error> error;
    bool done = false;
    Resume resume;
  };
  using PendingPtr = std::shared_ptr<PendingAppend>;
  // A batch that was not yet seen in a file.
  struct Sent {
    PlacedBatch batch;
    PendingPtr pending;  // with the last batch of its append
    MonoTime since;
    MonoTime sent_at;           // the last time
    std::int64_t since_ms = 0;  // by the wall clock
    std::uint32_t session = 0;  // in which it was sent last; 0: not yet
    std::size_t messages = 0;   // that it was sent as then, of which so many have no answer,
    std::size_t unanswered = 0;
    std::size_t sent_bytes = 0;  // and their bytes
    bool answered = false;       // in any session
    bool committed = false;
    // Set: no batch, but GoesOn.
    std::optional<Offset> own_end = std::nullopt;
  };
  struct DurableWaiter {
    Offset end = 0;
    std::optional<Error> error;
    Resume resume;
  };
  // A batch of layout record whose records reach over the end of a chunk. It is counted to that chunk.
  struct Unfinished {
    LogFileName name;
    Chunk chunk;
    std::size_t index = 0;       // of the batch in the chunk
    SharedBuffer begun;          // its first message, to the end of the chunk
    RecordMessageReader reader;  // has read so far
    std::vector<Chunk> behind;   // which may have some of its records, and nothing else
    std::optional<BatchMessage> whole;
  };
  class Job;
  // Of messages that wait for their answers: what is behind them is sent later.
  static constexpr std::size_t kMostInFlight = 64U << 20;
  // Beside key and value.
  static constexpr std::size_t kMessageBytes = 200;
  // With ack=broker: so many offsets are written down as given out at a time, more when they are soon gone.
  static constexpr Offset kLeastReserve = 1000;
  static constexpr Offset kMostReserve = 100'000;

  // broker_log.cc
  Result<void> check_usable() const;
  Result<void> check_owner() const;
  void tell();
  static void resume_all(std::vector<Resume> resumes);
  Task<Result<void>> recover();
  // What is not in the log yet fails; waits for whatever is under way.
  Task<void> end(Error why);
  bool is_over() const { return removed_ || closed_ || ownership_->lost(); }

  // broker_log_send.cc
  Result<PendingPtr> begin_append(LeaderEpoch epoch, std::vector<protocol::RecordBatch> batches);
  static Task<Result<Appended>> finish_append(std::shared_ptr<BrokerLog> self, Result<PendingPtr> pending);
  void start_session();
  Task<void> run_sessions(std::shared_ptr<BrokerLog> self, std::unique_ptr<Job> job);
  Task<Result<void>> connect();
  // Waits until the files have what the broker had in memory, or for so long that it cannot have it any more.
  Task<void> look_up_sent();
  void send_all();
  // As many as may be in flight.
  void send_more();
  void send_one(Sent& sent);
  // Answers come to what was sent in this session: not to batches that were seen in a file before their turn.
  void skip_unsent();
  Task<void> pump();
  void take_answers(const std::vector<Offset>& assigned);
  void commit_answered();
  void commit(Sent& sent, std::vector<Resume>& resumes);
  void fail_overdue();
  // With ack=broker: what was answered and comes into no file is sent again on another stream.
  void look_for_unflushed();
  void count_waiting(std::int64_t bytes);
  void fail_from(Offset from, const Error& error);
  void note_trouble(const Error& error);
  void wake_waiters();
  void start_watch();
  Task<void> watch_flushes(std::shared_ptr<BrokerLog> self, std::unique_ptr<Job> job);
  // With ack=broker: offsets that may be given out are written down before, so that none is given twice.
  void start_reserving();
  Task<void> reserve(std::shared_ptr<BrokerLog> self, std::unique_ptr<Job> job);

  // broker_log_scan.cc
  Task<Result<std::vector<ChunkPtr>>> read_messages(std::vector<Chunk> chunks);
  // Takes in what the files have that they had not before.
  Task<Result<void>> scan();
  Task<Result<void>> scan_locked();
  Task<Result<void>> absorb(LogFileName name, Chunk chunk, ChunkPtr open);
  // What the batch that is unfinished misses may be in front of others in `chunk`.
  Task<Result<void>> finish(Chunk chunk, ChunkPtr open);
  Task<Result<void>> add_finished(const Unfinished& begun, BatchMessage batch);
  // Batches that reach above `end` are void.
  Task<Result<void>> void_from(Offset end);
  void see_flushed(const protocol::BatchHeader& header, const MessageMark& mark);
  // Commits what was seen, as long as the lease holds.
  void settle_flushed();
  bool is_void(const std::string& file_id, std::size_t index) const;
  Task<Result<std::vector<ChunkPtr>>> open_chunks(std::vector<LogChunk> chunks);

  // broker_log_read.cc
  Task<Result<ReadResult>> read_cold(Offset from, ReadLimits limits);
  Task<Result<std::vector<protocol::RecordBatch>>> batches_of(LogChunk chunk);
  // The end of what the broker has answered, in any session.
  Offset answered_end() const;
  std::vector<protocol::RecordBatch> batches_in_memory(OffsetRange within) const;

  // What is cold of ours in [*at, end); false when the builder takes no more.
  Task<Result<bool>> add_cold(ReadBuilder& builder, ReadLimits limits, Offset* at, Offset end);

  // shared_log.cc
  // What the files had before we first published, and from where on offsets are counted.
  Task<Result<void>> open_older();
  void take_others(const Chunk& chunk, const OpenChunk& open);
  // Shows what nothing can get in front of; sees to it that something of ours tells so.
  void settle_others();
  bool needs_goes_on() const;
  void push_goes_on();
  void follow_older();
  bool is_due() const;
  Task<Result<ReadResult>> read_shared(Offset from, ReadLimits limits);
  Task<Result<bool>> add_run(OthersRun run, ReadBuilder& builder, ReadLimits limits, Offset* at);
  // Messages of the run, as batches of about `most_bytes`, the first few of them.
  Task<Result<std::vector<protocol::RecordBatch>>> batches_of_run(OthersRun run, std::size_t batch_bytes,
                                                                  std::size_t most_bytes);
  Task<Result<TimestampedOffset>> others_offset_for_time(std::int64_t timestamp_ms, Offset end);
  Task<Result<TimestampedOffset>> others_max_timestamp(Offset end);
  Offset counted_from() const { return state_.shared ? state_.shared->end : 0; }

  // broker_log_trim.cc
  Task<Result<void>> put_state(PartitionState next);
  PartitionState state_now() const;
  Task<void> drop_below_start();
  bool may_grow(const LogFileName& name) const;
  Task<void> retain(std::int64_t age_now_ms);

  LogShard& home_;
  BrokerClient& brokers_;
  StreamWatch& watch_;
  const std::function<Task<Result<void>>(TopicId)> mend_topic_;
  const BrokerOptions options_;
  const BrokerLogPlace place_;
  LogConfig config_;
  const std::shared_ptr<Ownership> ownership_;
  FencedWriter writer_;
  std::vector<EpochStart> epochs_;
  PartitionState state_;  // as last written
  std::shared_ptr<Tail> tail_ = std::make_shared<Tail>();
  Offset log_start_ = 0;
  Offset log_end_ = 0;
  Offset committed_end_ = 0;
  std::uint64_t committed_bytes_ = 0;

  // What the files have.
  FileIndex index_;
  std::unordered_map<std::string, std::unordered_set<std::size_t>> void_;  // of a chunk: which of its batches
  std::unordered_map<std::string, std::vector<Chunk>> reaches_into_;       // of a chunk: its last batch
  std::optional<Unfinished> unfinished_;
  std::map<LogFileName, std::size_t> seen_chunks_;  // of files that may still grow
  MessageRank rank_;
  Offset flushed_end_ = 0;
  Offset last_message_ = -1;  // the broker's number of the last one in the files
  bool scanning_ = false;

  // Of a shared partition.
  std::shared_ptr<OthersLog> older_;
  std::optional<LogFileName> counted_in_;  // the file in which counting begins, behind the chunks that it had
  MessageSieve sieve_;
  OthersRuns others_;
  bool first_shared_ = false;     // by this log: nobody has published before
  std::int64_t own_seen_ns_ = 0;  // when the broker took the last one of ours
  Offset own_committed_end_ = 0;  // behind our last batch that was committed
  // Something of ours is in the files behind which nothing comes that was sent before.
  bool clean_ = false;
  std::uint32_t dirty_session_ = 0;  // and everything up to it that failed
  MonoTime scanned_at_{};
  mutable MonoTime asked_{};  // when somebody wanted to know something

  std::deque<Sent> sent_;
  std::size_t next_answer_ = 0;  // in sent_
  std::size_t next_send_ = 0;    // in this session
  std::size_t in_flight_ = 0;    // bytes of messages without an answer, of batches that wait for one
  // The first so many of sent_ were seen in a file, and wait for the lease.
  std::size_t flushed_ = 0;
  // Messages that were seen in a file before their answer came, which does not count any more.
  std::size_t late_answers_ = 0;
  // Answers to the first so many have done what they do.
  std::size_t told_ = 0;
  WaitingBytes waiting_{home_.waiting_bytes};
  std::uint32_t session_ = 0;
  std::string broker_;  // HOST:PORT
  std::unique_ptr<PublishStream> stream_;
  bool streaming_ = false;
  std::optional<Offset> expected_message_;
  bool sessions_run_ = false;
  bool tried_ = false;      // to connect, once
  bool recovered_ = false;  // nothing is sent before
  bool watching_ = false;
  bool reserving_ = false;
  Offset reserve_ = kLeastReserve;
  MonoTime reserved_at_{};
  bool putting_state_ = false;

  Duration flush_patience_{0};
  bool removed_ = false;
  // Removed, and its stream stays open: a broker freezes soon after a topic's last one has closed.
  bool keeping_ = false;
  MonoTime quiet_from_{};  // the broker has flushed by then what it had of a removed topic
  bool closing_ = false;   // no appends any more
  bool closed_ = false;
  std::optional<Error> closed_by_;
  std::size_t jobs_ = 0;
  std::vector<DurableWaiter*> waiters_;
  Event changed_;
  std::function<void(const LogOffsets&)> listener_;
};

class BrokerLog::Job {
 public:
  explicit Job(BrokerLog& log) : log_(log) {
    ++log_.jobs_;
    ++log_.home_.jobs;
  }
  ~Job() {
    --log_.jobs_;
    --log_.home_.jobs;
    log_.changed_.notify_all();
  }
  Job(const Job&) = delete;

 private:
  BrokerLog& log_;
};

}  // namespace tidegate::storage::seaweedmq
