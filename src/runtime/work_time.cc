#include "tidegate/runtime/work_time.h"

#include "tidegate/base/assert.h"
#include "tidegate/runtime/shard.h"

namespace tidegate {
namespace {

MonoTime now() {
  const Shard* const shard = Shard::current();
  TIDEGATE_ASSERT(shard != nullptr);
  return shard->clock().now();
}

}  // namespace

void WorkScope::begin() {
  since_ = now();
  outer_ = std::exchange(current_, this);
  if (outer_) {
    outer_->work_->add(since_ - outer_->since_);
    outer_->since_ = since_;
  }
}

void WorkScope::add() {
  const MonoTime until = now();
  work_->add(until - since_);
  since_ = until;
}

void WorkScope::end() {
  add();
  current_ = outer_;
  if (outer_) outer_->since_ = since_;
}

}  // namespace tidegate
