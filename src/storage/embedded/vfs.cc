#include "vfs.h"

#include <cerrno>
#include <system_error>

namespace tidegate::storage::embedded {

std::string IoError::text() const { return std::string(call) + ": " + std::generic_category().message(code); }

bool IoError::would_block() const { return code == EAGAIN || code == EWOULDBLOCK; }

Error storage_error(const std::string& what, const IoError& error) {
  return Error{ErrorCode::kafka_storage_error, what + ": " + error.text()};
}

IoResult<std::string> read_file(Vfs& vfs, const std::string& path, std::size_t max_bytes) {
  auto file = vfs.open(path, OpenMode::existing);
  if (!file) return std::unexpected(file.error());
  auto size = (*file)->size();
  if (!size) return std::unexpected(size.error());
  if (*size > max_bytes) return io_fail(EFBIG, "read");
  std::string content(*size, '\0');
  auto got = (*file)->pread({reinterpret_cast<std::uint8_t*>(content.data()), content.size()}, 0);
  if (!got) return std::unexpected(got.error());
  content.resize(*got);
  return content;
}

IoResult<void> write_file(Vfs& vfs, const std::string& dir, const std::string& name,
                          std::string_view content) {
  const std::string temporary = dir + "/" + name + ".tmp";
  auto file = vfs.open(temporary, OpenMode::create_empty);
  if (!file) return std::unexpected(file.error());
  const ByteView view = as_bytes(content);
  if (auto wrote = (*file)->pwritev({&view, 1}, 0); !wrote) return wrote;
  if (auto synced = (*file)->datasync(); !synced) return synced;
  if (auto renamed = vfs.rename(temporary, dir + "/" + name); !renamed) return renamed;
  return vfs.sync_dir(dir);
}

namespace {
constexpr int kMaxDepth = 3;

IoResult<void> remove_level(Vfs& vfs, const std::string& dir, int depth) {
  auto names = vfs.list(dir);
  if (!names) {
    if (names.error().code == ENOENT) return {};
    return std::unexpected(names.error());
  }
  for (const auto& name : *names) {
    const std::string path = dir + "/" + name;
    auto gone = vfs.unlink(path);
    if (gone || gone.error().code == ENOENT) continue;
    // Linux says EISDIR, POSIX EPERM, for a directory.
    if ((gone.error().code != EISDIR && gone.error().code != EPERM) || depth >= kMaxDepth) return gone;
    if (auto below = remove_level(vfs, path, depth + 1); !below) return below;
  }
  auto removed = vfs.remove_dir(dir);
  if (!removed && removed.error().code != ENOENT) return removed;
  return {};
}
}  // namespace

IoResult<void> remove_tree(Vfs& vfs, const std::string& dir) { return remove_level(vfs, dir, 0); }

}  // namespace tidegate::storage::embedded
