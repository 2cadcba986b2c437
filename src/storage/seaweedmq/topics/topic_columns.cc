// Columns of a topic's values: in our record of it by compare-and-set, and in topic.conf, where SeaweedMQ's
// SQL engine looks for them.
#include <fmt/format.h>

#include "cluster/fence.h"
#include "format/names.h"
#include "topic_table.h"

namespace tidegate::storage::seaweedmq {

namespace {
constexpr int kAttempts = 5;
}

bool TopicTable::may_have_columns(const TopicId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  return found != by_id_.end() && !found->second.by_others && found->second.layout == Layout::record;
}

Task<Result<DeclaredColumns>> TopicTable::add_columns(TopicId id, DeclaredColumns more) {
  co_await lock();
  auto added = co_await add_columns_locked(id, std::move(more));
  unlock();
  co_return added;
}

Task<Result<DeclaredColumns>> TopicTable::add_columns_locked(TopicId id, DeclaredColumns more) {
  if (!may_have_columns(id)) co_return fail(ErrorCode::invalid_request, "the topic has no columns");
  DeclaredColumns all;
  const Change add = [&](TopicRecord& record) -> Result<void> {
    all = record.columns;
    if (!more.columns.empty()) tidegate::add_columns(all, more);
    record.columns = all;
    return {};
  };
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto name = name_of(id);
    if (!name) co_return fail(ErrorCode::unknown_topic_id, "the topic was deleted");
    auto found = co_await entries_.get(paths::topics_dir(), *name);
    if (!found) co_return fail(std::move(found.error()));
    auto record = parse_topic_record(found->content);
    if (!record) co_return fail(std::move(record.error()));
    if (record->removed || record->topic.id != id)
      co_return fail(ErrorCode::unknown_topic_id, "the topic was deleted");
    const DeclaredColumns before = record->columns;
    static_cast<void>(add(*record));
    if (more.columns.empty()) co_return all;
    if (all != before) {
      auto changed = co_await change(id, add);
      if (!changed) co_return fail(std::move(changed.error()));
      continue;  // what topic.conf gets is what is there then
    }
    // An earlier try may have ended between the two.
    if (record->path == WritePath::broker) {
      if (auto told = co_await configure_(std::move(*record)); !told) co_return fail(std::move(told.error()));
      co_return all;
    }
    auto put = co_await put_conf({.record = std::move(*record), .etag = found->etag});
    if (put) co_return all;
  }
  co_return fail(ErrorCode::kafka_storage_error, "the topic is changed by others all the time");
}

}  // namespace tidegate::storage::seaweedmq
