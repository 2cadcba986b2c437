// Records to storage. A group has one write under way; what its machine emits meanwhile goes together in
// the next, so that order and atomicity are the store's plain ones. The writes of all groups and shards
// meet in the engine, which puts those that wait into one batch.

#include <utility>

#include "groups/group_shard.h"
#include "tidegate/base/module_log.h"
#include "tidegate/groups/record.h"

namespace tidegate::broker {

void GroupShard::queue_write(const HostedGroupPtr& hosted, const groups::Persist& persist) {
  std::vector<groups::StoredOp> stored;
  for (const groups::Record& record : persist.records) groups::encode(record, stored);
  for (groups::StoredOp& op : stored) {
    const auto kind = op.value ? storage::MetaOp::Kind::put : storage::MetaOp::Kind::erase;
    hosted->unwritten.push_back({kind, std::move(op.key), op.value ? std::move(*op.value) : std::string()});
  }
  hosted->unwritten_until = persist.sequence;
  if (!std::exchange(hosted->writing, true)) shard().start(write(hosted), "group write");
}

// In the name of the ownership under which the group was read: a later one may rest on other state.
Task<Result<void>> GroupShard::put(std::string id, std::int32_t epoch, std::vector<storage::MetaOp> ops) {
  if (!is_owned(id)) co_return fail(ErrorCode::not_coordinator, "another node owns the group");
  co_return co_await parts_.engine.meta().put_batch(groups::scope_of_group(id), epoch, std::move(ops),
                                                    storage::MetaDurability::policy);
}

Task<void> GroupShard::write(HostedGroupPtr hosted) {
  const Busy busy(*this);
  while (!hosted->unwritten.empty()) {
    auto ops = std::exchange(hosted->unwritten, {});
    const std::uint64_t until = hosted->unwritten_until;
    auto written = co_await put(hosted->id, hosted->epoch, std::move(ops));
    if (!written) {
      hosted->writing = false;
      lose(hosted, written.error());
      co_return;
    }
    hosted->durable = until;
    hosted->failures = 0;
    release_held(*hosted);
  }
  hosted->writing = false;
  if (hosted->phase == HostedGroup::Phase::away) {
    drop(hosted);
  } else {
    forget_if_nothing(hosted);
  }
}

void GroupShard::release_held(HostedGroup& hosted) {
  auto held = std::exchange(hosted.held, {});
  for (auto& reply : held) {
    if (reply.after_persist > hosted.durable) {
      hosted.held.push_back(std::move(reply));
    } else {
      answer(hosted, reply.id, std::move(reply.body));
    }
  }
}

// What the machine has in memory is ahead of what is stored: it goes, and the stored state comes back.
void GroupShard::lose(const HostedGroupPtr& hosted, const Error& why) {
  const bool fenced = why.code == ErrorCode::not_coordinator;
  metrics_.failed_writes.add();
  std::uint64_t suppressed = 0;
  if (failure_lines_.allow(suppressed)) {
    module_log().error("event=group_write_failed group={} error=\"{}\" suppressed={}", hosted->id,
                       why.message, suppressed);
  }
  hosted->unwritten.clear();
  if (hosted->phase == HostedGroup::Phase::away) return drop(hosted);
  answer_all(*hosted, fenced ? ErrorCode::not_coordinator : ErrorCode::coordinator_not_available);
  if (stopping_) return drop(hosted);
  if (fenced) return set_away(hosted);
  disarm(*hosted);
  count_as(*hosted, groups::GroupState::dead, {});
  hosted->group.reset();
  hosted->phase = HostedGroup::Phase::loading;
  ++hosted->failures;
  metrics_.loading.add(1);
  queue_load(hosted);
}

}  // namespace tidegate::broker
