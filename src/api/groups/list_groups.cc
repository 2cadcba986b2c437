// ListGroups (key 16): which groups there are, of which type and in which state.
#include "tidegate/protocol/messages/list_groups.h"

#include <algorithm>
#include <cctype>

#include "../handler.h"
#include "../rows.h"
#include "group_requests.h"

namespace tidegate::api {
namespace {

using Request = protocol::ListGroupsRequest;
using Response = protocol::ListGroupsResponse;

bool same_word(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// An empty filter lets everything pass; case does not matter, as in Kafka.
bool passes(const std::vector<std::string>& filter, std::string_view word) {
  return filter.empty() ||
         std::ranges::any_of(filter, [word](const std::string& wanted) { return same_word(wanted, word); });
}

// The word that Kafka's tools have for a state or type that they know nothing of.
constexpr std::string_view kUnknown = "Unknown";

// A group that has offsets alone is a classic one that nobody has joined; of one that cannot be read it may
// be the type that is damaged.
std::string_view type_of(const groups::GroupListing& listing, bool is_unreadable) {
  if (listing.type != groups::GroupType::none) return groups::type_name(listing.type);
  return is_unreadable ? kUnknown : groups::type_name(groups::GroupType::classic);
}

Task<Response> handle(RequestContextPtr context, Request request) {
  Response response;
  auto listed = co_await context->broker->groups().list();
  response.error_code = listed.error;
  for (auto& group : listed.groups) {
    const std::string_view state = group.is_unreadable ? kUnknown : groups::state_name(group.listing.state);
    const std::string_view type = type_of(group.listing, group.is_unreadable);
    if (!passes(request.states_filter, state) || !passes(request.types_filter, type)) continue;
    response.groups.push_back({.group_id = std::move(group.id),
                               .protocol_type = std::move(group.listing.protocol_type),
                               .group_state = std::string(state),
                               .group_type = std::string(type)});
  }
  co_return response;
}

}  // namespace

ApiRow list_groups_row() { return make_row<Request, handle>({.name = "ListGroups"}); }

}  // namespace tidegate::api
