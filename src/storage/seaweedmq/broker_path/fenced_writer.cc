#include "fenced_writer.h"

namespace tidegate::storage::seaweedmq {

Task<Result<void>> FencedWriter::erase(std::string directory, std::string name) {
  Entry entry;
  entry.name = std::move(name);
  return change(FencedChange::Kind::erase, std::move(directory), std::move(entry));
}

Task<Result<void>> FencedWriter::change(FencedChange::Kind kind, std::string directory, Entry entry) {
  while (busy_) co_await idle_.wait();
  busy_ = true;
  auto done = co_await try_change(kind, std::move(directory), std::move(entry));
  busy_ = false;
  idle_.notify_all();
  co_return done;
}

Task<Result<void>> FencedWriter::try_change(FencedChange::Kind kind, std::string directory, Entry entry) {
  const MonoTime give_up = home_.clock.now() + home_.options.give_up_after;
  Duration backoff = home_.options.first_backoff;
  Error last{ErrorCode::kafka_storage_error, "the filer refuses a change"};
  for (bool first = true;; first = false) {
    bool refused = false;
    if (doubt_) {
      const std::string etag = *doubt_;
      auto settled = co_await ownership_->settle(etag);
      if (!settled && settled.error().code == ErrorCode::not_leader_or_follower) co_return settled;
      if (!settled) last = std::move(settled.error());
      if (settled && doubt_ == etag) doubt_.reset();
    }
    if (!doubt_) {
      FencedChange change{.fence_path = ownership_->fence_path(),
                          .fence_etag = ownership_->etag(),
                          .kind = kind,
                          .directory = directory,
                          .entry = entry};
      const std::string etag = change.fence_etag;
      auto outcome = co_await home_.backend.filer.transact(std::move(change));
      if (outcome && *outcome == Outcome::done) co_return Result<void>{};
      if (!outcome) last = std::move(outcome.error());
      refused = outcome.has_value();
      doubt_ = etag;
      home_.metrics.retries.add();
    }
    if (given_up_) co_return fail(ErrorCode::kafka_storage_error, "the log is closed");
    // A refusal says that the fence has moved, which settle() looks into without delay.
    if (refused && first) continue;
    if (home_.clock.now() >= give_up) co_return fail(ErrorCode::kafka_storage_error, last.message);
    co_await home_.back_off(backoff);
  }
}

}  // namespace tidegate::storage::seaweedmq
