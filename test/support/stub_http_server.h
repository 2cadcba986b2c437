// An HTTP server on 127.0.0.1 that misbehaves as it is told: each request gets the script of its path,
// written byte for byte, with pauses. One thread a connection; ends with the object.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tidegate::test {

// What one request gets: pieces, each after its pause; then the connection closes, or goes on.
struct StubAnswer {
  struct Piece {
    std::string bytes;
    std::chrono::milliseconds pause{0};
  };
  std::vector<Piece> pieces;
  bool close = false;
  bool forever = false;  // the last piece again and again, until the client goes

  static StubAnswer of(int status, std::string body, std::string headers = {}) {
    return {.pieces = {{"HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " +
                        std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body}}};
  }
};

class StubHttpServer {
 public:
  StubHttpServer() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 64), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    threads_.emplace_back([this] { accept_all(); });
  }
  ~StubHttpServer() {
    ended_ = true;
    for (;;) {
      std::thread thread;
      {
        const std::lock_guard lock(mutex_);
        if (threads_.empty()) break;
        thread = std::move(threads_.front());
        threads_.pop_front();
      }
      thread.join();
    }
    close(listener_);
  }
  StubHttpServer(const StubHttpServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void script(const std::string& path, StubAnswer answer) {
    const std::lock_guard lock(mutex_);
    answers_[path] = std::move(answer);
  }
  // Request lines and headers, as they came.
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  int connections() const { return connections_; }

 private:
  bool readable(int socket) const {
    while (!ended_) {
      pollfd watched{socket, POLLIN, 0};
      if (poll(&watched, 1, 20) > 0) return true;
    }
    return false;
  }
  void accept_all() {
    while (readable(listener_)) {
      const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) continue;
      ++connections_;
      const std::lock_guard lock(mutex_);
      threads_.emplace_back([this, socket] {
        while (serve_one(socket)) {
        }
        close(socket);
      });
    }
  }
  bool serve_one(int socket) {
    std::string request;
    while (!request.ends_with("\r\n\r\n")) {
      char byte = 0;
      if (!readable(socket) || recv(socket, &byte, 1, 0) != 1) return false;
      request += byte;
    }
    const std::size_t begin = request.find(' ') + 1;
    StubAnswer answer = StubAnswer::of(404, "{\"error_code\":40403}");
    {
      const std::lock_guard lock(mutex_);
      const auto at = answers_.find(request.substr(begin, request.find(' ', begin) - begin));
      if (at != answers_.end()) answer = at->second;
      requests_.push_back(std::move(request));
    }
    for (const auto& piece : answer.pieces) {
      if (!write_piece(socket, piece)) return false;
    }
    while (answer.forever && write_piece(socket, answer.pieces.back())) {
    }
    return !answer.close && !answer.forever;
  }
  bool write_piece(int socket, const StubAnswer::Piece& piece) const {
    for (auto waited = std::chrono::milliseconds(0); waited < piece.pause && !ended_;
         waited += std::chrono::milliseconds(10)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    if (ended_) return false;
    return send(socket, piece.bytes.data(), piece.bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(piece.bytes.size());
  }

  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> ended_{false};
  std::atomic<int> connections_{0};
  mutable std::mutex mutex_;
  std::map<std::string, StubAnswer> answers_;
  std::vector<std::string> requests_;
  std::list<std::thread> threads_;
};

}  // namespace tidegate::test
