// Mutual TLS as security.toml of SeaweedFS sets it up: the chain is checked on both sides, names are not.
#include <filesystem>
#include <fstream>

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include "fake/certificates.h"
#include "rpc/call.h"
#include "support/run_task.h"

namespace tidegate::storage::seaweedmq {
namespace {

class Service final : public master_pb::Seaweed::Service {
  grpc::Status GetMasterConfiguration(grpc::ServerContext*, const master_pb::GetMasterConfigurationRequest*,
                                      master_pb::GetMasterConfigurationResponse* response) override {
    response->set_leader("me");
    return grpc::Status::OK;
  }
};

class SeaweedTls : public ::testing::Test {
 public:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "tidegate-tls-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    const auto pair = authority_.issue("master");
    grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_root_certs = authority_.certificate();
    options.pem_key_cert_pairs = {{pair.key, pair.certificate}};
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(options), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_TRUE(server_);
  }
  ~SeaweedTls() override {
    calls_.close();
    if (server_) server_->Shutdown(std::chrono::system_clock::now());
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  std::string write(const std::string& name, const std::string& text) {
    const auto path = directory_ / name;
    std::ofstream(path) << text;
    return path.string();
  }
  TlsFiles files(const std::string& ca, const test::KeyPair& pair) {
    return {write("ca.crt", ca), write("client.crt", pair.certificate), write("client.key", pair.key)};
  }
  grpc::Status call(const TlsFiles& tls) {
    ClientOptions options;
    options.tls = tls;
    const auto connector = Connector::make(options);
    EXPECT_TRUE(connector);
    const auto via = (*connector)->connect("127.0.0.1:" + std::to_string(port_));
    auto ask = [this, via] {
      using Async = master_pb::Seaweed::StubInterface::async_interface;
      return unary_call<master_pb::Seaweed, master_pb::GetMasterConfigurationRequest,
                        master_pb::GetMasterConfigurationResponse>(
          calls_, via, &Async::GetMasterConfiguration, {}, std::chrono::seconds(5));
    };
    return shards_.run(ask).status;
  }

 protected:
  test::CertificateAuthority authority_;
  std::filesystem::path directory_;
  Service service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  test::ShardHarness shards_{1, test::RealClock{}};
  CallRegistry calls_;
};

TEST_F(SeaweedTls, CertificatesOfTheSameAuthority_AreEnough_WhateverTheirNames) {
  const auto status = call(files(authority_.certificate(), authority_.issue("anything")));
  EXPECT_TRUE(status.ok()) << describe(status);
}

TEST_F(SeaweedTls, ServerOfAnotherAuthority_IsNotTrusted) {
  test::CertificateAuthority other;
  EXPECT_FALSE(call(files(other.certificate(), authority_.issue("client"))).ok());
}

TEST_F(SeaweedTls, OurCertificateOfAnotherAuthority_IsRefusedThere) {
  test::CertificateAuthority other;
  EXPECT_FALSE(call(files(authority_.certificate(), other.issue("client"))).ok());
}

TEST_F(SeaweedTls, PlainText_IsRefusedThere) { EXPECT_FALSE(call({}).ok()); }

}  // namespace
}  // namespace tidegate::storage::seaweedmq
