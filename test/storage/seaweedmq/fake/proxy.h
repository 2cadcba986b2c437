// A TCP proxy on loopback that can misbehave: what stands between a client and a server, fake or real. One
// thread of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tidegate::test {

class FaultyProxy {
 public:
  enum class Mode {
    pass,
    refuse,  // connections, open and new, are reset: the server is dead
    hang,    // accepts, takes what is sent, and nothing comes through either way; what was sent is lost
    slow,    // a few kilobytes a second each way
    // The peer vanished and told nobody: what is open or comes now is never read, answered or ended again,
    // not after healing either. Only later connections work.
    half_open,
  };
  explicit FaultyProxy(std::uint16_t target_port);
  ~FaultyProxy();

  std::uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  void set(Mode mode);
  // Resets what is open, once.
  void reset_all();
  void set_target(std::uint16_t port) { target_ = port; }
  int connections() const { return connections_.load(); }

 private:
  struct Pair {
    int client = -1;
    int server = -1;
    // Connections that lived through a hang lost bytes: they can only be reset.
    bool damaged = false;
    // Half-open: left alone until the client gives it up.
    bool vanished = false;
    std::string to_server;
    std::string to_client;
  };
  void loop();
  void accept_one();
  bool pump(Pair& pair, short client_events, short server_events);
  void drop(Pair& pair, bool reset);
  void wake();

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<std::uint16_t> target_;
  std::atomic<Mode> mode_{Mode::pass};
  std::atomic<bool> reset_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  int wake_[2] = {-1, -1};
  std::vector<Pair> pairs_;  // of the thread
  std::thread thread_;
};

}  // namespace tidegate::test
