#include "fake/volume.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tidegate::test {
namespace {

std::string reply(int status, const std::string& body, const std::string& more = {}) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + more +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string from_base64url(const std::string& text) {
  const std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned bits = 0;
  int held = 0;
  for (const char c : text) {
    bits = (bits << 6) | static_cast<unsigned>(letters.find(c) & 63);
    if ((held += 6) >= 8) {
      held -= 8;
      out.push_back(static_cast<char>((bits >> held) & 0xff));
    }
  }
  return out;
}

bool send_all(int fd, const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto n = ::send(fd, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

FakeVolumeServer::FakeVolumeServer(NeedleStore& store, Keys keys, std::uint16_t port)
    : store_(store), keys_(std::move(keys)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const int on = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(port);
  socklen_t size = sizeof at;
  const bool good = ::bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 &&
                    ::listen(listener_, 128) == 0 &&
                    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size) == 0;
  EXPECT_TRUE(good) << "fake volume server cannot listen";
  port_ = ntohs(at.sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

FakeVolumeServer::~FakeVolumeServer() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  {
    std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  for (auto& thread : threads_) thread.join();
}

void FakeVolumeServer::accept_loop() {
  while (!stopping_) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    ++accepted_;
    std::lock_guard lock(mutex_);
    open_.insert(fd);
    threads_.emplace_back([this, fd] { serve(fd); });
  }
}

void FakeVolumeServer::serve(int fd) {
  std::string buffer;
  while (!stopping_) {
    const auto request = read_request(fd, buffer);
    if (!request || !send_all(fd, answer(*request))) break;
  }
  std::lock_guard lock(mutex_);
  open_.erase(fd);
  ::close(fd);
}

std::optional<FakeVolumeServer::Request> FakeVolumeServer::read_request(int fd, std::string& buffer) {
  std::array<char, 65536> part;
  auto more = [&] {
    const auto n = ::recv(fd, part.data(), part.size(), 0);
    if (n > 0) buffer.append(part.data(), static_cast<std::size_t>(n));
    return n > 0;
  };
  std::size_t head = 0;
  while ((head = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) return std::nullopt;
  }
  Request request;
  std::size_t length = 0;
  std::size_t at = buffer.find("\r\n");
  const std::string line = buffer.substr(0, at);
  request.method = line.substr(0, line.find(' '));
  std::string target = line.substr(request.method.size() + 1);
  target = target.substr(0, target.find(' '));
  request.path = target.substr(0, target.find('?'));
  if (request.path.size() < target.size()) request.query = target.substr(request.path.size() + 1);
  while (at < head) {
    const std::size_t end = buffer.find("\r\n", at + 2);
    const std::string header = buffer.substr(at + 2, end - at - 2);
    const std::string name = lower(header.substr(0, header.find(':')));
    const std::string value = header.size() > name.size() + 2 ? header.substr(name.size() + 2) : "";
    if (name == "content-length") length = std::stoul(value);
    if (name == "authorization") request.authorization = value;
    if (name == "range") request.range = value;
    if (name == "content-type") request.content_type = value;
    at = end;
  }
  while (buffer.size() < head + 4 + length) {
    if (!more()) return std::nullopt;
  }
  request.body = buffer.substr(head + 4, length);
  buffer.erase(0, head + 4 + length);
  return request;
}

bool FakeVolumeServer::allowed(const Request& request, const std::string& id, const std::string& key) const {
  if (key.empty()) return true;
  if (lower(request.authorization.substr(0, 7)) != "bearer ") return false;
  const std::string token = request.authorization.substr(7);
  const auto last = token.rfind('.');
  const auto first = token.find('.');
  if (last == std::string::npos || first == last) return false;
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(token.data()), last, mac.data(), &size);
  if (from_base64url(token.substr(last + 1)) != std::string(reinterpret_cast<char*>(mac.data()), size))
    return false;
  const auto claims =
      nlohmann::json::parse(from_base64url(token.substr(first + 1, last - first - 1)), nullptr, false);
  return claims.is_object() && claims.value("fid", "") == id && claims.value("exp", 0LL) > std::time(nullptr);
}

std::string FakeVolumeServer::answer(const Request& request) {
  const std::string id = request.path.empty() ? "" : request.path.substr(1);
  bool lose = false;
  if (const auto fault = faults_.take(request.method)) {
    if (fault->kind == Fault::Kind::status) return reply(fault->code, fault->text);
    if (fault->kind == Fault::Kind::body) return "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\ncut";
    const bool hang = fault->kind == Fault::Kind::hang;
    const auto until = std::chrono::steady_clock::now() + (hang ? std::chrono::hours(1) : fault->delay);
    while (!stopping_ && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    lose = fault->kind == Fault::Kind::lost_answer;
  }
  const bool reading = request.method == "GET";
  if (!allowed(request, id, reading ? keys_.read : keys_.write))
    return reply(401, R"({"error":"wrong jwt"})");
  if (reading) return get(request, id);
  std::lock_guard lock(store_.mutex);
  if (request.method == "DELETE") {
    return store_.needles.erase(id) > 0 ? reply(202, R"({"size":1})") : reply(404, R"({"size":0})");
  }
  EXPECT_EQ(request.content_type, "application/octet-stream");
  const auto known = store_.needles.find(id);
  const bool same = known != store_.needles.end() && known->second == request.body;
  store_.needles[id] = request.body;
  store_.synced[id] = request.query.find("fsync=true") != std::string::npos;
  if (lose) return "";
  return same ? reply(204, "") : reply(201, R"({"size":)" + std::to_string(request.body.size()) + "}");
}

std::string FakeVolumeServer::get(const Request& request, const std::string& id) {
  std::lock_guard lock(store_.mutex);
  const auto at = store_.needles.find(id);
  if (at == store_.needles.end()) return reply(404, "");
  const std::string& all = at->second;
  if (ignore_ranges_ || !request.range.starts_with("bytes=")) return reply(200, all);
  const auto dash = request.range.find('-');
  const std::size_t from = std::stoul(request.range.substr(6, dash - 6));
  const std::size_t to = std::min<std::size_t>(std::stoul(request.range.substr(dash + 1)), all.size() - 1);
  if (all.empty() || from >= all.size()) return reply(416, "");
  return reply(206, all.substr(from, to - from + 1));
}

}  // namespace tidegate::test
