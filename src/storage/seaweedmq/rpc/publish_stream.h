// One stream on which a partition's owner publishes to a SeaweedMQ broker, kept open for as long as the
// partition is owned: any number of messages are on their way, and the broker's answers come in the order of
// the messages. Used on the shard that opened it. What is sent is bounded by its user, who counts what is
// unanswered.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "rpc/call.h"
#include "tidegate/base/ids.h"
#include "tidegate/runtime/event.h"

namespace tidegate::storage::seaweedmq {

class PublishStream {
 public:
  // Opens the stream and says which partition it is for. nullptr when the registry is closed.
  static std::unique_ptr<PublishStream> open(CallRegistry& registry, std::shared_ptr<Connection> via,
                                             messaging_pb::PublishMessageRequest::InitMessage hello);
  ~PublishStream();  // cancels

  void send(std::string key, std::string value);

  enum class Next { ready, acks, timeout, ended };
  // Waits for what comes next until `deadline`: once that the broker has taken the stream, then the offsets
  // that it assigned, of as many messages as it has answered since, in order.
  Task<Next> next(MonoTime deadline, std::vector<Offset>& assigned);
  // Makes next() return `ended` soon, whatever is under way.
  void cancel();
  // Nothing more will be sent: a broker ends the stream once it has taken what was.
  void finish();
  // Why it ended; the broker's own number of the error, 0 where it gave none.
  std::string why() const;
  int error_code() const;

 private:
  struct State;
  struct Reactor;
  PublishStream() = default;
  std::shared_ptr<State> state_;
  std::shared_ptr<Reactor> reactor_;
};

}  // namespace tidegate::storage::seaweedmq
