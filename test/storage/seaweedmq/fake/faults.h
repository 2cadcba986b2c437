// What a fake server is told to do wrong, by method. Set by the test's thread, taken by the server's.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace tidegate::test {

struct Fault {
  enum class Kind {
    status,       // the call fails with `code` and `text`
    body,         // an error in the body, where the answer has room for one
    hang,         // no answer until the caller gives up
    lost_answer,  // done, and then UNAVAILABLE: the caller cannot know
    delay,        // done, after `delay`
  };
  Kind kind = Kind::status;
  int code = 14;  // UNAVAILABLE
  std::string text = "scripted";
  std::chrono::milliseconds delay{0};
  int times = 1;  // how many calls; -1: until cleared
  int after = 0;  // so many that go well
};

class Faults {
 public:
  void set(const std::string& method, Fault fault) {
    std::lock_guard lock(mutex_);
    faults_[method] = std::move(fault);
  }
  void clear() {
    std::lock_guard lock(mutex_);
    faults_.clear();
  }
  std::optional<Fault> take(const std::string& method) {
    std::lock_guard lock(mutex_);
    ++calls_[method];
    const auto at = faults_.find(method);
    if (at == faults_.end() || at->second.times == 0) return std::nullopt;
    if (at->second.after > 0) {
      --at->second.after;
      return std::nullopt;
    }
    if (at->second.times > 0) --at->second.times;
    return at->second;
  }
  int calls(const std::string& method) const {
    std::lock_guard lock(mutex_);
    const auto at = calls_.find(method);
    return at == calls_.end() ? 0 : at->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Fault> faults_;
  std::map<std::string, int> calls_;
};

}  // namespace tidegate::test
