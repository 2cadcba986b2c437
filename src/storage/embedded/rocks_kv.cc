// The only file that knows RocksDB. The options are for a small database in a small process: it holds
// topics, configs, epochs and coordinator state, and opens in about 10 ms with 3 MB of memory.
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>

#include "kv.h"
#include "tidegate/base/module_log.h"

namespace tidegate::storage::embedded {

namespace {

constexpr std::size_t kMiB = 1U << 20;

// RocksDB's warnings and errors go to the daemon's log; it keeps no log file of its own.
class LogBridge final : public rocksdb::Logger {
 public:
  LogBridge() : rocksdb::Logger(rocksdb::InfoLogLevel::ERROR_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    char line[512];
    if (std::vsnprintf(line, sizeof(line), format, arguments) > 0)
      module_log().warn("event=metadata_store {}", line);
  }
};

rocksdb::Options light_options() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = 4 * kMiB;
  options.arena_block_size = 64U << 10;
  options.max_open_files = 64;
  options.max_file_opening_threads = 1;
  options.max_background_jobs = 2;
  options.max_total_wal_size = 16 * kMiB;
  options.compression = rocksdb::kNoCompression;
  options.skip_stats_update_on_db_open = true;
  options.skip_checking_sst_file_sizes_on_db_open = true;
  options.avoid_flush_during_recovery = true;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.keep_log_file_num = 1;
  options.info_log = std::make_shared<LogBridge>();
  options.paranoid_checks = true;
  // A torn end is what a crash leaves; anything else that is damaged must stop the start, not shorten
  // the history without a word.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(4 * kMiB, 0);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }

Error metadata_error(const char* what, const rocksdb::Status& status) {
  return Error{ErrorCode::kafka_storage_error,
               std::string("metadata store: ") + what + ": " + status.ToString()};
}

class RocksKv final : public Kv {
 public:
  RocksKv(std::string dir, const RocksKvOptions& options)
      : dir_(std::move(dir)),
        env_(options.env != nullptr ? options.env : rocksdb::Env::Default()),
        unsynced_writes_(options.unsynced_writes) {}
  ~RocksKv() override { close(); }

  Result<void> open() override {
    rocksdb::DB* db = nullptr;
    if (auto made = make_dir(); !made.ok()) return fail(metadata_error("cannot make its directory", made));
    rocksdb::Options options = light_options();
    options.env = env_;
    // The kernel writes what is not synced in any order: behind a hole of a power cut there may be good
    // entries, which say nothing without those in front. What was synced is always in front of the hole.
    if (unsynced_writes_) {
      options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
      // After a kill the old log was read out of the page cache. A power cut that then tears it would take
      // the new one with it, synced or not: so nothing may rest on the old one once the store is open.
      options.avoid_flush_during_recovery = false;
    }
    const auto status = rocksdb::DB::Open(options, dir_, &db);
    if (status.IsCorruption() && !unsynced_writes_) {
      auto error = metadata_error("cannot open", status);
      error.message +=
          " (if this is from a power cut under storage.flush=interval or os, start once with that)";
      return fail(std::move(error));
    }
    if (!status.ok()) return fail(metadata_error("cannot open", status));
    db_.reset(db);
    return {};
  }

  void close() override {
    if (!db_) return;
    if (auto status = db_->Close(); !status.ok())
      module_log().warn("event=metadata_close error=\"{}\"", status.ToString());
    db_.reset();
  }

  Result<std::optional<std::string>> get(std::string_view key) override {
    std::string value;
    const auto status = db_->Get(rocksdb::ReadOptions(), slice(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return fail(metadata_error("get", status));
    return std::optional<std::string>(std::move(value));
  }

  Result<void> write(std::span<const KvOp> ops, bool sync) override {
    rocksdb::WriteBatch batch;
    for (const KvOp& op : ops) {
      const auto status = op.value ? batch.Put(slice(op.key), slice(*op.value)) : batch.Delete(slice(op.key));
      if (!status.ok()) return fail(metadata_error("write", status));
    }
    rocksdb::WriteOptions options;
    options.sync = sync;
    if (auto usable = go_on(); !usable.ok()) return fail(metadata_error("write", usable));
    auto status = db_->Write(options, &batch);
    if (!status.ok()) {
      failed_ = true;
      // A full disk leaves the database refusing writes until it is told to go on.
      if (go_on().ok()) status = db_->Write(options, &batch);
    }
    if (!status.ok()) {
      failed_ = true;
      return fail(metadata_error("write", status));
    }
    return {};
  }

  Result<void> scan(std::string_view from, std::string_view prefix,
                    std::function<bool(std::string_view, std::string_view)> each) override {
    const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(rocksdb::ReadOptions()));
    for (at->Seek(slice(std::max(from, prefix))); at->Valid(); at->Next()) {
      const std::string_view key(at->key().data(), at->key().size());
      if (!key.starts_with(prefix)) break;
      if (!each(key, {at->value().data(), at->value().size()})) break;
    }
    if (!at->status().ok()) return fail(metadata_error("scan", at->status()));
    return {};
  }

  Result<void> sync() override {
    if (auto usable = go_on(); !usable.ok()) return fail(metadata_error("sync", usable));
    const auto status = db_->FlushWAL(true);
    if (!status.ok()) {
      failed_ = true;
      return fail(metadata_error("sync", status));
    }
    return {};
  }

 private:
  // RocksDB would make it too, but not without complaining that it is missing, and it syncs only what is
  // in it: the name of a new store's directory has to be on disk as well.
  rocksdb::Status make_dir() {
    if (env_->FileExists(dir_ + "/CURRENT").ok()) return {};
    if (auto made = env_->CreateDirIfMissing(dir_); !made.ok()) return made;
    std::unique_ptr<rocksdb::Directory> above;
    if (auto opened = env_->NewDirectory(dir_.substr(0, dir_.rfind('/')), &above); !opened.ok())
      return opened;
    return above->Fsync();
  }

  // After a failed write or sync the log file of that moment must not be touched again (RocksDB asserts
  // that nobody does): Resume() turns to a new one, or says that the disk is still bad.
  rocksdb::Status go_on() {
    if (!failed_) return {};
    auto status = db_->Resume();
    if (status.ok()) failed_ = false;
    return status;
  }

  std::string dir_;
  rocksdb::Env* env_;
  std::atomic<bool> failed_ = false;  // written by one metadata thread, and by the one that stops the engine
  const bool unsynced_writes_;
  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace

std::unique_ptr<Kv> make_rocks_kv(std::string dir, const RocksKvOptions& options) {
  return std::make_unique<RocksKv>(std::move(dir), options);
}

}  // namespace tidegate::storage::embedded
