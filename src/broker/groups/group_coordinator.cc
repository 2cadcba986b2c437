// Takes requests to the shard that owns their group, and waits there and here.
#include "tidegate/broker/group_coordinator.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "gather.h"
#include "groups/group_shard.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::broker {
namespace {

// A caller on its own shard, and the answer that it waits for. Shared with the coroutine that fetches it,
// which goes on when the caller has given up.
template <class Reply>
struct Caller {
  std::optional<Reply> reply;
  Resume resume;

  void wake() {
    if (resume) std::exchange(resume, nullptr)();
  }
};

template <class Reply>
Reply failed(ErrorCode error) {
  Reply reply;
  reply.error = error;
  return reply;
}

template <class Reply>
Reply reply_of(GroupAnswer answer) {
  if (!answer) return failed<Reply>(answer.error());
  return std::get<Reply>(std::move(*answer));
}

template <class Reply>
Task<void> fetch_answer(GroupShard& owner, std::string group, groups::Event event,
                        std::shared_ptr<Caller<Reply>> caller) {
  auto visit = [&owner, group = std::move(group), event = std::move(event)]() mutable {
    return owner.request(std::move(group), std::move(event));
  };
  auto answer = co_await submit_to(owner.shard(), std::move(visit));
  caller->reply = reply_of<Reply>(std::move(answer));
  caller->wake();
}

}  // namespace

struct GroupCoordinator::State {
  State(const BrokerParts& p, TopicCatalogue& catalogue)
      : parts(p), settings(make_group_settings(p.config, p.shards.size())), metrics(p.metrics) {
    for (unsigned i = 0; i < parts.shards.size(); ++i) {
      shards.push_back(
          std::make_unique<GroupShard>(parts, catalogue, settings, metrics, i, parts.rng.next()));
    }
  }
  GroupShard& owner_of(std::string_view group) {
    return *shards[GroupShard::owner_of(group, static_cast<unsigned>(shards.size()))];
  }

  const BrokerParts& parts;
  GroupSettings settings;
  GroupMetrics metrics;
  std::vector<std::unique_ptr<GroupShard>> shards;
};

GroupCoordinator::GroupCoordinator(const BrokerParts& parts, TopicCatalogue& topics)
    : state_(std::make_unique<State>(parts, topics)) {}
GroupCoordinator::~GroupCoordinator() = default;

const groups::GroupLimits& GroupCoordinator::limits() const { return state_->settings.limits; }

Task<void> GroupCoordinator::start() {
  for (const auto& shard : state_->shards) {
    auto start = [owner = shard.get()] { owner->start(); };
    co_await submit_to(shard->shard(), std::move(start));
  }
}

Task<bool> GroupCoordinator::stop(MonoTime deadline) {
  bool in_time = true;
  for (const auto& shard : state_->shards) {
    auto stop = [owner = shard.get(), deadline] { return owner->stop(deadline); };
    const bool ended = co_await submit_to(shard->shard(), std::move(stop));
    in_time = in_time && ended;
  }
  co_return in_time;
}

template <class Reply, class Request>
Task<Reply> GroupCoordinator::ask(GroupCall call, Request request) {
  const auto caller = std::make_shared<Caller<Reply>>();
  Shard& here = *Shard::current();
  GroupShard& owner = state_->owner_of(call.group);
  // It has run to its first wait when start() returns: the request is with its group, or on its way there.
  here.start(fetch_answer(owner, std::move(call.group), groups::Event(std::move(request)), caller),
             "group request");
  if (call.sent) call.sent();
  if (!caller->reply && call.cancel) {
    if (call.cancel->cancelled_) co_return failed<Reply>(ErrorCode::coordinator_not_available);
    call.cancel->call_ = [caller, &here] { here.post([caller] { caller->wake(); }); };
  }
  if (!caller->reply) {
    auto park = [&caller](Resume resume) { caller->resume = std::move(resume); };
    co_await suspend(park);
  }
  if (call.cancel) call.cancel->call_ = nullptr;
  if (!caller->reply) co_return failed<Reply>(ErrorCode::coordinator_not_available);
  co_return std::move(*caller->reply);
}

Task<groups::JoinReply> GroupCoordinator::join(GroupCall call, groups::Join request) {
  return ask<groups::JoinReply>(std::move(call), std::move(request));
}
Task<groups::SyncReply> GroupCoordinator::sync(GroupCall call, groups::Sync request) {
  return ask<groups::SyncReply>(std::move(call), std::move(request));
}
Task<groups::HeartbeatReply> GroupCoordinator::heartbeat(GroupCall call, groups::Heartbeat request) {
  return ask<groups::HeartbeatReply>(std::move(call), std::move(request));
}
Task<groups::LeaveReply> GroupCoordinator::leave(GroupCall call, groups::Leave request) {
  return ask<groups::LeaveReply>(std::move(call), std::move(request));
}
Task<groups::CommitReply> GroupCoordinator::commit(GroupCall call, groups::CommitOffsets request) {
  state_->metrics.commits.add();
  for (const auto& topic : request.topics) state_->metrics.committed_partitions.add(topic.partitions.size());
  return ask<groups::CommitReply>(std::move(call), std::move(request));
}
Task<groups::FetchOffsetsReply> GroupCoordinator::fetch_offsets(GroupCall call,
                                                                groups::FetchOffsets request) {
  return ask<groups::FetchOffsetsReply>(std::move(call), std::move(request));
}
Task<groups::DeleteOffsetsReply> GroupCoordinator::delete_offsets(GroupCall call,
                                                                  groups::DeleteOffsets request) {
  return ask<groups::DeleteOffsetsReply>(std::move(call), std::move(request));
}
Task<groups::DeleteGroupReply> GroupCoordinator::delete_group(GroupCall call, groups::DeleteGroup request) {
  return ask<groups::DeleteGroupReply>(std::move(call), std::move(request));
}
Task<groups::ConsumerHeartbeatReply> GroupCoordinator::consumer_heartbeat(GroupCall call,
                                                                          groups::ConsumerHeartbeat request) {
  return ask<groups::ConsumerHeartbeatReply>(std::move(call), std::move(request));
}

Task<ListedGroups> GroupCoordinator::list() {
  ListedGroups all;
  for (const auto& shard : state_->shards) {
    auto visit = [owner = shard.get()] { return owner->list(); };
    auto part = co_await submit_to(shard->shard(), std::move(visit));
    if (part.error != ErrorCode::none) all.error = part.error;
    std::ranges::move(part.groups, std::back_inserter(all.groups));
  }
  std::ranges::sort(all.groups, {}, &ListedGroup::id);
  co_return all;
}

template <class Description>
Task<Result<Description>> GroupCoordinator::describe(std::string group) {
  GroupShard& owner = state_->owner_of(group);
  auto look = [&owner, group] { return owner.look_for(group); };
  co_await submit_to(owner.shard(), std::move(look));
  auto visit = [&owner, group = std::move(group)]() -> Result<Description> {
    const auto found = owner.find(group);
    if (!found) return fail(found.error());
    std::optional<Description> described;
    if constexpr (std::is_same_v<Description, groups::ClassicDescription>) {
      described = (*found)->describe_classic();
    } else {
      described = (*found)->describe_consumer();
    }
    if (!described) return fail(ErrorCode::group_id_not_found);
    return std::move(*described);
  };
  co_return co_await submit_to(owner.shard(), std::move(visit));
}

Task<Result<groups::ClassicDescription>> GroupCoordinator::describe_classic(std::string group) {
  return describe<groups::ClassicDescription>(std::move(group));
}
Task<Result<groups::ConsumerDescription>> GroupCoordinator::describe_consumer(std::string group) {
  return describe<groups::ConsumerDescription>(std::move(group));
}

}  // namespace tidegate::broker
