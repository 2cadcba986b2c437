#include "memory_backend.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "support/batches.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/suspend.h"

namespace tidegate::test {

using seaweed::Entry;
using seaweed::FencedChange;
using seaweed::Outcome;

namespace {

constexpr const char* kEtag = "Seaweed-X-Amz-ETag";

std::string join(const std::string& directory, const std::string& name) { return directory + "/" + name; }
std::string parent(const std::string& path) { return path.substr(0, path.rfind('/')); }
std::string leaf(const std::string& path) { return path.substr(path.rfind('/') + 1); }
Error unreachable() { return {ErrorCode::kafka_storage_error, "scripted failure"}; }

}  // namespace

// ------------------------------------------------------------------------------------------ controls

void MemoryCluster::set_script(Script script) {
  const std::lock_guard lock(mutex_);
  script_ = std::move(script);
}

void MemoryCluster::strike(SeaweedOp op, SeaweedFault fault, int nth, int times) {
  const std::lock_guard lock(mutex_);
  strikes_.push_back({op, {fault, {nth, times}}});
}

SeaweedFault MemoryCluster::fate(const SeaweedCall& call) {
  ++calls_[call.op];
  for (auto& [op, strike] : strikes_) {
    auto& [fault, when] = strike;
    auto& [nth, times] = when;
    if (op != call.op || times == 0) continue;
    if (nth > 1) {
      --nth;
      continue;
    }
    --times;
    return fault;
  }
  return script_ ? script_(call) : SeaweedFault::none;
}

int MemoryCluster::release_late() {
  const std::lock_guard lock(mutex_);
  int changed = 0;
  for (const Change& change : std::exchange(late_, {})) changed += change() ? 1 : 0;
  return changed;
}

void MemoryCluster::keep_view() {
  const std::lock_guard lock(mutex_);
  view_ = entries_;
}

void MemoryCluster::hold(SeaweedOp op) {
  const std::lock_guard lock(mutex_);
  holds_[op] = true;
}

void MemoryCluster::stop_holding() {
  const std::lock_guard lock(mutex_);
  holds_.clear();
}

void MemoryCluster::resume_held(bool newest_first) {
  std::vector<std::function<void()>> all;
  {
    const std::lock_guard lock(mutex_);
    holds_.clear();
    all.swap(held_);
  }
  if (newest_first) std::ranges::reverse(all);
  for (const auto& resume : all) resume();
}

std::size_t MemoryCluster::held() const {
  const std::lock_guard lock(mutex_);
  return held_.size();
}

std::vector<std::string> MemoryCluster::paths(const std::string& under) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  for (const auto& [path, entry] : entries_) {
    if (!entry.is_directory && path.starts_with(under)) all.push_back(path);
  }
  return all;
}

std::optional<Entry> MemoryCluster::entry(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(path);
  return found == entries_.end() ? std::nullopt : std::optional(found->second);
}

void MemoryCluster::set_entry(const std::string& path, Entry entry) {
  const std::lock_guard lock(mutex_);
  entry.name = leaf(path);
  make_parents(parent(path));
  entries_[path] = std::move(entry);
}

void MemoryCluster::drop_entry(const std::string& path) {
  const std::lock_guard lock(mutex_);
  entries_.erase(path);
}

std::size_t MemoryCluster::needles() const {
  const std::lock_guard lock(mutex_);
  return needles_.size();
}

std::vector<std::string> MemoryCluster::needle_ids() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  for (const auto& [id, bytes] : needles_) ids.push_back(id);
  return ids;
}

std::size_t MemoryCluster::unnamed_needles() const {
  const std::lock_guard lock(mutex_);
  std::set<std::string> named;
  for (const auto& [path, entry] : entries_) {
    for (const auto& chunk : entry.chunks) named.insert(chunk.file_id);
  }
  return static_cast<std::size_t>(
      std::ranges::count_if(needles_, [&](const auto& one) { return !named.contains(one.first); }));
}

void MemoryCluster::drop_needle(const std::string& file_id) {
  const std::lock_guard lock(mutex_);
  needles_.erase(file_id);
}

SharedBuffer MemoryCluster::needle(const std::string& file_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = needles_.find(file_id);
  return found == needles_.end() ? SharedBuffer() : found->second;
}

void MemoryCluster::set_needle(const std::string& file_id, SharedBuffer bytes) {
  const std::lock_guard lock(mutex_);
  needles_[file_id] = std::move(bytes);
}

std::uint64_t MemoryCluster::calls(SeaweedOp op) const {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(op);
  return found == calls_.end() ? 0 : found->second;
}

std::uint64_t MemoryCluster::downloaded_bytes() const {
  const std::lock_guard lock(mutex_);
  return downloaded_bytes_;
}

// ------------------------------------------------------------------------------------- under the lock

void MemoryCluster::make_parents(const std::string& directory) {
  for (std::string at = directory; !at.empty() && !entries_.contains(at); at = parent(at)) {
    Entry made;
    made.name = leaf(at);
    made.is_directory = true;
    made.created_s = made.modified_s = clock_s_;
    entries_[at] = std::move(made);
  }
}

// As the real one: needles that the entry of before named and this one does not are deleted.
void MemoryCluster::put(const std::string& path, Entry entry) {
  make_parents(parent(path));
  const auto before = entries_.find(path);
  entry.created_s = before == entries_.end() ? clock_s_ : before->second.created_s;
  entry.modified_s = clock_s_++;
  if (before != entries_.end()) {
    for (const auto& chunk : before->second.chunks) {
      const auto kept = std::ranges::find(entry.chunks, chunk.file_id, &seaweed::Chunk::file_id);
      if (kept == entry.chunks.end()) needles_.erase(chunk.file_id);
    }
  }
  entries_[path] = std::move(entry);
}

void MemoryCluster::erase_one(const std::string& path, bool data) {
  const auto found = entries_.find(path);
  if (found == entries_.end()) return;
  if (data) {
    for (const auto& chunk : found->second.chunks) needles_.erase(chunk.file_id);
  }
  entries_.erase(found);
}

bool MemoryCluster::transact(const FencedChange& change) {
  const auto fence = entries_.find(change.fence_path);
  if (change.fence_etag.empty()) {
    if (fence != entries_.end()) return false;
  } else {
    if (fence == entries_.end()) return false;
    const auto etag = fence->second.extended.find(kEtag);
    if (etag == fence->second.extended.end() || etag->second != change.fence_etag) return false;
  }
  const std::string path = join(change.directory, change.entry.name);
  switch (change.kind) {
    case FencedChange::Kind::put:
      put(path, change.entry);
      break;
    case FencedChange::Kind::erase:
      erase_one(path, change.erase_data);
      break;
    case FencedChange::Kind::patch_extended: {
      const auto at = entries_.find(path);
      if (at == entries_.end()) return false;
      for (const auto& [key, value] : change.entry.extended) at->second.extended[key] = value;
      break;
    }
  }
  return true;
}

// -------------------------------------------------------------------------------------------- client

Task<void> MemoryClient::travel(SeaweedOp op, bool held) {
  Shard* const shard = Shard::current();
  unsigned turns = 0;
  bool hold = held;
  {
    const std::lock_guard lock(cluster_.mutex_);
    const unsigned most = cluster_.delay_turns_;
    turns = most == 0 ? 0 : 1 + static_cast<unsigned>(cluster_.rng_.below(most));
    hold = held || cluster_.holds_.contains(op);
  }
  for (; turns > 0; --turns) {
    auto turn = [shard](Resume resume) { shard->post(std::move(resume)); };
    co_await suspend(turn);
  }
  if (!hold) co_return;
  auto park = [this, shard](Resume resume) {
    auto shared = std::make_shared<Resume>(std::move(resume));
    const std::lock_guard lock(cluster_.mutex_);
    cluster_.held_.push_back([shard, shared] {
      shard->post([shared] {
        Resume now = std::move(*shared);
        now();
      });
    });
  };
  co_await suspend(park);
}

Task<Result<Outcome>> MemoryClient::write(SeaweedCall call, MemoryCluster::Change change) {
  Result<Outcome> result = Outcome::done;
  const SeaweedOp op = call.op;
  bool held = false;
  {
    const std::lock_guard lock(cluster_.mutex_);
    const SeaweedFault fault = dead_ ? SeaweedFault::error_before : cluster_.fate(call);
    switch (fault) {
      case SeaweedFault::none:
        result = change() ? Outcome::done : Outcome::refused;
        break;
      case SeaweedFault::error_before:
        result = fail(unreachable());
        break;
      case SeaweedFault::error_after:
        change();
        result = fail(unreachable());
        break;
      case SeaweedFault::late_held:
        held = true;
        [[fallthrough]];
      case SeaweedFault::error_late:
        cluster_.late_.push_back(std::move(change));
        result = fail(unreachable());
        break;
      case SeaweedFault::refused:
      case SeaweedFault::stale:
        result = Outcome::refused;
        break;
    }
  }
  co_await travel(op, held);
  co_return result;
}

Task<Result<std::optional<Entry>>> MemoryClient::lookup(std::string directory, std::string name) {
  Result<std::optional<Entry>> result = std::nullopt;
  {
    const std::lock_guard lock(cluster_.mutex_);
    const std::string path = join(directory, name);
    const auto fault = cluster_.fate({SeaweedOp::lookup, path});
    const auto& entries = fault == SeaweedFault::stale ? cluster_.view_ : cluster_.entries_;
    if (dead_ || (fault != SeaweedFault::none && fault != SeaweedFault::stale)) {
      result = fail(unreachable());
    } else if (const auto found = entries.find(path); found != entries.end()) {
      result = found->second;
    }
  }
  co_await travel(SeaweedOp::lookup);
  co_return result;
}

Task<Result<std::vector<Entry>>> MemoryClient::list(std::string directory, std::string prefix,
                                                    std::string after, std::size_t limit) {
  Result<std::vector<Entry>> result;
  {
    const std::lock_guard lock(cluster_.mutex_);
    const auto fault = cluster_.fate({SeaweedOp::list, directory});
    const auto& entries = fault == SeaweedFault::stale ? cluster_.view_ : cluster_.entries_;
    if (dead_ || (fault != SeaweedFault::none && fault != SeaweedFault::stale)) {
      result = fail(unreachable());
    } else {
      const std::string within = directory + "/";
      for (auto at = entries.lower_bound(within); at != entries.end(); ++at) {
        if (!at->first.starts_with(within) || result->size() >= limit) break;
        const std::string name = at->first.substr(within.size());
        if (name.find('/') != std::string::npos || !name.starts_with(prefix) || name <= after) continue;
        result->push_back(at->second);
      }
    }
  }
  co_await travel(SeaweedOp::list);
  co_return result;
}

Task<Result<Outcome>> MemoryClient::create(std::string directory, Entry entry, bool exclusive) {
  const std::string path = join(directory, entry.name);
  auto change = [this, path, entry, exclusive] {
    if (exclusive && cluster_.entries_.contains(path)) return false;
    cluster_.put(path, entry);
    return true;
  };
  return write({SeaweedOp::create, path}, std::move(change));
}

Task<Result<Outcome>> MemoryClient::update(std::string directory, Entry entry, std::string key,
                                           std::optional<std::string> expected) {
  const std::string path = join(directory, entry.name);
  auto change = [this, path, entry, key, expected] {
    const auto found = cluster_.entries_.find(path);
    if (found == cluster_.entries_.end()) return false;
    const auto value = found->second.extended.find(key);
    const bool holds = value == found->second.extended.end() ? !expected : expected == value->second;
    if (holds) cluster_.put(path, entry);
    return holds;
  };
  return write({SeaweedOp::update, path}, std::move(change));
}

Task<Result<Outcome>> MemoryClient::transact(FencedChange change) {
  const std::string path = join(change.directory, change.entry.name);
  auto apply = [this, change = std::move(change)] { return cluster_.transact(change); };
  return write({SeaweedOp::transact, path}, std::move(apply));
}

Task<Result<void>> MemoryClient::erase(std::string directory, std::string name, bool recursive) {
  const std::string path = join(directory, name);
  auto change = [this, path, recursive] {
    const std::string within = path + "/";
    const auto first = cluster_.entries_.lower_bound(within);
    const bool holds_any = first != cluster_.entries_.end() && first->first.starts_with(within);
    if (holds_any && !recursive) return false;
    std::vector<std::string> below;
    for (auto at = first; at != cluster_.entries_.end() && at->first.starts_with(within); ++at)
      below.push_back(at->first);
    for (const auto& one : below) cluster_.erase_one(one, true);
    cluster_.erase_one(path, true);
    return true;
  };
  auto erased = co_await write({SeaweedOp::erase, path}, std::move(change));
  if (!erased) co_return fail(std::move(erased.error()));
  if (*erased == Outcome::refused)
    co_return fail(ErrorCode::kafka_storage_error, "directory is not empty: " + path);
  co_return Result<void>{};
}

Task<Result<seaweed::Assigned>> MemoryClient::assign(std::string path) {
  Result<seaweed::Assigned> result;
  {
    const std::lock_guard lock(cluster_.mutex_);
    if (dead_ || cluster_.fate({SeaweedOp::assign, path}) != SeaweedFault::none) {
      result = fail(unreachable());
    } else {
      result->file_id =
          fmt::format("{},{:06x}{:08x}", 1 + cluster_.next_needle_ % 3, cluster_.next_needle_, 0xABCDU);
      result->url = "memory";
      ++cluster_.next_needle_;
    }
  }
  co_return result;
}

Task<Result<void>> MemoryClient::upload(seaweed::Assigned to, std::vector<SharedBuffer> pieces) {
  auto change = [this, id = to.file_id, bytes = joined(pieces)] {
    cluster_.needles_[id] = bytes;
    return true;
  };
  auto uploaded = co_await write({SeaweedOp::upload, to.file_id}, std::move(change));
  if (!uploaded) co_return fail(std::move(uploaded.error()));
  co_return Result<void>{};
}

Task<Result<std::optional<SharedBuffer>>> MemoryClient::download(std::string file_id, std::uint64_t offset,
                                                                 std::uint64_t size_bytes) {
  Result<std::optional<SharedBuffer>> result = std::nullopt;
  {
    const std::lock_guard lock(cluster_.mutex_);
    if (dead_ || cluster_.fate({SeaweedOp::download, file_id}) != SeaweedFault::none) {
      result = fail(unreachable());
    } else if (const auto found = cluster_.needles_.find(file_id); found != cluster_.needles_.end()) {
      const std::size_t size = found->second.size();
      const std::size_t from = std::min<std::size_t>(offset, size);
      result = found->second.slice(from, std::min<std::size_t>(size_bytes, size - from));
      cluster_.downloaded_bytes_ += (*result)->size();
    }
  }
  co_await travel(SeaweedOp::download);
  co_return result;
}

Task<void> MemoryClient::discard(std::vector<std::string> file_ids) {
  const std::lock_guard lock(cluster_.mutex_);
  if (dead_) co_return;
  for (const auto& id : file_ids) cluster_.needles_.erase(id);
}

}  // namespace tidegate::test
