// One client. Reading (connection_read.cc) cuts frames, admits them and hands them to the lanes
// (connection_dispatch.cc); answers leave in arrival order (connection_write.cc); limits in time and the
// end are in connection.cc. Everything runs on the connection's shard.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth_gate.h"
#include "request.h"
#include "server_metrics.h"
#include "shard_server.h"
#include "tidegate/protocol/headers.h"
#include "tidegate/runtime/stream.h"
#include "tidegate/runtime/suspend.h"

namespace tidegate::server {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<ShardServer> server, std::unique_ptr<Stream> stream, std::uint64_t id,
             const Endpoint& endpoint);
  ~Connection();

  void start();
  // Ends the socket; requests under way run to their end and their answers are dropped.
  void close(CloseReason reason, std::string_view detail = {});
  // Reads no more; closes when everything is answered.
  void begin_drain();
  // For ShardServer, while its memory for answers is exhausted. Answers held since `since` of which fewer
  // than `least` bytes left after mark_sent() only hold memory.
  std::size_t charged_bytes() const { return charged_bytes_; }
  void mark_sent() { sent_at_mark_ = sent_; }
  bool holds_back(MonoTime since, std::uint64_t least) const {
    return charged_bytes_ > 0 && charged_since_ <= since && sent_ - sent_at_mark_ < least;
  }
  // Reads on when nothing is against it any more.
  void open_read_gate();
  // Lets go of the parked read loop without running it: the shard's thread has stopped.
  void abandon() { read_gate_ = nullptr; }
  const api::ClientSession& session() const { return *session_; }

 private:
  // A frame whose body is still coming.
  struct Incoming {
    const api::ApiRow* row = nullptr;
    protocol::RequestPrefix prefix;
    AdmittedMemory memory;
    MutableBuffer bytes;
    std::size_t filled = 0;
  };
  // What the read loop has to wait for before it can go on.
  enum class Next { readable, memory, body, room, yield, end };

  // connection_read.cc
  static Task<void> read_loop(std::shared_ptr<Connection> self);
  static Task<void> finish_body(std::shared_ptr<Connection> self);
  Task<void> wait_for_room();
  Next consume();
  Next consume_frames(ByteView input);
  Next begin_frame(ByteView& input, std::size_t size);
  bool read_more(MutableByteView into, std::size_t& got, bool& ended);
  bool check_size(std::int32_t size, ByteView start);
  const api::ApiRow* find_row(const protocol::RequestPrefix& prefix);
  std::size_t estimate(const api::ApiRow& row, std::size_t size) const;
  void keep(ByteView rest);
  bool may_read() const;

  // connection_dispatch.cc
  void dispatch(Incoming frame);
  void start_request(RequestPtr request);
  void pump_ordered();
  void request_dispatched();
  static Task<void> handle(RequestPtr request);
  void finish(const RequestPtr& request, api::Reply reply);

  // connection_write.cc
  void answer_ready();
  void flush();
  bool write_ready_answers();
  void advance(std::size_t written);
  void complete_front();
  void note_slow(const Request& request, MonoTime now);
  void charge(Request& request);
  void release(Request& request);
  static Task<void> wait_writable(std::shared_ptr<Connection> self);
  void watch_write_stall();

  // connection.cc
  void watch_idle(MonoTime at);
  void watch_frame();
  void stop_watching_frame();
  void check_frame_progress();
  void pause_reading(Duration pause);
  void fail_reading(CloseReason reason, std::string detail);
  void close_when_drained();

  std::shared_ptr<ShardServer> server_;
  std::unique_ptr<Stream> stream_;
  std::shared_ptr<api::ClientSession> session_;
  AuthGate gate_;
  bool closed_ = false;
  bool draining_ = false;  // no more requests; closes when all are answered
  CloseReason drain_reason_ = CloseReason::drained;
  std::string drain_detail_;

  // Reading.
  std::vector<std::uint8_t> kept_;  // bytes read and not yet used: a frame's start, or frames that wait
  bool kept_whole_ = false;         // kept_ can be used without reading more
  bool maybe_more_ = false;         // the last read filled its room: read again before waiting
  bool large_frames_ = false;       // the last frame was large: read little, so that little is copied
  unsigned rounds_ = 0;             // reads since the loop last waited
  std::size_t wanted_memory_ = 0;   // what a frame in kept_ waits for
  AdmittedMemory admitted_;         // granted to it
  Incoming incoming_;
  Resume read_gate_;  // the read loop, while it may not read
  MonoTime paused_until_{};
  TimerId pause_timer_ = kNoTimer;
  bool batching_ = false;  // frames are being dispatched: answers wait for the end of the batch

  // Time limits.
  MonoTime last_activity_;
  TimerId idle_timer_ = kNoTimer;
  TimerId frame_timer_ = kNoTimer;
  MonoTime frame_began_{};
  std::uint64_t received_ = 0;
  std::uint64_t received_at_check_ = 0;

  // Lanes and answers.
  std::deque<RequestPtr> ordered_;  // not begun yet
  bool ordered_busy_ = false;
  bool pumping_ = false;
  std::deque<RequestPtr> slots_;   // in arrival order
  std::size_t front_written_ = 0;  // bytes of the first slot's answer that have left
  std::size_t queued_bytes_ = 0;   // of answers that are ready
  std::size_t charged_bytes_ = 0;  // of them, to the shard's memory for answers
  MonoTime charged_since_{};       // when charged_bytes_ was 0 last
  std::uint64_t sent_ = 0;
  std::uint64_t sent_at_mark_ = 0;
  bool flush_posted_ = false;
  bool write_blocked_ = false;
  TimerId stall_timer_ = kNoTimer;
};

}  // namespace tidegate::server
