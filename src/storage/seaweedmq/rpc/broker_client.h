// Speaks to the brokers of SeaweedMQ: who leads a partition, what it has in memory, and the streams on which
// is published. Which brokers there are comes from the masters. Every call has a deadline, because a broker
// may freeze and then answers nothing for ever. Any shard.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "format/names.h"
#include "rpc/call.h"
#include "rpc/options.h"
#include "rpc/publish_stream.h"
#include "tidegate/base/columns.h"
#include "tidegate/base/result.h"

namespace tidegate::storage::seaweedmq {

// A partition as SeaweedMQ addresses it.
struct BrokerPlace {
  std::string topic;
  std::int64_t generation_ns = 0;
  RingRange range;
  std::int32_t slots = 0;  // of the topic
};

class BrokerClient {
 public:
  using MakeEndpoint = std::function<std::shared_ptr<Endpoint>(const std::string& address)>;
  BrokerClient(MakeEndpoint make, CallRegistry& calls, RpcMetrics& metrics, const Clock& clock,
               Duration timeout)
      : make_(std::move(make)), calls_(calls), metrics_(metrics), clock_(clock), timeout_(timeout) {}

  // The whole list, as a master gave it.
  void assign(const std::vector<std::string>& brokers);
  // HOST:PORT of the broker that takes what is published to it. Brokers remember a topic for half a minute,
  // without a leader as well: leader_not_available says that one does, or speaks of another generation.
  Task<Result<std::string>> leader_of(BrokerPlace place);
  // Makes the brokers forget what they remember of the topic; once a second at most. Not for a topic whose
  // topic.conf they cannot read: they would write another one.
  Task<void> look_again(BrokerPlace place);
  // Columns of a topic's values. What is told to a broker of the topic without them would take them away.
  void remember(const std::string& topic, const std::vector<Column>& columns);
  Task<Result<void>> declare(BrokerPlace place, std::vector<Column> columns);
  // Behind the last offset that `broker` has assigned, as far as it knows after a restart.
  Task<Result<Offset>> high_water_mark(std::string broker, BrokerPlace place);
  // nullptr when its breaker is open, or the client closed.
  std::unique_ptr<PublishStream> publish(const std::string& broker, const BrokerPlace& place,
                                         const std::string& publisher);
  // A stream of `broker` went well, or did not although it should have.
  void report(const std::string& broker, bool reached);
  // Empty when some broker may be called; else what is missing, for /readyz.
  std::string missing() const;

 private:
  std::shared_ptr<Endpoint> endpoint(const std::string& address);
  messaging_pb::ConfigureTopicRequest configuration_of(const BrokerPlace& place);
  // The next one whose breaker lets a call through.
  std::shared_ptr<Endpoint> pick();
  template <class Request, class Response>
  Task<Result<Response>> call(Method method, std::shared_ptr<Endpoint> broker,
                              AsyncMethod<messaging_pb::SeaweedMessaging, Request, Response> function,
                              Request request);

  const MakeEndpoint make_;
  CallRegistry& calls_;
  RpcMetrics& metrics_;
  const Clock& clock_;
  const Duration timeout_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Endpoint>> endpoints_;
  std::size_t turn_ = 0;
  std::map<std::string, MonoTime> looked_;              // by topic
  std::map<std::string, std::vector<Column>> columns_;  // by topic
};

}  // namespace tidegate::storage::seaweedmq
