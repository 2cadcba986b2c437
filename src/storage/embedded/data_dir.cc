#include "data_dir.h"

#include <cerrno>
#include <charconv>

#include <fmt/format.h>

#include "layout.h"

namespace tidegate::storage::embedded {

namespace {

constexpr std::string_view kVersionFile = "VERSION";
constexpr std::string_view kVersionPrefix = "tidegate data format ";

std::unexpected<Error> dir_error(const std::string& dir, const IoError& error) {
  if (error.code == EACCES || error.code == EPERM) {
    return fail(ErrorCode::kafka_storage_error,
                fmt::format("data directory {}: no permission ({})", dir, error.text()));
  }
  return fail(storage_error("data directory " + dir, error));
}

std::string parent_of(const std::string& dir) {
  const auto slash = dir.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : dir.substr(0, slash);
}

// The directory and those above it that are missing; their names are on disk before anything is in them.
IoResult<void> make_dirs(Vfs& vfs, const std::string& dir) {
  auto made = vfs.make_dir(dir);
  if (!made && made.error().code == ENOENT && dir.find('/', 1) != std::string::npos) {
    if (auto above = make_dirs(vfs, parent_of(dir)); !above) return above;
    made = vfs.make_dir(dir);
  }
  if (!made) return std::unexpected(made.error());
  if (*made) return vfs.sync_dir(parent_of(dir));
  return {};
}

// True when the file had to be made.
Result<bool> check_version(Vfs& vfs, const std::string& dir) {
  const std::string path = dir + "/" + std::string(kVersionFile);
  auto content = read_file(vfs, path, 4096);
  if (!content && content.error().code == ENOENT) {
    auto wrote = write_file(vfs, dir, std::string(kVersionFile),
                            fmt::format("{}{}\n", kVersionPrefix, layout::kFormatVersion));
    if (!wrote) return dir_error(dir, wrote.error());
    return true;
  }
  if (!content) return dir_error(dir, content.error());
  int version = 0;
  const std::string_view text = *content;
  const bool ours = text.starts_with(kVersionPrefix);
  if (ours) {
    const std::string_view number = text.substr(kVersionPrefix.size());
    std::from_chars(number.data(), number.data() + number.size(), version);
  }
  if (version < 1) {
    return fail(ErrorCode::kafka_storage_error,
                fmt::format("data directory {}: the file VERSION is damaged", dir));
  }
  if (version > layout::kFormatVersion) {
    return fail(ErrorCode::kafka_storage_error,
                fmt::format("data directory {}: its format {} is newer than this program's {}", dir, version,
                            layout::kFormatVersion));
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<VfsLock>> take_data_dir(Vfs& vfs, const std::string& dir) {
  if (dir.empty()) return fail(ErrorCode::kafka_storage_error, "no data directory is given");
  if (auto made = make_dirs(vfs, dir); !made) return dir_error(dir, made.error());
  auto lock = vfs.lock(dir + "/LOCK");
  if (!lock && lock.error().would_block()) {
    return fail(ErrorCode::kafka_storage_error,
                fmt::format("data directory {}: in use by another process", dir));
  }
  if (!lock) return dir_error(dir, lock.error());
  auto logs = vfs.make_dir(dir + "/logs");
  if (!logs) return dir_error(dir, logs.error());
  // A version file that is made now syncs the directory, `logs` with it.
  auto made_version = check_version(vfs, dir);
  if (!made_version) return fail(std::move(made_version.error()));
  if (*logs && !*made_version) {
    if (auto synced = vfs.sync_dir(dir); !synced) return dir_error(dir, synced.error());
  }
  return std::move(*lock);
}

}  // namespace tidegate::storage::embedded
