#include "rpc/http_transfer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tidegate::storage::seaweedmq {
namespace {

constexpr std::size_t kErrorTextBytes = 512;
constexpr long kUploadBufferBytes = 512L << 10;
constexpr long kReceiveBufferBytes = 256L << 10;

}  // namespace

HttpTransfer::~HttpTransfer() {
  easy.reset();  // refers to the headers
  curl_slist_free_all(headers_);
}

void HttpTransfer::prepare() {
  CURL* at = easy.get();
  curl_easy_setopt(at, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(at, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(at, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(at, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(at, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(at, CURLOPT_TIMEOUT_MS,
                   static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(request.timeout).count()));
  curl_easy_setopt(at, CURLOPT_ERRORBUFFER, error_.data());
  curl_easy_setopt(at, CURLOPT_WRITEFUNCTION, &HttpTransfer::on_write);
  curl_easy_setopt(at, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(at, CURLOPT_BUFFERSIZE, kReceiveBufferBytes);
  // A volume server that does not hold the volume sends us on to one that does.
  curl_easy_setopt(at, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(at, CURLOPT_MAXREDIRS, 2L);
  if (!request.bearer.empty())
    headers_ = curl_slist_append(headers_, ("Authorization: Bearer " + request.bearer).c_str());
  switch (request.verb) {
    case HttpRequest::Verb::get: {
      if (request.range_size == 0) break;
      const std::string range = std::to_string(request.range_offset) + "-" +
                                std::to_string(request.range_offset + request.range_size - 1);
      curl_easy_setopt(at, CURLOPT_RANGE, range.c_str());
      break;
    }
    case HttpRequest::Verb::put: {
      std::size_t size = 0;
      for (const auto& piece : request.body) size += piece.size();
      curl_easy_setopt(at, CURLOPT_UPLOAD, 1L);
      curl_easy_setopt(at, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(size));
      curl_easy_setopt(at, CURLOPT_READFUNCTION, &HttpTransfer::on_read);
      curl_easy_setopt(at, CURLOPT_READDATA, this);
      // A kept connection that the server has closed meanwhile: libcurl sends again on another.
      curl_easy_setopt(at, CURLOPT_SEEKFUNCTION, &HttpTransfer::on_seek);
      curl_easy_setopt(at, CURLOPT_SEEKDATA, this);
      curl_easy_setopt(at, CURLOPT_UPLOAD_BUFFERSIZE, kUploadBufferBytes);
      // Any other type may be compressed by the server. No 100-continue: it costs a round trip.
      headers_ = curl_slist_append(headers_, "Content-Type: application/octet-stream");
      headers_ = curl_slist_append(headers_, "Expect:");
      break;
    }
    case HttpRequest::Verb::erase:
      curl_easy_setopt(at, CURLOPT_CUSTOMREQUEST, "DELETE");
      break;
  }
  curl_easy_setopt(at, CURLOPT_HTTPHEADER, headers_);
}

std::size_t HttpTransfer::on_read(char* to, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  const std::size_t room = size * count;
  std::size_t done = 0;
  const auto& body = transfer.request.body;
  while (done < room && transfer.piece_ < body.size()) {
    const SharedBuffer& piece = body[transfer.piece_];
    const std::size_t part = std::min(room - done, piece.size() - transfer.piece_offset_);
    if (part > 0) std::memcpy(to + done, piece.data() + transfer.piece_offset_, part);
    done += part;
    transfer.piece_offset_ += part;
    if (transfer.piece_offset_ == piece.size()) {
      ++transfer.piece_;
      transfer.piece_offset_ = 0;
    }
  }
  return done;
}

int HttpTransfer::on_seek(void* self, curl_off_t offset, int origin) {
  if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  auto& transfer = *static_cast<HttpTransfer*>(self);
  transfer.piece_ = 0;
  transfer.piece_offset_ = 0;
  return CURL_SEEKFUNC_OK;
}

std::size_t HttpTransfer::on_write(char* from, std::size_t size, std::size_t count, void* self) {
  static_cast<HttpTransfer*>(self)->take(reinterpret_cast<const std::uint8_t*>(from), size * count);
  return size * count;
}

// Keeps the wanted range and no more, whether the server heeded the range or sent everything.
void HttpTransfer::take(const std::uint8_t* from, std::size_t size) {
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  const bool data = request.verb == HttpRequest::Verb::get && (status == 200 || status == 206);
  if (!received_) received_.emplace(data ? request.range_size : kErrorTextBytes);
  const std::uint64_t skip = data && status == 200 ? request.range_offset : 0;
  const std::uint64_t begins = seen_;
  seen_ += size;
  if (seen_ <= skip) return;
  const std::size_t unwanted = begins < skip ? static_cast<std::size_t>(skip - begins) : 0;
  const std::size_t part = std::min(size - unwanted, received_->size() - kept_);
  if (part == 0) return;
  std::memcpy(received_->data() + kept_, from + unwanted, part);
  kept_ += part;
}

void HttpTransfer::finish(CURLcode code) {
  if (code != CURLE_OK) {
    std::string why = error_[0] != '\0' ? error_.data() : curl_easy_strerror(code);
    if (code == CURLE_ABORTED_BY_CALLBACK) why = "the client is closing";
    result = fail(ErrorCode::network_exception, std::move(why));
    return;
  }
  HttpResponse response;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &response.status);
  if (received_) response.body = std::move(*received_).freeze(kept_);
  result = std::move(response);
}

}  // namespace tidegate::storage::seaweedmq
