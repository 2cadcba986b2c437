// The order of appends: a queue of tickets of which the front one has its turn.
#include "append_order.h"

#include <utility>

namespace tidegate::broker {

AppendOrder::Slot AppendOrder::take(std::shared_ptr<AppendOrder> self) {
  const std::uint64_t ticket = self->first_ + self->entries_.size();
  self->entries_.emplace_back();
  return Slot(std::move(self), ticket);
}

Task<void> AppendOrder::Slot::turn() {
  if (is_turn()) co_return;
  auto park = [this](Resume resume) {
    order_->entries_[ticket_ - order_->first_].resume = std::move(resume);
  };
  co_await suspend(park);
}

void AppendOrder::Slot::release() {
  if (!order_) return;
  const auto order = std::move(order_);
  order->entries_[ticket_ - order->first_].done = true;
  while (!order->entries_.empty() && order->entries_.front().done) {
    order->entries_.pop_front();
    ++order->first_;
  }
  if (order->entries_.empty() || !order->entries_.front().resume) return;
  Shard* shard = Shard::current();
  if (shard == nullptr) {
    // The shards have stopped and their coroutines are being destroyed: so is the one that waits.
    const Resume dropped = std::move(order->entries_.front().resume);
    return;
  }
  auto wake = [resume = std::move(order->entries_.front().resume)]() mutable {
    Resume next = std::move(resume);
    next();
  };
  shard->post(std::move(wake));
}

}  // namespace tidegate::broker
