// Taking a log over: its state, then the entries of the files behind it. No data is read: an entry is written
// as a whole, and what it names was stored before.
#include <algorithm>

#include <fmt/format.h>

#include "direct_log.h"
#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {

Task<Result<std::shared_ptr<DirectLog>>> DirectLog::open(LogShard& home, LogPlace place, LogConfig config,
                                                         std::shared_ptr<Ownership> ownership) {
  auto log = std::make_shared<DirectLog>(home, std::move(place), config, std::move(ownership));
  auto recovered = co_await log->recover();
  if (!recovered) co_return fail(std::move(recovered.error()));
  co_return log;
}

Task<Result<void>> DirectLog::recover() {
  auto stored = co_await home_.backend.filer.lookup(paths::states_dir(place_.id.topic),
                                                    paths::state_name(place_.id.index));
  if (!stored) co_return fail(std::move(stored.error()));
  if (*stored) {
    auto state = parse_state((*stored)->content);
    if (!state) co_return fail(std::move(state.error()));
    state_ = std::move(*state);
  }
  auto listed = co_await list_files(state_.listed_to, "");
  if (!listed) co_return fail(std::move(listed.error()));
  take_last(*listed);
  auto files = without_residue(std::move(*listed));
  if (!files) co_return fail(std::move(files.error()));
  epochs_ = state_.epochs;
  take_epochs(*files);
  if (!epochs_.empty() && epochs_.back().epoch > ownership_->epoch()) {
    co_return fail(ErrorCode::kafka_storage_error,
                   fmt::format("{}: its files are of epoch {}, its fence {} is of {}", place_.directory,
                               epochs_.back().epoch, ownership_->fence_path(), ownership_->epoch()));
  }
  index_.put_first(std::move(*files));
  log_end_ = std::max({state_.log_end, state_.listed_end, index_.end()});
  committed_end_ = log_end_;
  log_start_ = state_.log_start;
  older_ = !state_.listed_to.empty() && state_.listed_bytes > 0;
  const Offset begin = index_.empty() ? log_end_ : index_.begin();
  if (!older_ && begin > log_start_) {
    module_log().warn("event=log_files_missing directory={} from_offset={} to_offset={}", place_.directory,
                      log_start_, begin);
    home_.metrics.lost_ranges.add();
    log_start_ = begin;
  }
  const LeaderEpoch epoch = ownership_->epoch();
  if (epochs_.empty() || epochs_.back().epoch < epoch) {
    // What began here and never had a batch does not count.
    std::erase_if(epochs_, [&](const EpochStart& entry) { return entry.start >= log_end_; });
    epochs_.push_back({.epoch = epoch, .start = log_end_});
  }
  co_return Result<void>{};
}

void DirectLog::take_last(const std::vector<LogFile>& files) {
  last_name_ = LogFileName::parse(state_.listed_to);
  last_ts_ns_ = state_.last_ts_ns;
  for (const LogFile& file : files) {
    if (!last_name_ || file.name > *last_name_) last_name_ = file.name;
    last_ts_ns_ = std::max(last_ts_ns_, file.last_ts_ns);
  }
}

void DirectLog::take_epochs(const std::vector<LogFile>& files) {
  for (const LogFile& file : files) {
    if (epochs_.empty() || epochs_.back().epoch < file.epoch)
      epochs_.push_back({.epoch = file.epoch, .start = file.base});
  }
}

Task<Result<std::vector<LogFile>>> DirectLog::list_files(std::string after, std::string last) {
  std::vector<LogFile> files;
  for (;;) {
    auto page = co_await home_.backend.filer.list(place_.directory, "", after, home_.options.list_page);
    if (!page) co_return fail(std::move(page.error()));
    for (const Entry& entry : *page) {
      if (!last.empty() && entry.name > last) co_return files;
      auto file = file_of(entry);
      if (!file) co_return fail(file.error().code, place_.directory + "/" + file.error().message);
      if (*file && (*file)->layout != place_.layout) {
        co_return fail(ErrorCode::corrupt_message, fmt::format("{}/{} is in layout {}", place_.directory,
                                                               entry.name, layout_name((*file)->layout)));
      }
      if (*file) files.push_back(std::move(**file));
    }
    if (page->size() < home_.options.list_page) co_return files;
    after = page->back().name;
  }
}

// Without what a merge or a trim that was cut short left behind.
Result<std::vector<LogFile>> DirectLog::without_residue(std::vector<LogFile> files) {
  std::vector<LogFile> kept;
  for (LogFile& file : files) {
    const Offset next = kept.empty() ? 0 : kept.back().end;
    if (file.end <= std::max(state_.log_start, next)) {
      doomed_.push_back(file.name);
    } else if (file.base < next) {
      return fail(ErrorCode::corrupt_message,
                  fmt::format("{}/{} begins at offset {}, before the end of the one in front, {}",
                              place_.directory, file.name.to_string(), file.base, next));
    } else {
      kept.push_back(std::move(file));
    }
  }
  return kept;
}

Task<Result<void>> DirectLog::load_older() {
  const auto self = shared_from_this();
  while (loading_older_) co_await changed_.wait();
  if (!older_) co_return Result<void>{};
  loading_older_ = true;
  auto listed = co_await list_files("", state_.listed_to);
  loading_older_ = false;
  changed_.notify_all();
  if (!listed) co_return fail(std::move(listed.error()));
  std::erase_if(*listed, [this](const LogFile& file) { return file.end > state_.listed_end; });
  auto files = without_residue(std::move(*listed));
  if (!files) co_return fail(std::move(files.error()));
  older_ = false;
  const Offset begin = files->empty() ? state_.listed_end : files->front().base;
  index_.put_first(std::move(*files));
  if (begin > log_start_) {
    module_log().warn("event=log_files_missing directory={} from_offset={} to_offset={}", place_.directory,
                      log_start_, begin);
    home_.metrics.lost_ranges.add();
    log_start_ = begin;
    tell();
  }
  co_return Result<void>{};
}

}  // namespace tidegate::storage::seaweedmq
