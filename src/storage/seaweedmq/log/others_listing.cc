// What log files there are of a partition that SeaweedMQ's brokers write, and how that is kept up to date.
#include <algorithm>

#include <fmt/format.h>

#include "format/coding.h"
#include "others_log.h"
#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {

namespace {
// Brokers flush every few seconds.
constexpr Duration kUnwatched = std::chrono::seconds(15);
// Without a question nobody reads any more.
constexpr Duration kInterest = std::chrono::seconds(60);
// Files that went away are found this often, or when somebody reads them.
constexpr Duration kWhole = std::chrono::minutes(5);
}  // namespace

class OthersLog::Job {
 public:
  explicit Job(OthersLog& log) : log_(log) { ++log_.jobs_; }
  ~Job() {
    --log_.jobs_;
    log_.changed_.notify_all();
  }
  Job(const Job&) = delete;

 private:
  OthersLog& log_;
};

Task<Result<std::shared_ptr<OthersLog>>> OthersLog::open(LogShard& home, std::string directory,
                                                         std::shared_ptr<Ownership> ownership,
                                                         Options options) {
  auto log =
      std::make_shared<OthersLog>(home, std::move(directory), std::move(ownership), std::move(options));
  auto listed = co_await log->refresh(true);
  if (!listed) co_return fail(std::move(listed.error()));
  home.shard.spawn(log->watch(log, std::make_unique<Job>(*log)), "seaweedmq watch");
  co_return log;
}

void OthersLog::ask() const {
  const MonoTime now = home_.clock.now();
  if (now - std::exchange(asked_, now) > kInterest) wake_.notify_all();
}

Task<void> OthersLog::watch(std::shared_ptr<OthersLog> /*self*/, std::unique_ptr<Job> /*job*/) {
  while (!removed_ && !closing_) {
    // Up to an edge nothing comes, and only what goes away is of interest.
    const bool watched = home_.clock.now() - asked_ <= kInterest;
    const Duration quiet = options_.edge ? kWhole : kUnwatched;
    co_await wake_.wait_until(
        home_.shard.timers(),
        home_.clock.now() + (watched && !options_.edge ? home_.options.watch_others : quiet));
    if (removed_ || closing_) break;
    if (!ownership_->holds()) continue;
    auto listed = co_await refresh(home_.clock.now() - listed_ > kWhole);
    std::uint64_t suppressed = 0;
    if (!listed && home_.failure_lines.allow(suppressed)) {
      module_log().warn("event=listing_failed directory={} error=\"{}\" suppressed={}", directory_,
                        listed.error().message, suppressed);
    }
  }
}

Task<void> OthersLog::keep_house(std::int64_t) { co_return; }

Task<Result<void>> OthersLog::refresh(bool all) {
  const auto self = shared_from_this();
  while (listing_) co_await changed_.wait();
  listing_ = true;
  auto listed = co_await list(all);
  listing_ = false;
  changed_.notify_all();
  co_return listed;
}

// The last file that is known may have grown: it is listed again.
Task<Result<void>> OthersLog::list(bool all) {
  const MonoTime now = home_.clock.now();
  std::vector<OthersFile> files;
  if (!all && files_.size() > 1) files.assign(files_.begin(), std::prev(files_.end()));
  for (std::string after = files.empty() ? "" : files.back().name.to_string();;) {
    auto page = co_await home_.backend.filer.list(directory_, "", after, home_.options.list_page);
    if (!page) co_return fail(std::move(page.error()));
    for (const Entry& entry : *page) {
      const auto name = LogFileName::parse(entry.name);
      if (!name || entry.is_directory || entry.chunks.empty()) continue;
      if (options_.edge && *name > options_.edge->file) continue;
      OthersFile file{.name = *name};
      const bool is_edge = options_.edge && *name == options_.edge->file;
      for (const Chunk& chunk : entry.chunks) {
        if (is_edge && file.chunks.size() >= options_.edge->chunks) break;
        file.chunks.push_back({.stored = chunk});
        file.bytes += chunk.size_bytes;
      }
      // What the attributes say is of all its chunks.
      const Attributes attributes = file.chunks.size() == entry.chunks.size() ? entry.extended : Attributes();
      auto placed = co_await place(&file, attributes, files.empty() ? nullptr : &files.back());
      if (!placed) co_return placed;
      if (is_edge) {
        file.end = options_.edge->end;
        file.end_was_read = true;
      }
      if (!files.empty()) file.begin = files.back().begin + files.back().bytes;
      files.push_back(std::move(file));
    }
    if (page->size() < home_.options.list_page) break;
    after = page->back().name;
  }
  if (all) listed_ = now;
  co_await learn_edges(&files);
  adopt(std::move(files));
  co_return Result<void>{};
}

Task<Result<void>> OthersLog::place(OthersFile* file, Attributes attributes, const OthersFile* front) {
  const Offset above = front != nullptr ? front->end : 0;
  const Offset sure = front != nullptr ? front->sure_end() : 0;
  // What is known of its chunks still holds: none ever changes, they only become more.
  const auto known = std::ranges::lower_bound(files_, file->name, {}, &OthersFile::name);
  const bool same = known != files_.end() && known->name == file->name;
  for (std::size_t i = 0; same && i < std::min(known->chunks.size(), file->chunks.size()); ++i) {
    if (known->chunks[i].stored.file_id == file->chunks[i].stored.file_id)
      file->chunks[i].end = known->chunks[i].end;
  }
  const bool unchanged = same && known->chunks.size() == file->chunks.size() && known->base >= sure;
  if (unchanged && (known->end_was_read || known->base_was_read)) {
    file->base = known->base;
    file->base_was_read = known->base_was_read;
    file->end = known->end;
    file->end_was_read = known->end_was_read;
    co_return Result<void>{};
  }
  const auto offset_of = [&](const char* name) -> std::optional<Offset> {
    const auto found = attributes.find(name);
    if (found == attributes.end() || found->second.size() != sizeof(Offset)) return std::nullopt;
    return BigEndianReader(found->second).integer<Offset>();
  };
  const auto first = offset_of("offset_min");
  const auto last = offset_of("offset_max");
  const bool named = first && last && *first >= 0 && *last >= *first;
  // A window that begins at 0 says nothing, and what its file says is of the next one.
  if (!named || (*first > above && file->chunks.size() > 1)) co_return co_await learn_range(file, front);
  file->base = std::max({*first - 1, sure, Offset{0}});
  file->end = std::max(*last + 1, above);
  if (*first < sure && !std::exchange(overlap_told_, true)) {
    module_log().warn("event=offsets_given_twice directory={} file={} from_offset={} to_offset={} kept=first",
                      directory_, file->name.to_string(), *first, std::min(*last + 1, above));
  }
  co_return Result<void>{};
}

Task<Result<void>> OthersLog::learn_range(OthersFile* file, const OthersFile* front) {
  file->base = front != nullptr ? front->sure_end() : 0;
  file->end = file->base;
  for (OthersChunk& chunk : file->chunks) {
    std::vector<ChunkReader::Asked> asked{
        {.chunk = chunk.stored, .form = {.layout = Layout::record, .others_from = file->end}}};
    auto opened = co_await home_.chunks.read(std::move(asked));
    if (!opened) co_return fail(std::move(opened.error()));
    const ChunkPtr& open = opened->front();
    if (!open || open->damage) {
      module_log().warn("event=log_file_unreadable directory={} file={} reason=\"{}\"", directory_,
                        file->name.to_string(), open ? open->damage->message : "its data is gone");
    }
    if (!open || open->batches.empty()) continue;
    if (!std::exchange(file->base_was_read, true)) file->base = open->batches.front().header.base_offset;
    file->end = open->batches.back().header.next_offset();
    chunk.end = file->end;
    file->end_was_read = !open->damage;
  }
  if (front != nullptr && file->end < front->end) {
    file->end = front->end;
    file->end_was_read = false;
  }
  co_return Result<void>{};
}

// What cannot be read now is taken as the attributes say, and read with the next listing.
Task<void> OthersLog::learn_edges(std::vector<OthersFile>* files) {
  if (files->empty()) co_return;
  OthersFile& first = files->front();
  if (first.base > 0 && !first.base_was_read) {
    std::vector<ChunkReader::Asked> asked{{.chunk = first.chunks.front().stored,
                                           .form = {.layout = Layout::record, .others_from = first.base}}};
    const auto opened = co_await home_.chunks.read(std::move(asked));
    if (opened && opened->front() && !opened->front()->batches.empty()) {
      first.base = opened->front()->batches.front().header.base_offset;
      first.base_was_read = true;
    }
  }
  OthersFile& last = files->back();
  if (last.end_was_read) co_return;
  OthersChunk& chunk = last.chunks.back();
  std::vector<ChunkReader::Asked> asked{
      {.chunk = chunk.stored, .form = {.layout = Layout::record, .others_from = last.base}}};
  const auto opened = co_await home_.chunks.read(std::move(asked));
  if (!opened || !opened->front() || opened->front()->damage || opened->front()->batches.empty()) co_return;
  const Offset end = opened->front()->batches.back().header.next_offset();
  const Offset above = files->size() > 1 ? std::prev(files->end(), 2)->end : 0;
  if (end < above) co_return;
  last.end = end;
  last.end_was_read = true;
}

void OthersLog::adopt(std::vector<OthersFile> files) {
  const LogOffsets before{.log_start = start_, .high_watermark = end_, .log_end = end_};
  const bool first = files_.empty();
  files_ = std::move(files);
  if (!files_.empty()) end_ = std::max(end_, files_.back().end);
  start_ = files_.empty() ? end_ : std::max(start_, files_.front().base);
  if (start_ > before.log_start && !first) {
    module_log().warn("event=log_files_missing directory={} from_offset={} to_offset={}", directory_,
                      before.log_start, start_);
    home_.metrics.lost_ranges.add();
  }
  const bool moved = start_ != before.log_start || end_ != before.log_end;
  if (moved && listener_ && !removed_)
    listener_({.log_start = start_, .high_watermark = end_, .log_end = end_});
}

}  // namespace tidegate::storage::seaweedmq
