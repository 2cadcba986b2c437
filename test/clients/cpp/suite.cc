// The case runner, control line and test data of suite.h.
#include "suite.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <random>

namespace suite {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void require(bool holds, const std::string& what) {
  if (!holds) throw Failure(what);
}

namespace {

int connect_to(const std::string& address) {
  const auto colon = address.rfind(':');
  require(colon != std::string::npos, "bad TG_CONTROL " + address);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  require(
      getaddrinfo(address.substr(0, colon).c_str(), address.substr(colon + 1).c_str(), &hints, &found) == 0,
      "cannot resolve " + address);
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0;
  freeaddrinfo(found);
  require(connected, "cannot connect to " + address);
  return fd;
}

}  // namespace

std::string control(const std::string& command) {
  const int fd = connect_to(environment("TG_CONTROL"));
  const std::string line = command + "\n";
  std::string answer;
  bool sent = write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  char c = 0;
  while (sent && answer.size() < 4096 && read(fd, &c, 1) == 1 && c != '\n') answer += c;
  close(fd);
  require(answer.starts_with("ok"), command + ": " + answer);
  return answer.size() > 3 ? answer.substr(3) : "";
}

int64_t dropped() { return std::stoll(control("dropped")); }

std::string topic_name(const std::string& prefix) {
  static std::mt19937_64 random{std::random_device{}()};
  return prefix + "-" + std::to_string(random());
}

std::string numbered(int32_t partition, int number) {
  return std::to_string(partition) + ":" + std::to_string(number) + ":" +
         std::string(static_cast<size_t>(number % 200), 'x');
}

std::string random_bytes(size_t size) {
  std::mt19937 random{42};
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::vector<Record> round_trip_records() {
  std::string all(256, '\0');
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<char>(i);
  const std::vector<std::optional<std::string>> contents{std::nullopt, "", "k", all};
  std::vector<Record> records;
  for (const auto& key : contents) {
    for (const auto& value : contents) {
      for (const bool with_headers : {false, true}) {
        Record record{.key = key,
                      .value = value,
                      .headers = {},
                      .timestamp_ms = kBaseMs + 7 * static_cast<int64_t>(records.size())};
        if (with_headers) {
          record.headers = {{"a", "1"}, {"null", std::nullopt}, {"empty", ""}, {"a", all}};
        }
        records.push_back(std::move(record));
      }
    }
  }
  return records;
}

int run(const Cases& cases) {
  const std::string wanted = environment("TG_CASE");
  bool failed = false;
  for (const auto& [name, body] : cases) {
    if (name.find(wanted) == std::string::npos) continue;
    try {
      body();
      std::printf("PASS %s\n", name.c_str());
    } catch (const Skip& skip) {
      std::printf("SKIP %s: %s\n", name.c_str(), skip.what());
    } catch (const std::exception& error) {
      failed = true;
      std::printf("FAIL %s: %.500s\n", name.c_str(), error.what());
    }
    std::fflush(stdout);
  }
  return failed ? 1 : 0;
}

}  // namespace suite
