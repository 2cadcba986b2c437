// From settings to an engine over gRPC and HTTP.
#include "tidegate/storage/seaweedmq/seaweedmq_engine.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "client_source.h"
#include "engine.h"
#include "rpc/grpc_log.h"
#include "tidegate/base/process_mark.h"

namespace tidegate::storage {
namespace {

using namespace seaweedmq;

constexpr std::size_t kReplicationDigits = 3;
constexpr std::string_view kAckFlushed = "flushed";
constexpr std::string_view kAckBroker = "broker";
// A gateway that was killed is replaced after this and a fifth.
constexpr std::chrono::seconds kLease(5);

Result<ClientOptions> client_options(const SeaweedmqOptions& options) {
  ClientOptions out;
  for (const std::string& master : options.masters) {
    auto address = parse_server_address(master);
    if (!address) return fail(ErrorCode::invalid_config, "seaweedmq.masters: " + address.error().message);
    out.masters.push_back(std::move(*address));
  }
  auto rewrite = AddressRewrite::parse(options.address_rewrite);
  if (!rewrite)
    return fail(ErrorCode::invalid_config, "seaweedmq.address.rewrite: " + rewrite.error().message);
  out.rewrite = std::move(*rewrite);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!options.replication.empty() && (options.replication.size() != kReplicationDigits ||
                                       !std::ranges::all_of(options.replication, is_digit))) {
    return fail(ErrorCode::invalid_config,
                fmt::format("seaweedmq.replication is '{}', which is not three digits", options.replication));
  }
  out.filer_group = options.filer_group;
  out.tls = {.ca = options.tls_ca, .certificate = options.tls_certificate, .key = options.tls_key};
  out.volume_https = options.volume_https;
  out.jwt_write_key = options.jwt_write_key;
  out.jwt_read_key = options.jwt_read_key;
  out.replication = options.replication;
  out.fsync = options.fsync;
  out.find_brokers = true;
  out.volume_probe_interval = std::chrono::seconds(5);
  out.call_timeout = options.call_timeout;
  out.transfer_timeout = options.transfer_timeout;
  return out;
}

Result<EngineOptions> engine_options(const SeaweedmqOptions& options) {
  const auto path = parse_path(options.path);
  if (!path) {
    return fail(ErrorCode::invalid_config,
                fmt::format("seaweedmq.path is '{}'; there are direct and broker", options.path));
  }
  const auto layout = parse_layout(options.layout);
  if (!layout) {
    return fail(ErrorCode::invalid_config,
                fmt::format("seaweedmq.layout is '{}'; there are batch and record", options.layout));
  }
  if (options.ack != kAckFlushed && options.ack != kAckBroker) {
    return fail(ErrorCode::invalid_config,
                fmt::format("seaweedmq.ack is '{}'; there are flushed and broker", options.ack));
  }
  if (options.max_chunk_bytes < options.chunk_bytes) {
    return fail(ErrorCode::invalid_config, "seaweedmq.chunk.max.bytes is below seaweedmq.chunk.bytes");
  }
  EngineOptions out;
  out.topics = {.path = *path, .layout = *layout, .compacted = options.compacted_by_default};
  out.broker.flushed = options.ack == kAckFlushed;
  out.direct.linger = options.linger;
  out.direct.gather_bytes = options.chunk_bytes;
  out.direct.metadata_writes_per_second = static_cast<double>(options.metadata_writes_per_second);
  out.direct.max_chunk_bytes = options.max_chunk_bytes;
  out.tail_cache_bytes = options.tail_cache_bytes;
  out.chunk_cache_bytes = options.chunk_cache_bytes;
  out.wait_for_backend = true;
  out.lease = kLease;
  out.shares = true;
  out.process = process_mark();
  out.process_has_ended = process_has_ended;
  out.positions = options.positions;
  return out;
}

std::string_view meaning_on_direct(bool fsync) {
  return fsync
             ? "synced by the volume servers and named by the filer; a power loss of the filer's machine can "
               "take what its store had not synced"
             : "taken by the volume servers and named by the filer, not synced: a power loss can take it, "
               "the "
               "end of a process cannot";
}

std::string_view meaning_on_broker(bool flushed) {
  return flushed
             ? "read back from a log file that a broker has flushed to the volume servers, not synced: a "
               "power loss can take it, the end of a process cannot"
             : "in one broker's memory: what that broker has not flushed is lost when it and this gateway "
               "end together";
}

// What is in force: a topic may have the path that is not the default.
std::string durability_of(const SeaweedmqOptions& options) {
  const std::string_view direct = meaning_on_direct(options.fsync);
  const std::string_view broker = meaning_on_broker(options.ack == kAckFlushed);
  const bool on_broker = options.path == path_name(WritePath::broker);
  return fmt::format(
      "path={} layout={} fsync={} replication={} ack={} acks=all means=\"{}\" with_path_{}=\"{}\"",
      options.path, options.layout, options.fsync ? "on" : "off",
      options.replication.empty() ? "of-the-filer" : options.replication, options.ack,
      on_broker ? broker : direct, on_broker ? "direct" : "broker", on_broker ? direct : broker);
}

}  // namespace

Result<SeaweedmqParts> make_seaweedmq_engine(const SeaweedmqOptions& options, ShardPool& shards,
                                             const Clock& clock, Rng& rng, MetricRegistry& metrics) {
  auto for_engine = engine_options(options);
  if (!for_engine) return fail(std::move(for_engine.error()));
  auto for_client = client_options(options);
  if (!for_client) return fail(std::move(for_client.error()));
  send_grpc_log_to_ours();
  auto client = Client::make(shards, *for_client, metrics, rng.next());
  if (!client) return fail(std::move(client.error()));
  auto engine = std::make_unique<SeaweedmqEngine>(std::move(*for_engine),
                                                  std::make_unique<ClientSource>(std::move(*client)), shards,
                                                  clock, rng, metrics);
  SeaweedmqParts parts;
  parts.stop_waiting = [at = engine.get()] { return at->stop_waiting(); };
  parts.introduce = [at = engine.get()](Member self) { at->introduce(std::move(self)); };
  parts.cluster = &engine->cluster();
  parts.engine = std::move(engine);
  parts.durability = durability_of(options);
  return parts;
}

}  // namespace tidegate::storage
