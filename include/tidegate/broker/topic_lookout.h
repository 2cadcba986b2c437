// Keeps the catalogue in step with a store where other nodes make, change and remove topics, too: looks now
// and then, and soon when somebody asks for a topic that is not known here. One look at a time, for a part
// of the time only, and all who wait for one share it. Where nobody else makes topics it does nothing.
#pragma once

#include <cstdint>
#include <memory>

#include "tidegate/base/clock.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/task.h"

namespace tidegate::broker {

class TopicLookout {
 public:
  TopicLookout(const BrokerParts& parts, TopicCatalogue& topics) : parts_(parts), topics_(topics) {}

  // On shard 0.
  void start();
  // Likewise: no look begins after it. False when one does not end before the deadline.
  Task<bool> stop(MonoTime deadline);

  // False: nobody else makes topics here.
  bool is_on() const { return parts_.engine.capabilities().shares_topics; }
  // Any shard. Returns when the catalogue has what the store had at the time of the call; after a failed
  // look, or two seconds, without it: then a topic that is not known may be there nevertheless.
  Task<void> look();

 private:
  void begin_or_arm();
  void begin();
  Task<void> run();
  Task<void> wait_for_look();

  const BrokerParts& parts_;
  TopicCatalogue& topics_;
  // Shard 0.
  bool started_ = false;
  bool failed_ = false;  // the last look
  TimerId timer_ = kNoTimer;
  MonoTime ended_;  // the last look
  Duration took_{0};
  std::uint64_t asked_ = 0;         // calls of look()
  std::uint64_t looked_for_ = 0;    // those that a look answered
  std::shared_ptr<Event> running_;  // while one runs
  Event looked_;
};

}  // namespace tidegate::broker
