// Sending one request into the world; shared by its source files.
#pragma once

#include <utility>

#include "sim/group_world.h"

namespace tidegate::groups::sim {

template <class Request>
ReplyId World::ask(Request request, Outstanding about) {
  const auto id = next_reply_++;
  request.reply = id;
  outstanding_.emplace(id, about);
  // Before the event: its answer may come at once.
  if (about.client >= 0 && (about.what == Asked::join || about.what == Asked::sync)) {
    clients_[static_cast<std::size_t>(about.client)].waits_for = id;
  }
  tell(std::move(request));
  return id;
}

}  // namespace tidegate::groups::sim
