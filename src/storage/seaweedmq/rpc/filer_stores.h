// Whether the filers keep what they know in one store, or each in a store of its own, which follows the
// others by some milliseconds. A filer tells its store's signature. Lives on shard 0; kind() may be called on
// any.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tidegate/base/metrics.h"
#include "tidegate/base/result.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/task.h"

namespace tidegate::storage::seaweedmq {

class FilerStores {
 public:
  // The signature that the filer at HOST:GRPCPORT tells.
  using Ask = std::function<Task<Result<std::int32_t>>(std::string filer)>;
  enum class Kind { unknown, one, separate };

  FilerStores(Shard& shard, Ask ask, MetricRegistry& metrics);

  // The filers that there are, HOST:GRPCPORT each. Those that are new are asked, again and again until they
  // answer.
  void look(std::vector<std::string> filers);
  Task<void> stop();  // what Ask was called for must fail soon
  // Of the filers there are; one alone is one store. Warns when it becomes `separate`.
  Kind kind() const { return kind_.load(); }
  // Whether all of these, which may have gone since, are known to keep one store.
  bool is_one_store(const std::vector<std::string>& filers) const;

  static constexpr Duration kAgainAfter = std::chrono::seconds(5);
  // Filers that were there once are remembered up to here.
  static constexpr std::size_t kRemembered = 1000;

 private:
  Task<void> run();
  Task<void> ask_all();
  void judge();

  Shard& shard_;
  const Ask ask_;
  Gauge& stores_;
  std::vector<std::string> filers_;
  std::map<std::string, std::int32_t> signatures_;  // by filer
  std::atomic<Kind> kind_{Kind::unknown};
  bool running_ = false;
  bool stopping_ = false;
  Event changed_;
};

}  // namespace tidegate::storage::seaweedmq
