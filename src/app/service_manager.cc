#include "service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdint>

namespace tidegate::app {
namespace {

std::uint64_t number(const char* text) {
  std::uint64_t value = 0;
  const std::string_view digits = text ? text : "";
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc{} && end == digits.data() + digits.size() ? value : 0;
}

}  // namespace

ServiceManager::ServiceManager(const char* (*get)(const char* name)) {
  if (const char* path = get("NOTIFY_SOCKET")) socket_ = path;
  const char* pid = get("WATCHDOG_PID");
  // Meant for another process when it came down from a parent.
  const bool is_ours = !pid || number(pid) == static_cast<std::uint64_t>(getpid());
  const auto limit = number(get("WATCHDOG_USEC"));
  constexpr std::uint64_t kLongest = 86'400'000'000;
  if (is_ours && !socket_.empty() && limit <= kLongest) watchdog_ = std::chrono::microseconds(limit);
}

void ServiceManager::tell(std::string_view state) const {
  sockaddr_un address{};
  if (socket_.empty() || socket_.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  socket_.copy(address.sun_path, socket_.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // an abstract name
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  sendto(fd, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&address),
         size);
  close(fd);
}

}  // namespace tidegate::app
