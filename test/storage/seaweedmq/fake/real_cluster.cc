// A real SeaweedFS as a test's cluster: three processes of the binary that TIDEGATE_WEED names, on loopback,
// in a directory of their own, ended by their pids.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "fake/cluster.h"

namespace tidegate::test {
namespace {

bool connects(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(port);
  const bool good = ::connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0;
  ::close(fd);
  return good;
}

// The master would place a file: a volume server is only useful some seconds after it has come up.
bool assigns(std::uint16_t master_port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(master_port);
  const std::string request = "GET /dir/assign HTTP/1.0\r\n\r\n";
  std::string answer;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 &&
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
    std::array<char, 4096> part{};
    for (ssize_t n = 0; (n = ::recv(fd, part.data(), part.size(), 0)) > 0;)
      answer.append(part.data(), static_cast<std::size_t>(n));
  }
  ::close(fd);
  return answer.find("\"fid\"") != std::string::npos;
}

// Free now; SeaweedFS takes numbers only, so another process could come first.
std::uint16_t free_port() {
  static std::set<std::uint16_t> given;
  while (true) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    const bool good = ::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 &&
                      ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0;
    ::close(fd);
    if (good && given.insert(ntohs(at.sin_port)).second) return ntohs(at.sin_port);
  }
}

class RealCluster final : public SeaweedCluster {
 public:
  explicit RealCluster(bool with_broker) : with_broker_(with_broker) {
    std::string pattern = (std::filesystem::temp_directory_path() / "tidegate-weed-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    for (const auto part : {Part::master, Part::volume, Part::filer, Part::broker}) {
      http_[part] = free_port();
      grpc_[part] = free_port();
      std::filesystem::create_directories(directory_ / name(part));
    }
  }
  ~RealCluster() override {
    for (const auto part : {Part::broker, Part::filer, Part::volume, Part::master}) kill(part);
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  bool start_all() {
    start(Part::master);
    start(Part::volume);
    start(Part::filer);
    if (with_broker_) start(Part::broker);
    return good_;
  }

  std::string master() const override { return address(Part::master); }
  std::uint16_t port_of(Part part) const override {
    return part == Part::volume ? http_.at(part) : grpc_.at(part);
  }

  void kill(Part part) override {
    const auto at = pids_.find(part);
    if (at == pids_.end()) return;
    ::kill(at->second, SIGKILL);
    ::waitpid(at->second, nullptr, 0);
    pids_.erase(at);
  }

  void start(Part part) override {
    std::vector<std::string> words{real_weed(),
                                   name(part),
                                   "-ip=127.0.0.1",
                                   "-ip.bind=127.0.0.1",
                                   "-port=" + std::to_string(http_[part]),
                                   "-port.grpc=" + std::to_string(grpc_[part])};
    const std::string data = (directory_ / name(part)).string();
    switch (part) {
      case Part::master:
        words.insert(words.end(), {"-mdir=" + data, "-telemetry=false", "-volumeSizeLimitMB=64"});
        break;
      case Part::volume:
        words.insert(words.end(), {"-dir=" + data, "-max=20", "-master=" + master()});
        break;
      case Part::filer:
        words.insert(words.end(), {"-master=" + master(), "-defaultStoreDir=" + data});
        break;
      case Part::broker:
        // It has one port, for gRPC, which it opens on every interface.
        words = {real_weed(),           "mq.broker",
                 "-ip=127.0.0.1",       "-port=" + std::to_string(grpc_[part]),
                 "-master=" + master(), "-logFlushInterval=1"};
        break;
    }
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const std::string log = (directory_ / (std::string(name(part)) + ".log")).string();
    const int out = ::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::dup2(out, 1);
      ::dup2(out, 2);
      if (::chdir(directory_.c_str()) == 0) ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
    ::close(out);
    pids_[part] = pid;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    bool up = false;
    while (!up && std::chrono::steady_clock::now() < until) {
      up = (part == Part::broker || connects(http_[part])) && connects(grpc_[part]);
      if (!up) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    // Without a master there is nobody to ask.
    while (up && part == Part::volume && pids_.contains(Part::master) && !assigns(http_[Part::master])) {
      up = std::chrono::steady_clock::now() < until;
      if (up) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    good_ = good_ && up;
    EXPECT_TRUE(up) << name(part) << " of " << real_weed() << " does not come up; see " << log;
  }

 private:
  static const char* name(Part part) {
    switch (part) {
      case Part::master:
        return "master";
      case Part::filer:
        return "filer";
      case Part::volume:
        return "volume";
      case Part::broker:
        return "broker";
    }
    return "";
  }
  std::string address(Part part) const {
    return "127.0.0.1:" + std::to_string(http_.at(part)) + "." + std::to_string(grpc_.at(part));
  }

  const bool with_broker_;
  std::filesystem::path directory_;
  std::map<Part, std::uint16_t> http_;
  std::map<Part, std::uint16_t> grpc_;
  std::map<Part, pid_t> pids_;
  bool good_ = true;
};

}  // namespace

const char* real_weed() {
  const char* binary = std::getenv("TIDEGATE_WEED");
  return binary && *binary ? binary : nullptr;
}

std::unique_ptr<SeaweedCluster> start_real_cluster(bool with_broker) {
  auto cluster = std::make_unique<RealCluster>(with_broker);
  if (!cluster->start_all()) return nullptr;
  return cluster;
}

}  // namespace tidegate::test
