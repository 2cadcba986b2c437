// The only file that knows RocksDB. The options are for a small database in a small process: it holds
// topics, configs, epochs and coordinator state, and opens in about 10 ms with 3 MB of memory.
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <spdlog/spdlog.h>

#include <cstdarg>
#include <cstdio>

#include "kv.h"

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
    if (std::vsnprintf(line, sizeof(line), format, arguments) > 0) spdlog::warn("event=metadata_store {}", line);
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
  return Error{ErrorCode::kafka_storage_error, std::string("metadata store: ") + what + ": " + status.ToString()};
}

class RocksKv final : public Kv {
 public:
  explicit RocksKv(std::string dir) : dir_(std::move(dir)) {}
  ~RocksKv() override { close(); }

  Result<void> open() override {
    rocksdb::DB* db = nullptr;
    // RocksDB makes it too, but not without complaining that it is missing.
    static_cast<void>(rocksdb::Env::Default()->CreateDirIfMissing(dir_));
    const auto status = rocksdb::DB::Open(light_options(), dir_, &db);
    if (!status.ok()) return fail(metadata_error("cannot open", status));
    db_.reset(db);
    return {};
  }

  void close() override {
    if (!db_) return;
    if (auto status = db_->Close(); !status.ok()) spdlog::warn("event=metadata_close error=\"{}\"", status.ToString());
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
    auto status = db_->Write(options, &batch);
    if (!status.ok() && db_->Resume().ok()) {
      // A full disk leaves the database refusing writes until it is told to go on.
      status = db_->Write(options, &batch);
    }
    if (!status.ok()) return fail(metadata_error("write", status));
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
    const auto status = db_->FlushWAL(true);
    if (!status.ok()) return fail(metadata_error("sync", status));
    return {};
  }

 private:
  std::string dir_;
  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace

std::unique_ptr<Kv> make_rocks_kv(std::string dir) { return std::make_unique<RocksKv>(std::move(dir)); }

}  // namespace tidegate::storage::embedded
