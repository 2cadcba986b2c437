#include "tidegate/base/process_mark.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <optional>
#include <vector>

#include <fmt/format.h>

namespace tidegate {
namespace {

constexpr std::size_t kParts = 5;
// Fields of /proc/<pid>/stat behind the name, which ends with the last ')'.
constexpr std::size_t kStateField = 0;
constexpr std::size_t kStartField = 19;

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// What comes before the process id. Ids mean nothing outside of their namespace.
std::string machine() {
  std::array<char, 256> host{};
  std::array<char, 64> space{};
  std::string boot = text_of("/proc/sys/kernel/random/boot_id");
  while (!boot.empty() && boot.back() == '\n') boot.pop_back();
  if (boot.empty() || gethostname(host.data(), host.size() - 1) != 0) return {};
  if (readlink("/proc/self/ns/pid", space.data(), space.size() - 1) <= 0) return {};
  const std::string_view name = host.data();
  if (name.find('/') != std::string_view::npos) return {};
  return fmt::format("{}/{}/{}/", name, boot, space.data());
}

struct ProcessState {
  char state = '?';
  std::string start;
};

std::optional<ProcessState> state_of(const std::string& process) {
  const std::string stat = text_of("/proc/" + process + "/stat");
  const std::size_t name_end = stat.rfind(") ");
  if (name_end == std::string::npos) return std::nullopt;
  const auto fields = split(std::string_view(stat).substr(name_end + 2), ' ');
  if (fields.size() <= kStartField || fields[kStateField].empty()) return std::nullopt;
  return ProcessState{.state = fields[kStateField].front(), .start = std::string(fields[kStartField])};
}

}  // namespace

std::string process_mark() {
  const std::string where = machine();
  const auto self = state_of("self");
  if (where.empty() || !self) return {};
  return fmt::format("{}{}/{}", where, getpid(), self->start);
}

bool process_has_ended(std::string_view mark) {
  const std::string here = machine();
  if (here.empty() || !mark.starts_with(here)) return false;
  const auto parts = split(mark, '/');
  if (parts.size() != kParts) return false;
  const std::string_view id = parts[3];
  pid_t process = 0;
  const auto parsed = std::from_chars(id.data(), id.data() + id.size(), process);
  if (parsed.ec != std::errc() || parsed.ptr != id.data() + id.size() || process <= 0) return false;
  if (kill(process, 0) != 0 && errno == ESRCH) return true;
  const auto now = state_of(std::string(id));
  if (!now) return false;
  // One that nobody has waited for yet runs no more; one with another start only has the same id.
  return now->state == 'Z' || now->state == 'X' || now->start != parts[4];
}

}  // namespace tidegate
