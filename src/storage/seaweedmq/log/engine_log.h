// What the engine asks of a log of either kind beyond what the broker does. Lives on its owner shard.
#pragma once

#include <cstdint>
#include <string_view>

#include "tidegate/storage/engine.h"

namespace tidegate::storage::seaweedmq {

class EngineLog : public PartitionLog {
 public:
  virtual void apply_config(const LogConfig& config) = 0;
  // What has to be done now and then. `age_now_ms` is the wall clock without its jumps.
  virtual Task<void> keep_house(std::int64_t age_now_ms) = 0;
  // The topic is gone: everything fails from now on.
  virtual void remove() = 0;
  // Brings to an end what is under way; appends that come meanwhile, and every call later on, answer `why`.
  virtual Task<void> close(Error why) = 0;
  virtual bool is_idle() const = 0;
  // Its kind takes no appends; another one of the same partition may.
  virtual bool is_for_reading_alone() const { return false; }
  // A removed log of the broker path may keep its stream open until its topic is made anew, or all ends.
  virtual bool keeps_stream() const { return false; }
  virtual std::string_view topic() const { return {}; }
  // Closes that stream; returns when the broker has let go of the partition, or does not answer.
  virtual Task<void> let_go() { co_return; }
};

}  // namespace tidegate::storage::seaweedmq
