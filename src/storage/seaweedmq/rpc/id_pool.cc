#include "rpc/id_pool.h"

#include <algorithm>
#include <utility>

namespace tidegate::storage::seaweedmq {

namespace {
constexpr std::size_t kGrowth = 4;
}

std::string pool_directory(const std::string& path) {
  if (path.starts_with("/topics/")) {
    std::size_t end = 0;
    for (int parts = 0; parts < 3 && end != std::string::npos; ++parts) end = path.find('/', end + 1);
    if (end != std::string::npos && path.find('/', end) == end) return path.substr(0, end);
  }
  const auto slash = path.rfind('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

std::shared_ptr<IdPool::Pool> IdPool::pool_of(const std::string& directory) {
  auto& pool = pools_[directory];
  if (!pool) {
    pool = std::make_shared<Pool>();
    pool->used_at = clock_.now();
    if (pools_.size() > kPools) {
      // The one that was idle longest; whoever waits in it holds it by itself.
      const auto oldest = std::ranges::min_element(
          pools_, [](const auto& a, const auto& b) { return a.second->used_at < b.second->used_at; });
      const auto keep = pool;
      if (oldest->second != keep) pools_.erase(oldest);
      return keep;
    }
  }
  return pool;
}

Assigned IdPool::take_from(Pool& pool) {
  Assigned out;
  out.file_id = pool.next.text();
  out.url = pool.url;
  out.authorization = sign_(out.file_id);
  if (out.authorization.empty() && !pool.token.empty()) {
    out.authorization = std::move(pool.token);
    pool.left = 1;  // the token names this id: the others are of no use
    pool.one_each = true;
  }
  ++pool.next.key;
  --pool.left;
  pool.used_at = clock_.now();
  return out;
}

Task<void> IdPool::fill(std::shared_ptr<Pool> pool, std::string path) {
  pool->filling = true;
  const bool was_filled = pool->good_until != MonoTime{};
  const bool in_time = clock_.now() < pool->good_until;
  if (was_filled && in_time) pool->wanted *= kGrowth;
  if (was_filled && !in_time) pool->wanted = std::max(pool->wanted / kGrowth, kFirstBlock);
  pool->wanted = pool->one_each ? 1 : std::min(pool->wanted, block_);
  const auto block = co_await fill_(std::move(path), pool->wanted);
  pool->filling = false;
  pool->trouble.reset();
  if (!block) {
    pool->trouble = block.error();
  } else if (const auto first = FileId::parse(block->first_file_id);
             first && !block->url.empty() && block->count > 0) {
    pool->next = *first;
    pool->left = block->count;
    pool->url = block->url;
    pool->token = block->authorization;
    pool->good_until = clock_.now() + kBlockLife;
  } else {
    pool->trouble =
        Error{ErrorCode::kafka_storage_error, "assign_volume: no id but '" + block->first_file_id + "'"};
  }
  pool->filled.notify_all();
}

Task<Result<Assigned>> IdPool::take(std::string path) {
  const auto pool = pool_of(pool_directory(path));
  while (!has_id(*pool)) {
    if (pool->filling) {
      co_await pool->filled.wait();
    } else {
      co_await fill(pool, path);
    }
    // One failure is enough for all that waited: each trying for itself would queue up their deadlines.
    if (!has_id(*pool) && pool->trouble) co_return tidegate::fail(*pool->trouble);
  }
  co_return take_from(*pool);
}

void IdPool::drop_volume(std::uint32_t volume) {
  for (auto& [directory, pool] : pools_) {
    if (pool->next.volume == volume) pool->left = 0;
  }
}

}  // namespace tidegate::storage::seaweedmq
