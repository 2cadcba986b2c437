// The rules of classic groups and of offsets: what machine.cc calls for each event, and what the KIP-848
// side needs of them when a group changes its type.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "machine.h"

namespace tidegate::groups {

namespace classic {

// Requests, for a group that is classic or not there yet.
void on_join(Step& step, Join request);
void on_sync(Step& step, Sync request);
void on_heartbeat(Step& step, const Heartbeat& request);
void on_leave(Step& step, const Leave& request);

// Whether somebody may commit now; a member that may has shown that it lives.
ErrorCode check_commit(Step& step, const CommitOffsets& request);

// Group::check_stored().
Result<void> check_stored(const Machine& machine);
// After a load: timers for everybody, the rebalance goes on where it stood.
void on_loaded(Step& step);
// `member` is a copy: what it names may go away.
void on_timer(Step& step, TimerKind kind, const std::string& member);
// What the members subscribe to, read from the metadata of the chosen protocol. nullopt when that is not
// known: no protocol chosen yet, or metadata that is not of the consumer protocol.
std::optional<std::set<std::string>> subscribed_topics(const Machine& group);

// Conversion. disband answers every parked request with `error` and erases members and head: the group
// has no type afterwards. adopt takes over a group whose head and members were just emitted: everybody
// gets a session timer.
void disband(Step& step, ErrorCode error);
void adopt(Step& step);
// Starts a rebalance, if none is under way. `why` is a literal, `client_reason` what a client said.
void prepare_rebalance(Step& step, std::string_view why, std::string client_reason = {});

GroupState state_of(const Machine& group);
ClassicDescription describe(const Machine& group);

}  // namespace classic

namespace offsets {

void on_commit(Step& step, CommitOffsets request);
void on_fetch(Step& step, const FetchOffsets& request);
void on_delete(Step& step, const DeleteOffsets& request);
void on_topics_changed(Step& step, const TopicsChanged& event);
void on_expire(Step& step);
void on_delete_group(Step& step, const DeleteGroup& request);

}  // namespace offsets

}  // namespace tidegate::groups
