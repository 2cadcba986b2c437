// A SeaweedMQ broker on loopback, with what was measured of the real one: it acknowledges what it has in
// memory and flushes later; a crash takes what was not flushed; its counter of offsets comes back from a
// checkpoint of some time before; the first file of a partition says nothing of offsets; a topic is
// remembered for a while after it was changed; and it freezes for good soon after a topic's last stream has
// closed, when told to.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/server.h>

#include "fake/faults.h"
#include "seaweedfs/mq.grpc.pb.h"

namespace tidegate::test {

struct FakeBrokerTimes {
  std::chrono::milliseconds flush{50};
  // Messages that a chunk has at most; what it makes room for is flushed with the next one.
  std::size_t chunk_messages = 1'000'000;
  std::chrono::milliseconds checkpoint{100};
  std::chrono::milliseconds topic_cache{300};
  // How often topics without partitions are looked for; 0: never, and it does not freeze.
  std::chrono::milliseconds cleanup{0};
  // What it stamps messages with; empty: the machine's clock.
  std::function<std::int64_t()> now_ns;
};

class FakeBroker final : public messaging_pb::SeaweedMessaging::Service {
 public:
  // What it needs of the rest of SeaweedFS; false or nothing while that is away.
  struct Surroundings {
    std::function<std::optional<std::string>(const std::string& path)> read_content;
    std::function<bool(const std::string& path, const std::string& content)> put_content;
    std::function<bool(const std::string& directory, const std::string& name, const std::string& bytes,
                       const std::map<std::string, std::string>& attributes)>
        append_chunk;
  };
  FakeBroker(Surroundings around, FakeBrokerTimes times, int port = 0);
  // As a crash, or SIGTERM: what is in memory is lost.
  ~FakeBroker() override;

  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  // By method; "Publish" is one message of a stream: `status` ends the stream before it is taken,
  // `lost_answer` after, `hang` leaves it unanswered with all that follow.
  Faults& faults() { return faults_; }
  // From now on nothing is flushed, or again.
  void hold_flushes(bool on) { hold_flushes_ = on; }
  void freeze() { frozen_ = true; }
  // Somebody else publishes, too: a message behind each one that is taken.
  void publish_beside(bool on) { beside_ = on; }
  // A message of somebody else, into partition 0 of a topic of one partition.
  void publish(const std::string& topic, std::int64_t generation_ns, const std::string& key,
               const std::string& value);
  bool frozen() const { return frozen_; }
  // The next offset of every partition goes back by so many.
  void rewind_counters(std::int64_t by);
  int cleanups() const { return cleanups_.load(); }
  int streams() const { return streams_.load(); }

  using Context = grpc::ServerContext;
  using Stream =
      grpc::ServerReaderWriter<messaging_pb::PublishMessageResponse, messaging_pb::PublishMessageRequest>;
  grpc::Status ConfigureTopic(Context*, const messaging_pb::ConfigureTopicRequest*,
                              messaging_pb::ConfigureTopicResponse*) override;
  grpc::Status LookupTopicBrokers(Context*, const messaging_pb::LookupTopicBrokersRequest*,
                                  messaging_pb::LookupTopicBrokersResponse*) override;
  grpc::Status PublishMessage(Context*, Stream*) override;
  grpc::Status FetchMessage(Context*, const messaging_pb::FetchMessageRequest*,
                            messaging_pb::FetchMessageResponse*) override;
  grpc::Status GetPartitionRangeInfo(Context*, const messaging_pb::GetPartitionRangeInfoRequest*,
                                     messaging_pb::GetPartitionRangeInfoResponse*) override;

 private:
  using Clock = std::chrono::steady_clock;
  struct Message {
    std::int64_t ts_ns = 0;
    std::int64_t offset = 0;
    std::string key;
    std::string value;
  };
  // Found by topic and part of the ring, whatever the generation: as the real one does.
  struct Partition {
    std::string directory;
    std::vector<Message> window;
    std::int64_t last_ts_ns = 0;
    std::int64_t buffers = 0;
    int publishers = 0;
  };
  struct Known {
    std::int64_t generation_ns = 0;
    std::int32_t slots = 0;
    Clock::time_point until;
  };
  using Key = std::pair<std::string, std::int32_t>;  // topic, start of the range

  grpc::Status play(Context* context, const std::string& method);
  void hang(Context* context) const;
  // Under the mutex.
  std::optional<Known> topic(const std::string& name, bool anew);
  std::int64_t& counter(const Key& key, const std::string& directory);
  bool flush(Partition& partition);
  bool flush_chunk(Partition& partition);
  void take(const Key& key, const messaging_pb::DataMessage& data, std::int64_t* offset);
  void run();
  std::int64_t now_ns() const;

  const Surroundings around_;
  const FakeBrokerTimes times_;
  Faults faults_;
  std::atomic<bool> frozen_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> hold_flushes_{false};
  std::atomic<bool> beside_{false};
  std::atomic<int> streams_{0};
  std::atomic<int> cleanups_{0};
  std::mutex mutex_;
  std::condition_variable stop_;
  std::map<std::string, Known> topics_;
  std::map<Key, Partition> partitions_;
  std::map<std::string, bool> has_partitions_;  // topics that it has had partitions of
  std::map<Key, std::int64_t> counters_;
  std::map<Key, std::pair<std::string, std::int64_t>> checkpoints_;  // directory, what is there
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::thread worker_;
};

}  // namespace tidegate::test
