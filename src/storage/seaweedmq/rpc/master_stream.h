// The stream on which a master tells of members and leaders as they change, read by one coroutine of one
// shard. A read is always under way; too many unread messages end the stream, and the next one begins with
// the whole list.
#pragma once

#include <memory>
#include <string>

#include "rpc/call.h"
#include "tidegate/runtime/event.h"

namespace tidegate::storage::seaweedmq {

class MasterStream {
 public:
  // Opens the stream and registers. nullptr when the registry is closed.
  static std::unique_ptr<MasterStream> open(CallRegistry& registry, std::shared_ptr<Connection> via,
                                            master_pb::KeepConnectedRequest hello);
  ~MasterStream();  // cancels

  enum class Next { message, timeout, ended };
  // Waits for a message until `deadline`.
  Task<Next> next(MonoTime deadline, master_pb::KeepConnectedResponse& message);
  // Makes next() return `ended` soon.
  void cancel();
  // Why it ended.
  std::string why() const;

 private:
  struct State;
  struct Reactor;
  MasterStream() = default;
  std::shared_ptr<State> state_;
  std::shared_ptr<Reactor> reactor_;
};

}  // namespace tidegate::storage::seaweedmq
