// Groups whose stored state makes no sense. Nothing is guessed and nothing is written over it: the group is
// shown as it is, its members are refused, and it goes when an administrator deletes it.
#include <chrono>

#include <fmt/format.h>

#include "groups/group_shard.h"
#include "tidegate/base/module_log.h"
#include "tidegate/groups/record.h"

namespace tidegate::broker {
namespace {

constexpr std::size_t kPage = 1000;
// Whoever was refused so recently is still at work: its group is not deleted under it.
constexpr auto kInUse = std::chrono::seconds(30);

std::string_view advice_for(const Error& why) {
  return why.code == ErrorCode::unsupported_version
             ? "Run the release that wrote it, or a later one; deleting the group deletes its committed "
               "offsets."
             : "Restore the data from a backup, or delete the group with its committed offsets.";
}

}  // namespace

void GroupShard::set_damaged(const HostedGroupPtr& hosted, groups::GroupType type, const Error& why) {
  hosted->phase = HostedGroup::Phase::damaged;
  hosted->stored_type = type;
  hosted->damage =
      fmt::format("What is stored of group '{}' cannot be read ({}). Nothing of it was changed. {}",
                  hosted->id, why.message, advice_for(why));
  metrics_.loading.add(-1);
  metrics_.unreadable.add(1);
  module_log().error("event=group_unreadable group={:?} error=\"{}\" advice=\"its members are refused. {}\"",
                     cut(hosted->id), why.message, advice_for(why));
}

HostedGroupPtr GroupShard::damaged(const std::string& id) const {
  const auto known = groups_.find(id);
  const bool is_damaged =
      known != groups_.end() && known->second->phase == HostedGroup::Phase::damaged && is_owned(id);
  return is_damaged && !stopping_ ? known->second : nullptr;
}

// Meanwhile it is as good as loading: whoever asks is told to come again.
Task<GroupAnswer> GroupShard::delete_damaged(HostedGroupPtr hosted) {
  if (hosted->refused_at && parts_.clock.now() - *hosted->refused_at < kInUse) {
    co_return std::unexpected(ErrorCode::non_empty_group);
  }
  const Busy busy(*this);
  hosted->phase = HostedGroup::Phase::loading;
  const auto erased = co_await erase_stored(hosted->id, hosted->epoch);
  hosted->phase = HostedGroup::Phase::damaged;
  if (!erased && erased.error().code == ErrorCode::not_coordinator) set_away(hosted);
  if (!erased) {
    module_log().error("event=unreadable_group_kept group={:?} error=\"{}\"", cut(hosted->id),
                       erased.error().message);
    const bool fenced = erased.error().code == ErrorCode::not_coordinator;
    co_return std::unexpected(fenced ? ErrorCode::not_coordinator : ErrorCode::coordinator_not_available);
  }
  module_log().warn("event=unreadable_group_deleted group={:?} entries={}", cut(hosted->id), *erased);
  drop(hosted);
  co_return groups::DeleteGroupReply{};
}

// In one batch: half of a group might make sense again. How many entries there were.
Task<Result<std::size_t>> GroupShard::erase_stored(std::string id, std::int32_t epoch) {
  const std::string scope = groups::scope_of_group(id);
  std::vector<storage::MetaOp> ops;
  std::string after;
  for (;;) {
    auto page = co_await parts_.engine.meta().scan(scope, {}, after, kPage);
    if (!page && page.error().code == ErrorCode::corrupt_message) {
      // Not even its entries can be told apart, nor who wrote them.
      if (!is_owned(id)) co_return fail(ErrorCode::not_coordinator, "another node owns the group");
      auto erased = co_await parts_.engine.meta().erase_damaged(scope);
      if (!erased) co_return fail(std::move(erased.error()));
      co_return 1;
    }
    if (!page) co_return fail(std::move(page.error()));
    for (storage::MetaEntry& entry : *page) {
      ops.push_back({storage::MetaOp::Kind::erase, entry.key, {}});
      after = std::move(entry.key);
    }
    if (page->size() < kPage) break;
  }
  const std::size_t entries = ops.size();
  if (!is_owned(id)) co_return fail(ErrorCode::not_coordinator, "another node owns the group");
  auto written =
      co_await parts_.engine.meta().put_batch(scope, epoch, std::move(ops), storage::MetaDurability::synced);
  if (!written) co_return fail(std::move(written.error()));
  co_return entries;
}

}  // namespace tidegate::broker
