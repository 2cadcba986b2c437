#include "fake/master.h"

#include <chrono>
#include <thread>

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

namespace tidegate::test {

FakeMaster::FakeMaster(int port) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  EXPECT_TRUE(server_) << "fake master cannot listen";
  leader_ = address();
}

FakeMaster::~FakeMaster() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

std::string FakeMaster::address() const {
  return "127.0.0.1:" + std::to_string(port_) + "." + std::to_string(port_);
}

void FakeMaster::set_leader(const std::string& address) {
  {
    std::lock_guard lock(mutex_);
    leader_ = address;
  }
  changed_.notify_all();
}

void FakeMaster::announce(master_pb::KeepConnectedResponse message) {
  announced_.push_back(std::move(message));
  changed_.notify_all();
}

void FakeMaster::add_filer(const std::string& group, const std::string& address) {
  std::lock_guard lock(mutex_);
  filers_.push_back({group, address});
  master_pb::KeepConnectedResponse message;
  auto& update = *message.mutable_cluster_node_update();
  update.set_node_type("filer");
  update.set_address(address);
  update.set_filer_group(group);
  update.set_is_add(true);
  announce(std::move(message));
}

void FakeMaster::remove_filer(const std::string& group, const std::string& address) {
  std::lock_guard lock(mutex_);
  std::erase(filers_, Member{group, address});
  master_pb::KeepConnectedResponse message;
  auto& update = *message.mutable_cluster_node_update();
  update.set_node_type("filer");
  update.set_address(address);
  update.set_filer_group(group);
  announce(std::move(message));
}

void FakeMaster::add_broker(const std::string& address) {
  std::lock_guard lock(mutex_);
  brokers_.push_back(address);
}

void FakeMaster::remove_broker(const std::string& address) {
  std::lock_guard lock(mutex_);
  std::erase(brokers_, address);
}

void FakeMaster::forget_filers() {
  std::lock_guard lock(mutex_);
  filers_.clear();
}

void FakeMaster::announce_ring(const std::string& group, const std::vector<std::string>& servers,
                               std::int64_t version) {
  std::lock_guard lock(mutex_);
  master_pb::KeepConnectedResponse message;
  auto& update = *message.mutable_lock_ring_update();
  update.set_filer_group(group);
  update.set_version(version);
  for (const auto& server : servers) update.add_servers(server);
  announce(std::move(message));
}

std::string FakeMaster::last_client_type() const {
  std::lock_guard lock(mutex_);
  return client_type_;
}

grpc::Status FakeMaster::play(Context* context, const std::string& method) {
  const auto fault = faults_.take(method);
  if (!fault) return grpc::Status::OK;
  if (fault->kind == Fault::Kind::hang) {
    while (!stopping_ && !context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return {static_cast<grpc::StatusCode>(fault->code), fault->text};
}

grpc::Status FakeMaster::GetMasterConfiguration(Context* context,
                                                const master_pb::GetMasterConfigurationRequest*,
                                                master_pb::GetMasterConfigurationResponse* response) {
  if (const auto bad = play(context, "GetMasterConfiguration"); !bad.ok()) return bad;
  std::lock_guard lock(mutex_);
  response->set_leader(leader_);
  return grpc::Status::OK;
}

grpc::Status FakeMaster::ListClusterNodes(Context* context, const master_pb::ListClusterNodesRequest* request,
                                          master_pb::ListClusterNodesResponse* response) {
  if (const auto bad = play(context, "ListClusterNodes"); !bad.ok()) return bad;
  std::lock_guard lock(mutex_);
  if (!leads()) return grpc::Status::OK;
  if (request->client_type() == "broker") {
    for (const auto& broker : brokers_) response->add_cluster_nodes()->set_address(broker);
  }
  if (request->client_type() != "filer") return grpc::Status::OK;
  for (const auto& filer : filers_) {
    if (filer.group == request->filer_group()) response->add_cluster_nodes()->set_address(filer.address);
  }
  return grpc::Status::OK;
}

grpc::Status FakeMaster::KeepConnected(
    Context* context,
    grpc::ServerReaderWriter<master_pb::KeepConnectedResponse, master_pb::KeepConnectedRequest>* stream) {
  master_pb::KeepConnectedRequest request;
  if (!stream->Read(&request)) return grpc::Status::OK;
  if (const auto bad = play(context, "KeepConnected"); !bad.ok()) return bad;
  ++streams_;
  std::unique_lock lock(mutex_);
  client_type_ = request.client_type();
  master_pb::KeepConnectedResponse first;
  first.mutable_volume_location()->set_leader(leader_);
  std::size_t told = announced_.size();
  bool up = stream->Write(first);
  // Ends, as the real one does within its five seconds, when it no longer leads.
  while (up && !stopping_ && !context->IsCancelled() && leads()) {
    while (told < announced_.size() && up) up = stream->Write(announced_[told++]);
    changed_.wait_for(lock, std::chrono::milliseconds(20));
  }
  --streams_;
  return grpc::Status::OK;
}

}  // namespace tidegate::test
