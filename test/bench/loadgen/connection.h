// One blocking TCP connection that sends frames and reads answers. Not thread-safe, but one thread
// may send while another one reads: that is how requests are pipelined.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "wire.h"

namespace loadgen {

class Connection {
 public:
  explicit Connection(const std::string& address);  // HOST:PORT
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  Connection(Connection&& other) noexcept;
  ~Connection();

  int fd() const { return fd_; }

  void send(const std::string& frame);

  // The next answer's body (after the correlation id); valid until the next call.
  Reader receive();

  Reader call(const std::string& frame) {
    send(frame);
    return receive();
  }

 private:
  void read_more(size_t wanted);

  int fd_ = -1;
  std::string buffer_;
  size_t begin_ = 0, end_ = 0;
};

}  // namespace loadgen
