// Runs the daemon's binary for C++ end-to-end tests: a data directory of its own, free ports, ended by
// pid. TIDEGATE_BINARY names the binary.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <regex>
#include <string>
#include <vector>

extern char** environ;

namespace tidegate::test {

class DaemonProcess {
 public:
  explicit DaemonProcess(std::vector<std::string> options = {}, std::string engine = "memory") {
    const char* binary = std::getenv("TIDEGATE_BINARY");
    std::string pattern = (std::filesystem::temp_directory_path() / "tidegate-e2e-XXXXXX").string();
    data_dir_ = ::mkdtemp(pattern.data());
    std::vector<std::string> words = {binary ? binary : "build/release/tidegate",
                                      "serve",
                                      "--listen",
                                      "127.0.0.1:0",
                                      "--admin",
                                      "127.0.0.1:0",
                                      "--engine",
                                      std::move(engine),
                                      "--data-dir",
                                      data_dir_,
                                      "--ready-json",
                                      "--log-format",
                                      "text",
                                      "--log-level",
                                      "warn"};
    words.insert(words.end(), options.begin(), options.end());
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);

    int out[2];
    if (::pipe2(out, O_CLOEXEC) != 0) return;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    if (::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ) != 0) pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    ::close(out[1]);
    read_ready_line(out[0]);
    ::close(out[0]);
  }
  ~DaemonProcess() {
    stop(SIGKILL);
    std::filesystem::remove_all(data_dir_);
  }
  DaemonProcess(const DaemonProcess&) = delete;

  bool ready() const { return kafka_port_ != 0; }
  std::uint16_t kafka_port() const { return kafka_port_; }
  std::uint16_t admin_port() const { return admin_port_; }
  pid_t pid() const { return pid_; }
  // The exit status, or 128 + the signal that ended it.
  int stop(int signal) {
    if (pid_ <= 0) return -1;
    ::kill(pid_, signal);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  void read_ready_line(int fd) {
    std::string line;
    pollfd waiting{fd, POLLIN, 0};
    char piece[512];
    while (line.find('\n') == std::string::npos && ::poll(&waiting, 1, 30'000) > 0) {
      const auto got = ::read(fd, piece, sizeof piece);
      if (got <= 0) return;
      line.append(piece, static_cast<std::size_t>(got));
    }
    kafka_port_ = port_in(line, "kafka");
    admin_port_ = port_in(line, "admin");
  }
  static std::uint16_t port_in(const std::string& line, const std::string& listener) {
    std::smatch match;
    const std::regex wanted("\"" + listener + "\":\"[^\"]*:(\\d+)\"");
    return std::regex_search(line, match, wanted) ? static_cast<std::uint16_t>(std::stoi(match[1])) : 0;
  }

  pid_t pid_ = -1;
  std::string data_dir_;
  std::uint16_t kafka_port_ = 0;
  std::uint16_t admin_port_ = 0;
};

}  // namespace tidegate::test
