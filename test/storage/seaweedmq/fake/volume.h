// A volume server on loopback: needles by HTTP, in memory. Checks tokens when it has keys, heeds ranges,
// deletes. Threads of its own, one a connection.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "fake/faults.h"

namespace tidegate::test {

// What outlives a restart of the server.
struct NeedleStore {
  std::mutex mutex;
  std::map<std::string, std::string> needles;  // "volume,keycookie"
  std::map<std::string, bool> synced;          // whether the upload asked for it

  bool has(const std::string& id) {
    std::lock_guard lock(mutex);
    return needles.contains(id);
  }
  void erase(const std::string& id) {
    std::lock_guard lock(mutex);
    needles.erase(id);
  }
  std::size_t size() {
    std::lock_guard lock(mutex);
    return needles.size();
  }
};

class FakeVolumeServer {
 public:
  struct Keys {
    std::string write;
    std::string read;
  };
  FakeVolumeServer(NeedleStore& store, Keys keys, std::uint16_t port = 0);
  ~FakeVolumeServer();

  std::uint16_t port() const { return port_; }
  // PUT, GET, DELETE: a status fault's code is the HTTP status; a hang keeps the connection open.
  Faults& faults() { return faults_; }
  void ignore_ranges(bool on) { ignore_ranges_ = on; }
  int connections() const { return accepted_.load(); }

 private:
  struct Request {
    std::string method, path, query, authorization, range, content_type, body;
  };
  void accept_loop();
  void serve(int fd);
  std::optional<Request> read_request(int fd, std::string& buffer);
  std::string answer(const Request& request);
  std::string get(const Request& request, const std::string& id);
  bool allowed(const Request& request, const std::string& id, const std::string& key) const;

  NeedleStore& store_;
  const Keys keys_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  Faults faults_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> ignore_ranges_{false};
  std::atomic<int> accepted_{0};
  std::mutex mutex_;
  std::set<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace tidegate::test
