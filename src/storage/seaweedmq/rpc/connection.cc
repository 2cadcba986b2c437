#include "rpc/connection.h"

#include <fstream>
#include <limits>
#include <utility>
#include <vector>

#include <grpcpp/create_channel.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

namespace tidegate::storage::seaweedmq {
namespace {

constexpr int kKeepaliveMs = 30'000;  // servers end connections that ping more often than every 20 s
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kLongestReconnectMs = 1'000;
constexpr unsigned kReadCertificatesEveryS = 60;

Result<void> readable(const std::string& path, const char* what) {
  if (path.empty()) return fail(ErrorCode::invalid_config, std::string("TLS needs ") + what);
  if (!std::ifstream(path).good()) {
    return fail(ErrorCode::invalid_config, std::string(what) + " '" + path + "' cannot be read");
  }
  return {};
}

// SeaweedFS checks the chain and not the name: its certificates are made for components, not for hosts.
std::shared_ptr<grpc::ChannelCredentials> tls_credentials(const TlsFiles& files) {
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      files.key, files.certificate, files.ca, kReadCertificatesEveryS));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(true);
  options.set_certificate_verifier(std::make_shared<grpc::experimental::NoOpCertificateVerifier>());
  options.set_check_call_host(false);
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace

Result<std::shared_ptr<Connector>> Connector::make(const ClientOptions& options) {
  auto connector = std::make_shared<Connector>();
  connector->rewrite_ = options.rewrite;
  connector->connect_timeout_ms_ = static_cast<int>(
      std::chrono::duration_cast<std::chrono::milliseconds>(options.connect_timeout).count());
  connector->max_message_bytes_ =
      static_cast<int>(std::min<std::size_t>(options.max_message_bytes, std::numeric_limits<int>::max()));
  if (!options.tls.any()) {
    connector->credentials_ = grpc::InsecureChannelCredentials();
    return connector;
  }
  if (auto ca = readable(options.tls.ca, "the CA file"); !ca) return fail(ca.error());
  if (auto cert = readable(options.tls.certificate, "the certificate file"); !cert) return fail(cert.error());
  if (auto key = readable(options.tls.key, "the key file"); !key) return fail(key.error());
  connector->credentials_ = tls_credentials(options.tls);
  return connector;
}

std::shared_ptr<Connection> Connector::connect(const std::string& endpoint) const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
  arguments.SetMaxReceiveMessageSize(max_message_bytes_);
  arguments.SetMaxSendMessageSize(max_message_bytes_);
  // The library's own back-off goes up to two minutes; the least one is also the time to connect.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLongestReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, connect_timeout_ms_);
  // Without these a new channel would share the old one's connection, and a proxy meant for the web
  // would stand in between.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return std::make_shared<Connection>(
      grpc::CreateCustomChannel(rewrite_.apply(endpoint), credentials_, arguments));
}

std::shared_ptr<Connection> Endpoint::connection() {
  std::lock_guard lock(mutex_);
  if (!connection_) connection_ = connector_->connect(address_);
  return connection_;
}

void Endpoint::report(bool reached) {
  if (reached) {
    breaker_.succeeded();
    return;
  }
  if (!breaker_.failed()) return;
  std::shared_ptr<Connection> gone;  // destroyed outside of the lock
  std::lock_guard lock(mutex_);
  gone = std::exchange(connection_, nullptr);
}

}  // namespace tidegate::storage::seaweedmq
