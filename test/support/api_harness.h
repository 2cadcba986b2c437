// A broker over the memory engine without sockets: requests go through the API table's rows as the
// server would send them, encoded and decoded, on a shard of the caller's choice.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/run_task.h"
#include "tidegate/api/api_table.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/schema_config.h"
#include "tidegate/broker/server_config.h"
#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/schema/batch_validator.h"
#include "tidegate/storage/memory/memory_engine.h"
#include "tidegate/storage/standalone_cluster.h"

namespace tidegate::test {

struct ApiHarnessOptions {
  unsigned shards = 2;
  std::map<std::string, std::string> config;  // server settings
  NodeId node = 1;
  std::string rack;
  storage::Cluster* cluster = nullptr;  // instead of one node alone
  // Puts something around the memory engine (a FaultEngine).
  std::function<std::unique_ptr<storage::Engine>(std::unique_ptr<storage::Engine>, ShardPool&)> wrap_engine;
  // The way to the registry that config's schema.registry.url names.
  std::function<std::unique_ptr<schema::HttpTransport>()> registry_transport;
};

// Topic settings that every engine's topics have.
inline std::size_t plain_topic_configs() {
  return static_cast<std::size_t>(
      std::ranges::count_if(broker::topic_config_table().keys(),
                            [](const ConfigKey& key) { return broker::is_setting_of(key, {}); }));
}

class ApiHarness {
 public:
  template <class F>
  auto run(F make_task, unsigned shard = 0) {
    return shards_.run(std::move(make_task), shard);
  }

  explicit ApiHarness(ApiHarnessOptions options = {})
      : config_(broker::server_config_table()),
        shards_(options.shards),
        engine_(storage::make_memory_engine({}, shards_.pool(), shards_.clock(), rng_, shards_.metrics())),
        cluster_("test-cluster",
                 storage::Member{.node = options.node, .rack = options.rack, .endpoints = {}}),
        blocking_(BlockingPoolOptions{}, shards_.metrics()) {
    if (options.wrap_engine) engine_ = options.wrap_engine(std::move(engine_), shards_.pool());
    for (const auto& [name, value] : options.config) {
      const auto set = config_.set(name, value, ConfigSource::file);
      EXPECT_TRUE(set) << (set ? "" : set.error().message);
    }
    session_->listener = "PLAINTEXT";
    session_->advertised_host = "broker.example";
    session_->advertised_port = 19092;
    cluster_used_ = options.cluster ? options.cluster : &cluster_;
    if (options.registry_transport) {
      registry_ = std::make_unique<schema::Registry>(broker::schema_registry_options(config_),
                                                     options.registry_transport(), shards_.shard(0),
                                                     blocking_, shards_.clock(), rng_, shards_.metrics());
    }
    schemas_ = std::make_unique<schema::BatchValidator>(registry_.get(), blocking_, shards_.metrics(),
                                                        broker::schema_validation_options(config_));
    const auto started = run([this] { return engine_->start(); });
    EXPECT_TRUE(started);
    start_broker();
  }
  ~ApiHarness() {
    run([this]() -> Task<void> {
      co_await broker_->stop();
      co_await engine_->stop();
    });
    shards_.stop();
  }

  // Another broker over what the engine holds, as after a restart of the process.
  void restart_broker() {
    run([this] { return broker_->stop(); });
    shards_.settle();
    former_.push_back(std::move(broker_));
    start_broker();
  }
  broker::Broker& broker() { return *broker_; }
  storage::Engine& engine() { return *engine_; }
  ShardHarness& shards() { return shards_; }
  unsigned last_shard() { return shards_.pool().size() - 1; }
  schema::Registry* registry() { return registry_.get(); }
  api::ClientSession& session() { return *session_; }

  // Sends `request` on the last shard, so that what belongs to shard 0 has to travel.
  template <class Response, class Request>
  Response call(const Request& request, std::int16_t version = Request::versions.max) {
    const api::Reply reply = call_raw(request, version);
    EXPECT_TRUE(reply.send);
    EXPECT_FALSE(reply.close) << reply.close_reason;
    last_error_ = reply.error_code;
    auto decoded = protocol::decode_response<Response>(joined(reply), version);
    EXPECT_TRUE(decoded) << (decoded ? "" : decoded.error().message);
    return decoded ? std::move(decoded->response) : Response{};
  }
  template <class Request>
  api::Reply call_raw(const Request& request, std::int16_t version) {
    return invoke(Request::kApiKey, version, body_of(request, version));
  }
  // The handler's coroutine, for a caller that runs it on a shard without waiting for it.
  template <class Request>
  Task<api::Reply> begin(const Request& request, std::int16_t version) {
    auto context = make_context(Request::kApiKey, version);
    return context->row->invoke(context, body_of(request, version));
  }
  api::Reply invoke(std::int16_t key, std::int16_t version, SharedBuffer body) {
    auto context = make_context(key, version);
    if (!context->row) return {};
    context->size_bytes = body.size();
    auto serve = [&] {
      if (context->row->begin) context->row->begin(*context);
      if (context->work) context->work->add(work_per_request_);
      return context->row->invoke(context, body);
    };
    return run(serve, last_shard());
  }
  api::RequestContextPtr make_context(std::int16_t key, std::int16_t version) {
    const api::ApiRow* row = api::find_api(key);
    if (row == nullptr) ADD_FAILURE() << "no row for key " << key;
    auto context = std::make_shared<api::RequestContext>();
    context->broker = broker_.get();
    context->row = row;
    context->version = version;
    context->correlation_id = 7;
    context->session = session_;
    context->received = shards_.clock().now();
    context->client_id = client_id_;
    return context;
  }
  // Of the requests from now on.
  void set_client_id(std::optional<std::string> client_id) { client_id_ = std::move(client_id); }
  // What shards seem to have worked for each, where somebody counts it.
  void set_work_per_request(Duration work) { work_per_request_ = work; }
  // What the last call() would have counted as its error.
  std::int16_t last_error() const { return last_error_; }

  // Makes a topic; the test fails when that does.
  broker::CatalogueTopicPtr make_topic(std::string name, std::int32_t partitions = 1,
                                       broker::TopicConfigs configs = {}) {
    auto created = run([&] {
      std::vector<broker::NewTopic> topics(1);
      topics.front() = {name, partitions, configs};
      return broker_->topics().create(std::move(topics), false);
    });
    EXPECT_TRUE(created.front()) << (created.front() ? "" : created.front().error().message);
    return created.front() ? *created.front() : nullptr;
  }
  broker::CatalogueTopicPtr find_topic(const std::string& name, unsigned shard = 0) {
    return shards_.call([&] { return broker_->topics().find(name); }, shard);
  }

  template <class Request>
  static SharedBuffer body_of(const Request& request, std::int16_t version) {
    const auto encoded = protocol::Codec<Request>::encode(request, version, {});
    EXPECT_EQ(encoded.problem, "");
    api::Reply body;
    body.chunks = encoded.chunks;
    return joined(body);
  }
  static SharedBuffer joined(const api::Reply& reply) {
    std::size_t size = 0;
    for (const auto& chunk : reply.chunks) size += chunk.size();
    MutableBuffer buffer(size);
    std::size_t at = 0;
    for (const auto& chunk : reply.chunks) {
      std::copy_n(chunk.data(), chunk.size(), buffer.data() + at);
      at += chunk.size();
    }
    return std::move(buffer).freeze();
  }

 private:
  void start_broker() {
    broker_ = std::make_unique<broker::Broker>(
        broker::BrokerParts{*engine_, *cluster_used_, shards_.pool(), blocking_, shards_.clock(), rng_,
                            shards_.metrics(), config_, schemas_.get()});
    const auto started = run([this] { return broker_->start(); });
    EXPECT_TRUE(started);
  }

  ConfigValues config_;
  SeededRng rng_{42};
  ShardHarness shards_;
  std::unique_ptr<storage::Engine> engine_;
  storage::StandaloneCluster cluster_;
  BlockingPool blocking_;
  std::shared_ptr<api::ClientSession> session_ = std::make_shared<api::ClientSession>();
  storage::Cluster* cluster_used_ = nullptr;
  std::vector<std::unique_ptr<broker::Broker>> former_;
  std::unique_ptr<schema::Registry> registry_;
  std::unique_ptr<schema::BatchValidator> schemas_;
  std::unique_ptr<broker::Broker> broker_;
  std::int16_t last_error_ = 0;
  std::optional<std::string> client_id_ = "test-client";
  Duration work_per_request_{0};
};

}  // namespace tidegate::test
