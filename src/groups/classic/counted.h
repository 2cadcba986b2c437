// What a member may be in the middle of, and how many members of its group are: a group asks that with every
// request, and must not look at all of its members for it. They take themselves off the count when they go.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>

#include "tidegate/groups/requests.h"

namespace tidegate::groups {

// A request that waits for an event of its group.
class Parked {
 public:
  // `waiting` outlives this.
  explicit Parked(std::size_t& waiting) : waiting_(waiting) {}
  Parked(const Parked&) = delete;
  Parked& operator=(const Parked&) = delete;
  ~Parked() { take(); }

  explicit operator bool() const { return id_.has_value(); }
  ReplyId id() const { return *id_; }
  void park(ReplyId id) {
    if (!id_) ++waiting_;
    id_ = id;
  }
  std::optional<ReplyId> take() {
    if (id_) --waiting_;
    return std::exchange(id_, std::nullopt);
  }

 private:
  std::size_t& waiting_;
  std::optional<ReplyId> id_;
};

class Flag {
 public:
  explicit Flag(std::size_t& raised) : raised_(raised) {}
  Flag(const Flag&) = delete;
  ~Flag() { *this = false; }

  operator bool() const { return is_raised_; }
  Flag& operator=(bool raise) {
    if (raise && !is_raised_) ++raised_;
    if (!raise && is_raised_) --raised_;
    is_raised_ = raise;
    return *this;
  }
  Flag& operator=(const Flag& other) = delete;

 private:
  std::size_t& raised_;
  bool is_raised_ = false;
};

}  // namespace tidegate::groups
