// gRPC channels to masters, filers and MQ brokers, and the endpoint they belong to. A channel whose server
// went silent is thrown away when its breaker opens: the next try begins with a new connection, because an
// old one that hangs half-open may take minutes to notice. Any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>

#include "rpc/breaker.h"
#include "rpc/options.h"
#include "rpc/rpc_metrics.h"
#include "seaweedfs/filer.grpc.pb.h"
#include "seaweedfs/master.grpc.pb.h"
#include "seaweedfs/mq.grpc.pb.h"
#include "tidegate/base/result.h"

namespace tidegate::storage::seaweedmq {

struct Connection {
  explicit Connection(const std::shared_ptr<grpc::Channel>& channel)
      : filer_stub(filer_pb::SeaweedFiler::NewStub(channel)),
        master_stub(master_pb::Seaweed::NewStub(channel)),
        broker_stub(messaging_pb::SeaweedMessaging::NewStub(channel)) {}

  filer_pb::SeaweedFiler::Stub& stub(filer_pb::SeaweedFiler*) { return *filer_stub; }
  master_pb::Seaweed::Stub& stub(master_pb::Seaweed*) { return *master_stub; }
  messaging_pb::SeaweedMessaging::Stub& stub(messaging_pb::SeaweedMessaging*) { return *broker_stub; }

  std::unique_ptr<filer_pb::SeaweedFiler::Stub> filer_stub;
  std::unique_ptr<master_pb::Seaweed::Stub> master_stub;
  std::unique_ptr<messaging_pb::SeaweedMessaging::Stub> broker_stub;
};

// Credentials and channel options, the same for every endpoint.
class Connector {
 public:
  // invalid_config when a TLS file cannot be read. They are read again every minute, so that renewed
  // certificates need no restart.
  static Result<std::shared_ptr<Connector>> make(const ClientOptions& options);
  std::shared_ptr<Connection> connect(const std::string& endpoint) const;

 private:
  std::shared_ptr<grpc::ChannelCredentials> credentials_;
  AddressRewrite rewrite_;
  int connect_timeout_ms_ = 0;
  int max_message_bytes_ = 0;
};

class Endpoint {
 public:
  Endpoint(std::string address, std::shared_ptr<Connector> connector, const Clock& clock, std::uint64_t seed,
           RpcMetrics& metrics, EndpointKind kind)
      : address_(std::move(address)),
        connector_(std::move(connector)),
        breaker_(clock, seed, metrics.open_breakers(kind)) {}

  const std::string& address() const { return address_; }  // HOST:GRPCPORT, before rewriting
  Breaker& breaker() { return breaker_; }
  std::shared_ptr<Connection> connection();
  // Tells the breaker, and drops the connection once it is open.
  void report(bool reached);

 private:
  const std::string address_;
  const std::shared_ptr<Connector> connector_;
  Breaker breaker_;
  std::mutex mutex_;
  std::shared_ptr<Connection> connection_;
};

}  // namespace tidegate::storage::seaweedmq
