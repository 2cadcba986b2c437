// An engine over the fake SeaweedFS with its broker, and one partition of it.
#pragma once

#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "client_source.h"
#include "engine.h"
#include "fake/cluster.h"
#include "format/random_batches.h"
#include "format/record_messages.h"
#include "support/batches.h"
#include "support/run_task.h"

namespace tidegate::storage::seaweedmq {
using std::chrono::milliseconds;
using test::batch_of;
using test::FakeCluster;
using test::Fault;
using test::Part;
using Values = std::vector<std::string>;

struct RigOptions {
  bool others = false;      // SeaweedMQ has made the topic
  bool read_first = false;  // and it is not opened for writing by the rig
  Layout layout = Layout::batch;
  bool flushed = true;
  milliseconds flush_within{2000};
  milliseconds give_up_after{10'000};
  test::FakeBrokerTimes times{.flush = milliseconds(10)};
};

class BrokerLogRig {
 public:
  explicit BrokerLogRig(RigOptions options = {}) : options_(options), cluster_(cluster_options(options)) {
    spdlog::set_level(spdlog::level::off);
    if (options_.others) make_as_others();
    start();
    if (!options_.others) {
      const auto made = create({.name = "topic", .id = topic_id(), .partitions = 1});
      EXPECT_TRUE(made) << made.error().message;
    }
    open();
    if (options_.others && !options_.read_first) open_for_writing();
  }
  ~BrokerLogRig() { stop(); }

  TopicId topic_id() const {
    if (options_.others) return others_id_;
    TopicId id;
    id.bytes = {topic_number_, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return id;
  }
  Result<void> make_anew() {
    ++topic_number_;
    return create({.name = "topic", .id = topic_id(), .partitions = 1});
  }
  std::map<std::string, std::string> configs_of(const std::string& name) {
    const auto listed = shards_.run([this] { return engine_->topics().list(); });
    EXPECT_TRUE(listed);
    for (const Topic& topic : *listed) {
      if (topic.name == name) return topic.configs;
    }
    return {};
  }

  void start() {
    ClientOptions client_options;
    client_options.masters = {parse_server_address(cluster_.master()).value()};
    client_options.poll_interval = milliseconds(50);
    client_options.call_timeout = milliseconds(500);
    client_options.find_brokers = true;
    auto client = Client::make(shards_.pool(), client_options, shards_.metrics(), 7).value();
    EngineOptions engine;
    engine.topics.path = WritePath::broker;
    engine.topics.layout = options_.layout;
    engine.wait_for_backend = true;
    engine.broker = {.flushed = options_.flushed,
                     .look_every = milliseconds(5),
                     .answer_within = milliseconds(400),
                     .flush_within = options_.flush_within};
    engine.direct.give_up_after = options_.give_up_after;
    engine.direct.longest_backoff = milliseconds(50);
    engine.direct.watch_others = milliseconds(5);
    engine_ = std::make_unique<SeaweedmqEngine>(engine, std::make_unique<ClientSource>(std::move(client)),
                                                shards_.pool(), shards_.clock(), rng_, shards_.metrics());
    const auto started = shards_.run([this] { return engine_->start(); });
    EXPECT_TRUE(started) << started.error().message;
    if (!options_.others) return;
    const auto listed = shards_.run([this] { return engine_->topics().list(); });
    EXPECT_TRUE(listed && listed->size() == 1);
    if (listed && listed->size() == 1) others_id_ = listed->front().id;
  }
  // As a broker of SeaweedMQ makes it.
  void make_as_others() {
    EXPECT_TRUE(
        cluster_.filer().put_content("/topics/kafka/topic/topic.conf",
                                     encode_topic_conf({.slots = 1, .generation_ns = kOthersGeneration})));
  }
  // An append that is refused makes the engine open the partition anew.
  void open_for_writing() {
    EXPECT_TRUE(eventually([&] {
      if (append_nothing()) return true;
      log_.reset();
      return try_open() && append_nothing();
    }));
  }
  bool append_nothing() {
    return log_ && shards_.run([&] { return log_->append(log_->leader_epoch(), {}); }).has_value();
  }
  // A native publisher's.
  void publish_as_others(const Values& values) {
    for (const std::string& value : values) broker().publish("topic", kOthersGeneration, "k", value);
  }
  Result<void> create(const Topic& topic) {
    return shards_.run([&] { return engine_->topics().create({topic}); });
  }
  Result<void> try_open() {
    const PartitionId id{.topic = topic_id(), .index = 0};
    auto log = shards_.run([&] { return engine_->partition(id, {.retention_ms = -1}); });
    if (!log) return fail(std::move(log.error()));
    log_ = *log;
    return {};
  }
  void open() {
    const auto opened = try_open();
    ASSERT_TRUE(opened) << opened.error().message;
  }
  void stop() {
    log_.reset();
    if (engine_) shards_.run([this] { return engine_->stop(); });
    engine_.reset();
  }
  void remove_topic() {
    log_.reset();
    const auto removed = shards_.run([this] { return engine_->topics().remove({topic_id()}); });
    EXPECT_TRUE(removed.at(0)) << removed.at(0).error().message;
  }
  void housekeeping() {
    shards_.run([this] { return engine_->housekeeping(); });
  }
  Result<void> grow(std::int32_t partitions) {
    return shards_
        .run([&] { return engine_->topics().add_partitions({{.id = topic_id(), .partitions = partitions}}); })
        .at(0);
  }
  Result<void> configure(const std::map<std::string, std::string>& configs) {
    return shards_.run([&] { return engine_->topics().set_config(topic_id(), configs); });
  }
  void reopen() {
    stop();
    start();
    open();
  }

  // In the log, not yet durable.
  Result<Appended> append(const Values& values) {
    return shards_.run([&] { return log_->append(log_->leader_epoch(), {batch_of(values)}); });
  }
  Result<Appended> append_batch(protocol::RecordBatch batch) {
    return shards_.run([&] { return log_->append(log_->leader_epoch(), {std::move(batch)}); });
  }
  Result<void> wait_durable(Offset end) {
    return shards_.run([this, end] { return log_->wait_durable(end); });
  }
  Result<void> store(const Values& values) {
    auto appended = append(values);
    if (!appended) return fail(appended.error());
    return wait_durable(appended->log_end);
  }
  Result<Offset> trim(Offset start) {
    return shards_.run([this, start] { return log_->trim_before(start); });
  }
  LogOffsets offsets() {
    return shards_.call([this] { return log_->offsets(); });
  }
  Values values() {
    Values all;
    for (Offset from = offsets().log_start;;) {
      auto some = shards_.run([&] { return log_->read(from, {.end = log_->offsets().high_watermark}); });
      EXPECT_TRUE(some) << some.error().message;
      if (!some || some->batches == 0) return all;
      for (const auto& record : test::records_of(*some)) all.push_back(record.value);
      from = some->next_offset;
    }
  }
  std::vector<std::pair<Offset, std::string>> records() {
    std::vector<std::pair<Offset, std::string>> all;
    for (Offset from = offsets().log_start;;) {
      auto some = shards_.run([&] { return log_->read(from, {.end = log_->offsets().high_watermark}); });
      EXPECT_TRUE(some) << some.error().message;
      if (!some || some->batches == 0) return all;
      for (const auto& record : test::records_of(*some)) all.emplace_back(record.offset, record.value);
      from = some->next_offset;
    }
  }
  std::vector<protocol::RecordBatch> batches() {
    std::vector<protocol::RecordBatch> all;
    for (Offset from = offsets().log_start;;) {
      auto some = shards_.run([&] { return log_->read(from, {.end = log_->offsets().high_watermark}); });
      EXPECT_TRUE(some) << some.error().message;
      if (!some || some->batches == 0) return all;
      for (auto& batch : test::batches_of(*some)) all.push_back(std::move(batch));
      from = some->next_offset;
    }
  }
  bool eventually(const std::function<bool()>& holds) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return true;
  }
  void crash_broker() {
    cluster_.kill(Part::broker);
    cluster_.start(Part::broker);
  }
  Engine& engine() { return *engine_; }
  FakeCluster& cluster() { return cluster_; }
  test::FakeBroker& broker() { return cluster_.broker(); }
  std::string topic_conf() {
    const std::lock_guard lock(cluster_.entries().mutex);
    return cluster_.entries().directories["/topics/kafka/topic"]["topic.conf"].content();
  }
  std::size_t stored_messages() {
    std::size_t count = 0;
    const std::lock_guard lock(cluster_.needles().mutex);
    for (const auto& [id, bytes] : cluster_.needles().needles) {
      const SharedBuffer chunk = SharedBuffer::copy_of(as_bytes(bytes));
      FrameReader frames(chunk);
      RecordMessageReader reader;
      while (const auto entry = frames.next()) {
        if (!*entry) continue;
        if (options_.layout == Layout::batch) {
          count += batch_of_message(**entry, chunk) ? 1 : 0;
          continue;
        }
        const auto taken = reader.take(**entry, chunk);
        count += taken.begins && !(taken.batch && taken.batch->mark.own_end) ? 1 : 0;
      }
    }
    return count;
  }

 private:
  static constexpr std::int64_t kOthersGeneration = 1'900'000'000'000'000'000;
  static test::FakeClusterOptions cluster_options(const RigOptions& options) {
    test::FakeClusterOptions cluster;
    cluster.broker = true;
    cluster.broker_times = options.times;
    return cluster;
  }
  const RigOptions options_;
  std::uint8_t topic_number_ = 7;
  TopicId others_id_;
  FakeCluster cluster_;
  test::ShardHarness shards_{1, test::RealClock{}};
  SeededRng rng_{99};
  std::unique_ptr<SeaweedmqEngine> engine_;
  std::shared_ptr<PartitionLog> log_;
};

// Layout, messages that a chunk of the broker has at most, and whether SeaweedMQ has made the topic.
struct Form {
  const char* name;
  Layout layout;
  std::size_t chunk_messages;
  bool others = false;
};

inline RigOptions with_form(const Form& form, RigOptions options = {}) {
  options.layout = form.layout;
  options.times.chunk_messages = form.chunk_messages;
  options.others = form.others;
  return options;
}

}  // namespace tidegate::storage::seaweedmq
