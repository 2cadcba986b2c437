// One HTTP exchange inside of HttpClient: the easy handle, what it sends, what it received.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <curl/curl.h>

#include "rpc/http_client.h"
#include "tidegate/runtime/suspend.h"

namespace tidegate::storage::seaweedmq {

struct EasyCleanup {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using EasyHandle = std::unique_ptr<CURL, EasyCleanup>;

class HttpTransfer {
 public:
  HttpTransfer(EasyHandle handle, HttpRequest what) : easy(std::move(handle)), request(std::move(what)) {}
  ~HttpTransfer();
  HttpTransfer(const HttpTransfer&) = delete;

  void prepare();
  void finish(CURLcode code);

  EasyHandle easy;
  HttpRequest request;
  Resume resume;
  Result<HttpResponse> result;

 private:
  static std::size_t on_read(char* to, std::size_t size, std::size_t count, void* self);
  static int on_seek(void* self, curl_off_t offset, int origin);
  static std::size_t on_write(char* from, std::size_t size, std::size_t count, void* self);
  void take(const std::uint8_t* from, std::size_t size);

  curl_slist* headers_ = nullptr;
  std::array<char, CURL_ERROR_SIZE> error_{};
  // Sending: where in request.body.
  std::size_t piece_ = 0;
  std::size_t piece_offset_ = 0;
  // Receiving.
  std::optional<MutableBuffer> received_;
  std::uint64_t seen_ = 0;  // bytes of the body so far, kept or not
  std::size_t kept_ = 0;
};

}  // namespace tidegate::storage::seaweedmq
