// librdkafka as Debian ships it, from C++: an older generation of the protocol than the Python
// wheel carries (flexible versions of fewer APIs), and what C and C++ programs link against.
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafkacpp.h>

#include <chrono>
#include <map>
#include <memory>
#include <thread>

#include "suite.h"

namespace {

using suite::require;
using suite::same;
using Clock = std::chrono::steady_clock;
using Settings = std::map<std::string, std::string>;

std::unique_ptr<RdKafka::Conf> configuration(const Settings& settings) {
  std::unique_ptr<RdKafka::Conf> conf(RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL));
  std::string error;
  for (const auto& [key, value] : settings) {
    require(conf->set(key, value, error) == RdKafka::Conf::CONF_OK, error);
  }
  return conf;
}

Settings with_defaults(Settings settings) {
  settings.emplace("bootstrap.servers", suite::environment("TG_BOOTSTRAP"));
  settings.emplace("log_level", "0");
  return settings;
}

// Creates, grows and deletes topics through the C admin API (the C++ one has none).
class Admin {
 public:
  Admin() {
    char error[512];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", suite::environment("TG_BOOTSTRAP").c_str(), error,
                      sizeof error);
    rd_kafka_conf_set(conf, "log_level", "0", error, sizeof error);
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    require(handle_ != nullptr, error);
    queue_ = rd_kafka_queue_new(handle_);
  }
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;
  ~Admin() {
    rd_kafka_queue_destroy(queue_);
    rd_kafka_destroy(handle_);
  }

  rd_kafka_resp_err_t create(const std::string& name, int partitions) {
    char error[512];
    rd_kafka_NewTopic_t* topic = rd_kafka_NewTopic_new(name.c_str(), partitions, 1, error, sizeof error);
    rd_kafka_CreateTopics(handle_, &topic, 1, nullptr, queue_);
    rd_kafka_NewTopic_destroy(topic);
    return outcome([](rd_kafka_event_t* event, size_t* count) {
      return rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), count);
    });
  }

  rd_kafka_resp_err_t grow(const std::string& name, size_t partitions) {
    char error[512];
    rd_kafka_NewPartitions_t* request =
        rd_kafka_NewPartitions_new(name.c_str(), partitions, error, sizeof error);
    rd_kafka_CreatePartitions(handle_, &request, 1, nullptr, queue_);
    rd_kafka_NewPartitions_destroy(request);
    return outcome([](rd_kafka_event_t* event, size_t* count) {
      return rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), count);
    });
  }

  rd_kafka_resp_err_t remove(const std::string& name) {
    rd_kafka_DeleteTopic_t* request = rd_kafka_DeleteTopic_new(name.c_str());
    rd_kafka_DeleteTopics(handle_, &request, 1, nullptr, queue_);
    rd_kafka_DeleteTopic_destroy(request);
    return outcome([](rd_kafka_event_t* event, size_t* count) {
      return rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), count);
    });
  }

  int partitions(const std::string& name) {
    rd_kafka_topic_t* topic = rd_kafka_topic_new(handle_, name.c_str(), nullptr);
    const rd_kafka_metadata_t* found = nullptr;
    const auto code = rd_kafka_metadata(handle_, 0, topic, &found, suite::kWaitMs);
    rd_kafka_topic_destroy(topic);
    require(code == RD_KAFKA_RESP_ERR_NO_ERROR, rd_kafka_err2str(code));
    const int count = found->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(found);
    return count;
  }

 private:
  template <class Topics>
  rd_kafka_resp_err_t outcome(Topics topics) {
    rd_kafka_event_t* event = rd_kafka_queue_poll(queue_, suite::kWaitMs);
    require(event != nullptr, "no answer to an admin request");
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      size_t count = 0;
      const rd_kafka_topic_result_t** results = topics(event, &count);
      require(count == 1, "one topic result");
      code = rd_kafka_topic_result_error(results[0]);
    }
    rd_kafka_event_destroy(event);
    return code;
  }

  rd_kafka_t* handle_ = nullptr;
  rd_kafka_queue_t* queue_ = nullptr;
};

std::string create(const std::string& prefix, int partitions = 1) {
  std::string name = suite::topic_name(prefix);
  const auto code = Admin().create(name, partitions);
  require(code == RD_KAFKA_RESP_ERR_NO_ERROR, "create: " + std::string(rd_kafka_err2str(code)));
  return name;
}

class Sender : RdKafka::DeliveryReportCb {
 public:
  explicit Sender(Settings settings = {}) {
    settings.emplace("linger.ms", "5");
    settings.emplace("message.timeout.ms", "45000");
    settings.emplace("retry.backoff.ms", "50");
    auto conf = configuration(with_defaults(std::move(settings)));
    std::string error;
    conf->set("dr_cb", static_cast<RdKafka::DeliveryReportCb*>(this), error);
    producer_.reset(RdKafka::Producer::create(conf.get(), error));
    require(producer_ != nullptr, error);
  }

  void send(const std::string& topic, int32_t partition, const suite::Record& record) {
    for (;;) {
      RdKafka::Headers* headers = RdKafka::Headers::create();
      for (const auto& [name, value] : record.headers) {
        headers->add(name, value ? value->data() : nullptr, value ? value->size() : 0);
      }
      const auto code = producer_->produce(
          topic, partition, RdKafka::Producer::RK_MSG_COPY,
          record.value ? const_cast<char*>(record.value->data()) : nullptr,
          record.value ? record.value->size() : 0, record.key ? record.key->data() : nullptr,
          record.key ? record.key->size() : 0, record.timestamp_ms, headers, nullptr);
      if (code == RdKafka::ERR_NO_ERROR) break;
      delete headers;
      require(code == RdKafka::ERR__QUEUE_FULL, RdKafka::err2str(code));
      producer_->poll(100);
    }
    producer_->poll(0);
  }

  void send(const std::string& topic, int32_t partition, std::string value) {
    suite::Record record;
    record.value = std::move(value);
    send(topic, partition, record);
  }

  void flush_any() { producer_->flush(suite::kWaitMs); }
  void flush() {
    flush_any();
    same(producer_->outq_len(), 0, "left in the queue");
    require(errors.empty(), errors.empty() ? "" : RdKafka::err2str(errors.front()));
  }

  std::vector<RdKafka::ErrorCode> errors;

 private:
  void dr_cb(RdKafka::Message& message) override {
    if (message.err() != RdKafka::ERR_NO_ERROR) errors.push_back(message.err());
  }
  std::unique_ptr<RdKafka::Producer> producer_;
};

// What a message held. Copied out: closing a consumer waits until its messages are gone.
struct Received {
  suite::Record record;
  int64_t offset = -1;
};
using Messages = std::vector<Received>;

std::optional<std::string> bytes(const void* data, size_t size) {
  if (data == nullptr) return std::nullopt;
  return std::string(static_cast<const char*>(data), size);
}

Received received(RdKafka::Message& message) {
  Received copy;
  copy.offset = message.offset();
  copy.record.key = bytes(message.key_pointer(), message.key_len());
  copy.record.value = bytes(message.payload(), message.len());
  copy.record.timestamp_ms = message.timestamp().timestamp;
  if (message.headers() != nullptr) {
    for (const auto& header : message.headers()->get_all()) {
      copy.record.headers.emplace_back(header.key(), bytes(header.value(), header.value_size()));
    }
  }
  return copy;
}

// Exactly `count` records of the partition, then its end.
Messages read(const std::string& topic, int32_t partition, size_t count, Settings settings = {}) {
  settings.emplace("group.id", "unused");
  settings.emplace("enable.auto.commit", "false");
  settings.emplace("enable.partition.eof", "true");
  settings.emplace("auto.offset.reset", "error");
  auto conf = configuration(with_defaults(std::move(settings)));
  std::string error;
  std::unique_ptr<RdKafka::KafkaConsumer> consumer(RdKafka::KafkaConsumer::create(conf.get(), error));
  require(consumer != nullptr, error);
  std::unique_ptr<RdKafka::TopicPartition> part(RdKafka::TopicPartition::create(topic, partition, 0));
  consumer->assign({part.get()});
  Messages got;
  const auto deadline = Clock::now() + std::chrono::milliseconds(suite::kWaitMs);
  for (bool ended = false; !ended;) {
    require(Clock::now() < deadline, "read only " + std::to_string(got.size()));
    std::unique_ptr<RdKafka::Message> message(consumer->consume(500));
    switch (message->err()) {
      case RdKafka::ERR_NO_ERROR:
        got.push_back(received(*message));
        break;
      case RdKafka::ERR__PARTITION_EOF:
        ended = got.size() >= count;
        break;
      case RdKafka::ERR__TIMED_OUT:
        break;
      default:
        throw suite::Failure("consume: " + message->errstr());
    }
  }
  same(got.size(), count, "records");
  consumer->close();
  return got;
}

void check_numbered(const std::string& topic, int32_t partition, int count) {
  const Messages got = read(topic, partition, static_cast<size_t>(count));
  for (int n = 0; n < count; ++n) {
    same(got[static_cast<size_t>(n)].record.value.value_or(""), suite::numbered(partition, n),
         "record " + std::to_string(n));
  }
}

void round_trip() {
  const std::string topic = create("rdk-rt", 2);
  const auto records = suite::round_trip_records();
  Sender sender;
  for (const auto& record : records) sender.send(topic, 1, record);
  sender.flush();
  const Messages got = read(topic, 1, records.size());
  for (size_t n = 0; n < records.size(); ++n) {
    const auto& want = records[n];
    const auto& [back, offset] = got[n];
    const std::string at = " of record " + std::to_string(n);
    require(back.key == want.key, "key" + at);
    require(back.value == want.value, "value" + at);
    require(back.headers == want.headers, "headers" + at);
    same(back.timestamp_ms, want.timestamp_ms, "timestamp" + at);
    same(offset, static_cast<int64_t>(n), "offset" + at);
  }
}

void codecs() {
  for (const std::string codec : {"none", "gzip", "snappy", "lz4", "zstd"}) {
    const std::string topic = create("rdk-" + codec);
    Sender sender({{"compression.codec", codec}, {"linger.ms", "50"}});
    for (int n = 0; n < 500; ++n) sender.send(topic, 0, suite::numbered(0, n));
    sender.flush();
    check_numbered(topic, 0, 500);
  }
}

void large_records() {
  const std::string topic = create("rdk-large");
  const std::string value = suite::random_bytes(suite::kLargeBytes);
  Sender sender;
  for (int n = 0; n < 3; ++n) sender.send(topic, 0, value);
  sender.flush();
  for (const auto& message : read(topic, 0, 3)) {
    require(message.record.value == value, "900 KB value differs");
  }
}

void too_large() {
  const std::string topic = create("rdk-too-large");
  Sender sender({{"message.max.bytes", "8000000"}});
  sender.send(topic, 0, std::string(suite::kTooLargeBytes, 'x'));
  sender.flush_any();
  same(sender.errors.size(), 1U, "errors");
  same(RdKafka::err2str(sender.errors[0]), RdKafka::err2str(RdKafka::ERR_MSG_SIZE_TOO_LARGE), "error");
}

void offsets_by_time() {
  const std::string topic = create("rdk-time");
  Sender sender;
  for (int n = 0; n < 50; ++n) {
    sender.send(
        topic, 0,
        suite::Record{.key = {}, .value = "v", .headers = {}, .timestamp_ms = suite::kBaseMs + 1000 * n});
  }
  sender.flush();
  auto conf = configuration(with_defaults({{"group.id", "unused"}}));
  std::string error;
  std::unique_ptr<RdKafka::KafkaConsumer> consumer(RdKafka::KafkaConsumer::create(conf.get(), error));
  for (const auto& [ask, want] :
       std::map<int64_t, int64_t>{{0, 0}, {suite::kBaseMs + 20'500, 21}, {suite::kBaseMs + 99'000, -1}}) {
    std::unique_ptr<RdKafka::TopicPartition> part(RdKafka::TopicPartition::create(topic, 0, ask));
    std::vector<RdKafka::TopicPartition*> parts{part.get()};
    const auto code = consumer->offsetsForTimes(parts, suite::kWaitMs);
    require(code == RdKafka::ERR_NO_ERROR, RdKafka::err2str(code));
    same(part->offset(), want, "offset for " + std::to_string(ask));
  }
  int64_t low = -1, high = -1;
  consumer->query_watermark_offsets(topic, 0, &low, &high, suite::kWaitMs);
  same(low, 0, "low");
  same(high, 50, "high");
  consumer->close();
}

void topic_admin() {
  Admin admin;
  const std::string name = suite::topic_name("rdk-admin");
  same(admin.create(name, 2), RD_KAFKA_RESP_ERR_NO_ERROR, "create");
  same(admin.create(name, 2), RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, "create again");
  same(admin.create("bad name", 2), RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, "bad name");
  const bool grows = suite::environment("TG_GROWS") != "0";
  same(admin.grow(name, 5), grows ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, "grow");
  same(admin.grow(name, 3), RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, "shrink");
  for (int left = 50; admin.partitions(name) != (grows ? 5 : 2); --left) {
    require(left > 0, "the partitions are not seen after 5 s");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  same(admin.remove(name), RD_KAFKA_RESP_ERR_NO_ERROR, "delete");
  same(admin.remove(name), RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "delete again");
}

void many_in_order() {
  const std::string topic = create("rdk-many", 4);
  Sender sender({{"batch.num.messages", "300"}});
  for (int n = 0; n < 10'000; ++n) sender.send(topic, n % 4, suite::numbered(n % 4, n / 4));
  sender.flush();
  for (int32_t p = 0; p < 4; ++p) check_numbered(topic, p, 2500);
}

// So many producers at the same time, two turns of one record each.
void two_hundred_connections() {
  const std::string topic = create("rdk-200", 2);
  std::vector<std::unique_ptr<Sender>> senders;
  for (int n = 0; n < 200; ++n) senders.push_back(std::make_unique<Sender>());
  for (int turn = 0; turn < 2; ++turn) {
    for (const auto& sender : senders) sender->send(topic, turn, "v");
    for (const auto& sender : senders) sender->flush();
  }
  same(read(topic, 0, 200).size(), 200U, "partition 0");
  same(read(topic, 1, 200).size(), 200U, "partition 1");
}

void idempotent_retry() {
  const std::string topic = create("rdk-retry");
  const int64_t before = suite::dropped();
  suite::control("drop 0 3");
  Sender sender({{"bootstrap.servers", suite::environment("TG_PROXIED")},
                 {"enable.idempotence", "true"},
                 {"batch.num.messages", "20"}});
  for (int n = 0; n < 500; ++n) sender.send(topic, 0, suite::numbered(0, n));
  sender.flush();
  same(suite::dropped() - before, 3, "answers lost by the proxy");
  check_numbered(topic, 0, 500);
}

void restart(const std::string& command) {
  if (suite::environment("TG_DURABLE") != "1") {
    throw suite::Skip("the engine keeps nothing over a restart");
  }
  const std::string topic = create("rdk-" + command, 2);
  Sender sender({{"enable.idempotence", "true"}, {"linger.ms", "1"}});
  std::string problem;
  std::jthread worker;
  for (int n = 0; n < 3000; ++n) {
    sender.send(topic, n % 2, suite::numbered(n % 2, n / 2));
    if (n % 20 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    if (n == 1000) {
      worker = std::jthread([&problem, &command] {
        try {
          suite::control(command);
        } catch (const std::exception& error) {
          problem = error.what();
        }
      });
    }
  }
  worker.join();
  require(problem.empty(), problem);
  sender.flush();
  check_numbered(topic, 0, 1500);
  check_numbered(topic, 1, 1500);
}

}  // namespace

int main() {
  return suite::run({{"round_trip", round_trip},
                     {"codecs", codecs},
                     {"large_records", large_records},
                     {"too_large", too_large},
                     {"offsets_by_time", offsets_by_time},
                     {"topic_admin", topic_admin},
                     {"many_in_order", many_in_order},
                     {"two_hundred_connections", two_hundred_connections},
                     {"idempotent_retry", idempotent_retry},
                     {"restart_in_the_middle", [] { restart("restart"); }},
                     {"kill_in_the_middle", [] { restart("kill"); }}});
}
