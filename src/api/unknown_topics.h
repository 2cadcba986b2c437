// A topic that is not known here may be one that another node made a moment ago: whoever would answer that
// there is none has looked.
#pragma once

#include <algorithm>
#include <ranges>

#include "handler.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/broker/topic_lookout.h"

namespace tidegate::api {

// True: a look is worth it. `key_of` gives an element's name or id.
template <class Topics, class KeyOf>
bool is_worth_a_look(const RequestContext& context, Topics&& topics, KeyOf key_of) {
  if (!context.broker->lookout().is_on()) return false;
  const broker::TopicCatalogue& catalogue = context.broker->topics();
  return std::ranges::any_of(topics, [&](const auto& topic) { return !catalogue.find(key_of(topic)); });
}

}  // namespace tidegate::api
