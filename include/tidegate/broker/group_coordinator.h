// Consumer groups for the API handlers: finds the shard that owns a group, gives it the request, answers
// when what the answer rests on is durable. The rules are groups/group.h; this is the part with time,
// storage and threads. Callable from any shard.
//
// Every reply may carry, besides the group's own codes: coordinator_load_in_progress (the group is being
// read), coordinator_not_available (its state could not be written, the server is stopping, the limit of
// groups is reached), not_coordinator (another node owns it).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tidegate/base/result.h"
#include "tidegate/groups/group.h"
#include "tidegate/runtime/task.h"

namespace tidegate::broker {

struct BrokerParts;
class TopicCatalogue;

// How a request that may wait for long (JoinGroup, SyncGroup) learns that nobody wants its answer any
// more. The group does not: it answers in its own time, into the void. Connection's shard.
class GroupCancel {
 public:
  void cancel() {
    cancelled_ = true;
    if (call_) call_();
  }

 private:
  friend class GroupCoordinator;
  bool cancelled_ = false;
  std::function<void()> call_;
};

struct GroupCall {
  std::string group;
  // Called once, on the caller's shard, when the request has its place in the order of its group.
  std::function<void()> sent = {};
  std::shared_ptr<GroupCancel> cancel = nullptr;
};

struct ListedGroup {
  std::string id;
  groups::GroupListing listing;
  // What is stored of it makes no sense; of the listing only the type is known, if that.
  bool is_unreadable = false;
};
struct ListedGroups {
  // coordinator_load_in_progress: not all of them yet.
  ErrorCode error = ErrorCode::none;
  std::vector<ListedGroup> groups;  // by id
};

class GroupCoordinator {
 public:
  GroupCoordinator(const BrokerParts& parts, TopicCatalogue& topics);
  ~GroupCoordinator();

  // Begins to load what is stored and returns. On shard 0.
  Task<void> start();
  // Answers what is parked with coordinator_not_available, lets writes end. On shard 0, before the engine
  // stops. False when storage still hung at `deadline`.
  Task<bool> stop(MonoTime deadline);

  Task<groups::JoinReply> join(GroupCall call, groups::Join request);
  Task<groups::SyncReply> sync(GroupCall call, groups::Sync request);
  Task<groups::HeartbeatReply> heartbeat(GroupCall call, groups::Heartbeat request);
  Task<groups::LeaveReply> leave(GroupCall call, groups::Leave request);
  Task<groups::CommitReply> commit(GroupCall call, groups::CommitOffsets request);
  Task<groups::FetchOffsetsReply> fetch_offsets(GroupCall call, groups::FetchOffsets request);
  Task<groups::DeleteOffsetsReply> delete_offsets(GroupCall call, groups::DeleteOffsets request);
  Task<groups::DeleteGroupReply> delete_group(GroupCall call, groups::DeleteGroup request);
  Task<groups::ConsumerHeartbeatReply> consumer_heartbeat(GroupCall call, groups::ConsumerHeartbeat request);

  Task<ListedGroups> list();
  // group_id_not_found also for a group of the other type; unknown_server_error with a message when what is
  // stored of it makes no sense. delete_group() takes such a group away.
  Task<Result<groups::ClassicDescription>> describe_classic(std::string group);
  Task<Result<groups::ConsumerDescription>> describe_consumer(std::string group);

  const groups::GroupLimits& limits() const;

 private:
  template <class Reply, class Request>
  Task<Reply> ask(GroupCall call, Request request);
  template <class Description>
  Task<Result<Description>> describe(std::string group);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::broker
