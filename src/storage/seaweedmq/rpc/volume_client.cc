#include "rpc/volume_client.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "rpc/jwt.h"
#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {
namespace {

constexpr std::size_t kBreakers = 4096;
constexpr std::int64_t kTokenLifeS = 60;
constexpr std::int64_t kServerFaults = 500;
constexpr const char* kProbePath = "/topics/kafka/.meta/probe";

std::unexpected<Error> storage_error(Method method, const std::string& what) {
  return fail(ErrorCode::kafka_storage_error, std::string(method_name(method)) + ": " + what);
}

std::string said(const HttpResponse& response) {
  std::string text(reinterpret_cast<const char*>(response.body.data()), response.body.size());
  std::replace_if(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c > '~'; }, ' ');
  return "status " + std::to_string(response.status) + " " + text;
}

bool good(long status) { return status >= 200 && status < 300; }

}  // namespace

VolumeClient::VolumeClient(Shard& shard, const ClientOptions& options, FilerClient& filer,
                           RpcMetrics& metrics, std::uint64_t seed)
    : shard_(shard),
      options_(options),
      filer_(filer),
      metrics_(metrics),
      http_(shard, options),
      rng_(seed),
      pool_(
          shard.clock(), options.ids_per_assign,
          [this](std::string path, std::size_t count) {
            return filer_.assign(std::move(path), count, options_.replication);
          },
          [this](const std::string& file_id) { return token(options_.jwt_write_key, file_id); }) {}

std::string VolumeClient::token(const std::string& key, const std::string& file_id) const {
  if (key.empty()) return {};
  return sign_file_token(key, file_id, shard_.clock().wall_ms() / 1000 + kTokenLifeS);
}

std::string VolumeClient::url_of(const std::string& server, const std::string& file_id) const {
  return (options_.volume_https ? "https://" : "http://") + options_.rewrite.apply(server) + "/" + file_id;
}

std::shared_ptr<Breaker> VolumeClient::breaker_of(const std::string& server) {
  auto& breaker = breakers_[server];
  if (!breaker) {
    if (breakers_.size() > kBreakers) {
      breakers_.clear();  // those in use are held by who uses them
      return breakers_[server] = std::make_shared<Breaker>(shard_.clock(), rng_.next(),
                                                           metrics_.open_breakers(EndpointKind::volume));
    }
    breaker =
        std::make_shared<Breaker>(shard_.clock(), rng_.next(), metrics_.open_breakers(EndpointKind::volume));
  }
  return breaker;
}

Task<Result<HttpResponse>> VolumeClient::exchange(Method method, std::string server, HttpRequest request) {
  const auto breaker = breaker_of(server);
  if (!breaker->allow()) {
    metrics_.refused_by_breaker(EndpointKind::volume);
    co_return storage_error(method, server + " does not answer");
  }
  request.timeout = options_.transfer_timeout;
  const MonoTime began = shard_.clock().now();
  auto response = co_await http_.send(std::move(request));
  // An answer that tells of a fault there (a disk that is full) is an answer: the next volume may be good.
  if (response) {
    breaker->succeeded();
  } else {
    breaker->failed();
  }
  const bool failed = !response || response->status >= kServerFaults;
  metrics_.called(method, shard_.clock().now() - began, failed);
  if (!response) co_return storage_error(method, server + " " + response.error().message);
  co_return std::move(response);
}

Task<Result<Assigned>> VolumeClient::assign(std::string path) { return pool_.take(std::move(path)); }

Task<Result<void>> VolumeClient::upload(Assigned to, std::vector<SharedBuffer> pieces) {
  HttpRequest request;
  request.verb = HttpRequest::Verb::put;
  request.url = url_of(to.url, to.file_id);
  if (options_.fsync) request.url += "?fsync=true";
  request.bearer = to.authorization;
  std::size_t size = 0;
  for (const auto& piece : pieces) size += piece.size();
  request.body = std::move(pieces);
  auto response = co_await exchange(Method::volume_put, to.url, std::move(request));
  if (response && good(response->status)) {
    metrics_.sent_bytes().add(size);
    co_return Result<void>();
  }
  if (const auto id = FileId::parse(to.file_id)) pool_.drop_volume(id->volume);
  if (!response) co_return fail(std::move(response.error()));
  co_return storage_error(Method::volume_put, to.url + " " + said(*response));
}

Task<Result<void>> VolumeClient::probe() {
  auto to = co_await assign(kProbePath);
  if (!to) co_return fail(std::move(to.error()));
  const std::string id = to->file_id;
  std::vector<SharedBuffer> pieces;
  pieces.push_back(SharedBuffer::copy_of(as_bytes(std::string_view("tidegate probe"))));
  auto taken = co_await upload(std::move(*to), std::move(pieces));
  std::vector<std::string> made{id};
  if (taken) co_await discard(std::move(made));
  co_return taken;
}

Task<Result<std::vector<std::string>>> VolumeClient::locate(std::uint32_t volume, bool afresh) {
  const auto known = places_.find(volume);
  if (!afresh && known != places_.end() && shard_.clock().now() < known->second.good_until) {
    co_return known->second.urls;
  }
  auto urls = co_await filer_.volume_locations(volume);
  if (!urls) co_return fail(std::move(urls.error()));
  if (urls->empty()) {
    places_.erase(volume);
    co_return storage_error(Method::lookup_volume, "nobody has volume " + std::to_string(volume));
  }
  if (places_.size() >= kVolumesRemembered) places_.clear();
  places_[volume] = {*urls, shard_.clock().now() + kLocationLife};
  co_return std::move(urls);
}

Task<Result<VolumeClient::Fetched>> VolumeClient::fetch(FileId id, std::uint64_t offset,
                                                        std::uint64_t size_bytes, bool afresh) {
  auto servers = co_await locate(id.volume, afresh);
  if (!servers) co_return fail(std::move(servers.error()));
  // Replicas share the work.
  const std::size_t first = rng_.below(servers->size());
  const std::string file_id = id.text();
  std::optional<Error> trouble;
  for (std::size_t i = 0; i < servers->size(); ++i) {
    const std::string server = (*servers)[(first + i) % servers->size()];
    HttpRequest request;
    request.url = url_of(server, file_id);
    request.bearer = token(options_.jwt_read_key, file_id);
    request.range_offset = offset;
    request.range_size = size_bytes;
    auto response = co_await exchange(Method::volume_get, server, std::move(request));
    if (!response) {
      trouble = std::move(response.error());
    } else if (response->status == 200 || response->status == 206) {
      metrics_.received_bytes().add(response->body.size());
      co_return Fetched{.gone = false, .bytes = std::move(response->body)};
    } else if (response->status != 404) {
      trouble = Error{ErrorCode::kafka_storage_error, "volume_get: " + server + " " + said(*response)};
    }
  }
  if (trouble) co_return fail(std::move(*trouble));
  co_return Fetched{.gone = true, .bytes = {}};
}

Task<Result<std::optional<SharedBuffer>>> VolumeClient::download_part(FileId id, std::uint64_t offset,
                                                                      std::uint64_t size_bytes) {
  auto fetched = co_await fetch(id, offset, size_bytes, false);
  // What was remembered may be wrong: a server that no longer has the volume says 404 too.
  if (!fetched || fetched->gone) {
    metrics_.repeated(Method::volume_get);
    fetched = co_await fetch(id, offset, size_bytes, true);
  }
  if (!fetched) co_return fail(std::move(fetched.error()));
  if (fetched->gone) co_return std::nullopt;
  co_return std::move(fetched->bytes);
}

Task<Result<std::optional<SharedBuffer>>> VolumeClient::download(std::string file_id, std::uint64_t offset,
                                                                 std::uint64_t size_bytes) {
  const auto id = FileId::parse(file_id);
  if (!id) co_return storage_error(Method::volume_get, "'" + file_id + "' is no file id");
  if (size_bytes > kMaxDownloadBytes) {
    co_return storage_error(Method::volume_get, std::to_string(size_bytes) + " bytes at once are too many");
  }
  const std::uint64_t at_once = options_.max_message_bytes;
  if (size_bytes <= at_once) {
    if (size_bytes == 0) co_return SharedBuffer();
    co_return co_await download_part(*id, offset, size_bytes);
  }
  std::vector<SharedBuffer> parts;
  std::size_t have = 0;
  for (bool more = true; more && have < size_bytes;) {
    const std::uint64_t wanted = std::min(size_bytes - have, at_once);
    auto part = co_await download_part(*id, offset + have, wanted);
    if (!part || !*part) co_return part;
    more = (*part)->size() == wanted;
    have += (*part)->size();
    parts.push_back(std::move(**part));
  }
  MutableBuffer whole(have);
  std::uint8_t* to = whole.data();
  for (const SharedBuffer& part : parts) to = std::ranges::copy(part.bytes(), to).out;
  co_return std::move(whole).freeze();
}

Task<void> VolumeClient::discard(std::vector<std::string> file_ids) {
  for (const std::string& file_id : file_ids) {
    const auto id = FileId::parse(file_id);
    if (!id) continue;
    const auto servers = co_await locate(id->volume, false);
    if (!servers || servers->empty()) continue;
    HttpRequest request;
    request.verb = HttpRequest::Verb::erase;
    request.url = url_of(servers->front(), file_id);
    request.bearer = token(options_.jwt_write_key, file_id);
    const auto response = co_await exchange(Method::volume_delete, servers->front(), std::move(request));
    // Nothing refers to it: volume.fsck finds what stays behind.
    if (!response || (!good(response->status) && response->status != 404)) {
      module_log().debug("seaweedmq: needle stays behind id={}", file_id);
    }
  }
}

}  // namespace tidegate::storage::seaweedmq
