// A master on loopback: who leads, which filers there are, and the stream that tells of changes.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <grpcpp/server.h>

#include "fake/faults.h"
#include "seaweedfs/master.grpc.pb.h"

namespace tidegate::test {

class FakeMaster final : public master_pb::Seaweed::Service {
 public:
  explicit FakeMaster(int port = 0);
  ~FakeMaster() override;

  int port() const { return port_; }
  // HOST:PORT.GRPCPORT. A fake has no HTTP: that port is the same.
  std::string address() const;
  Faults& faults() { return faults_; }

  void set_leader(const std::string& address);  // empty: knows of none; its own: leads
  // Group and address of a filer that registers, or goes. Told to every client, as the real one does.
  void add_filer(const std::string& group, const std::string& address);
  void remove_filer(const std::string& group, const std::string& address);
  // HOST:PORT, of the default group.
  void add_broker(const std::string& address);
  void remove_broker(const std::string& address);
  // In the list only: for one whose change was missed.
  void forget_filers();
  void announce_ring(const std::string& group, const std::vector<std::string>& servers, std::int64_t version);
  int streams() const { return streams_.load(); }
  std::string last_client_type() const;

  using Context = grpc::ServerContext;
  grpc::Status GetMasterConfiguration(Context*, const master_pb::GetMasterConfigurationRequest*,
                                      master_pb::GetMasterConfigurationResponse*) override;
  grpc::Status ListClusterNodes(Context*, const master_pb::ListClusterNodesRequest*,
                                master_pb::ListClusterNodesResponse*) override;
  grpc::Status KeepConnected(
      Context*,
      grpc::ServerReaderWriter<master_pb::KeepConnectedResponse, master_pb::KeepConnectedRequest>*) override;

 private:
  struct Member {
    std::string group;
    std::string address;
    bool operator==(const Member&) const = default;
  };
  void announce(master_pb::KeepConnectedResponse message);
  bool leads() const { return leader_ == address(); }
  grpc::Status play(Context* context, const std::string& method);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string leader_;
  std::vector<Member> filers_;
  std::vector<std::string> brokers_;
  std::vector<master_pb::KeepConnectedResponse> announced_;
  std::string client_type_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> streams_{0};
  Faults faults_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace tidegate::test
