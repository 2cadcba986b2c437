// The order of appends to one partition. A produce request takes its slot the moment it arrives; CRC,
// decompression and opening the log may then finish in any order, but sequence check and append happen
// slot after slot. Owner shard only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/suspend.h"
#include "tidegate/runtime/task.h"

namespace tidegate::broker {

class AppendOrder {
 public:
  // A place in the order; given up when destroyed. Whoever holds it keeps the order alive.
  class Slot {
   public:
    Slot() = default;
    Slot(Slot&& other) noexcept : order_(std::move(other.order_)), ticket_(other.ticket_) {}
    Slot& operator=(Slot&& other) noexcept {
      release();
      order_ = std::move(other.order_);
      ticket_ = other.ticket_;
      return *this;
    }
    ~Slot() { release(); }

    bool is_turn() const { return ticket_ == order_->first_; }
    // Returns when every slot taken before this one was given up.
    Task<void> turn();
    // Lets the next one go on. It runs from the shard's queue, later than whatever the caller does
    // before its next suspension.
    void release();

   private:
    friend class AppendOrder;
    Slot(std::shared_ptr<AppendOrder> order, std::uint64_t ticket)
        : order_(std::move(order)), ticket_(ticket) {}
    std::shared_ptr<AppendOrder> order_;
    std::uint64_t ticket_ = 0;
  };

  // `self` owns this order (an aliasing pointer of the partition).
  static Slot take(std::shared_ptr<AppendOrder> self);
  // Slots taken and not yet given up.
  std::size_t waiting() const { return entries_.size(); }

 private:
  struct Entry {
    bool done = false;
    Resume resume;
  };
  std::uint64_t first_ = 0;  // ticket of entries_.front()
  std::deque<Entry> entries_;
};

}  // namespace tidegate::broker
