#include "rpc/broker_client.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "format/record_value.h"

namespace tidegate::storage::seaweedmq {
namespace {

using messaging_pb::SeaweedMessaging;
using Async = SeaweedMessaging::StubInterface::async_interface;
constexpr const char* kNamespace = "kafka";

schema_pb::Topic topic_of(const BrokerPlace& place) {
  schema_pb::Topic topic;
  topic.set_namespace_(kNamespace);
  topic.set_name(place.topic);
  return topic;
}

// All four numbers: a broker compares each of them when it is asked whether it leads.
schema_pb::Partition partition_of(const BrokerPlace& place) {
  schema_pb::Partition partition;
  partition.set_ring_size(kRingSize);
  partition.set_range_start(place.range.start);
  partition.set_range_stop(place.range.stop);
  partition.set_unix_time_ns(place.generation_ns);
  return partition;
}

std::unexpected<Error> storage_error(const std::string& what) {
  return fail(ErrorCode::kafka_storage_error, what);
}

}  // namespace

void BrokerClient::assign(const std::vector<std::string>& brokers) {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::shared_ptr<Endpoint>> next;
  for (const std::string& address : brokers) {
    const auto known = endpoints_.find(address);
    next[address] = known != endpoints_.end() ? known->second : make_(address);
  }
  endpoints_ = std::move(next);
}

std::shared_ptr<Endpoint> BrokerClient::endpoint(const std::string& address) {
  const std::lock_guard lock(mutex_);
  const auto known = endpoints_.find(address);
  return known == endpoints_.end() ? nullptr : known->second;
}

std::shared_ptr<Endpoint> BrokerClient::pick() {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    const auto at = std::next(endpoints_.begin(), static_cast<std::ptrdiff_t>(turn_++ % endpoints_.size()));
    if (at->second->breaker().allow()) return at->second;
  }
  return nullptr;
}

std::string BrokerClient::missing() const {
  const std::lock_guard lock(mutex_);
  if (endpoints_.empty()) return "the masters know of no broker of SeaweedMQ";
  const auto usable = [](const auto& one) { return !one.second->breaker().is_open(); };
  if (std::ranges::none_of(endpoints_, usable)) {
    return "no broker of SeaweedMQ answers (one that is frozen has to be restarted)";
  }
  return {};
}

void BrokerClient::report(const std::string& broker, bool was_reached) {
  if (const auto at = endpoint(broker)) at->report(was_reached);
}

template <class Request, class Response>
Task<Result<Response>> BrokerClient::call(Method method, std::shared_ptr<Endpoint> broker,
                                          AsyncMethod<SeaweedMessaging, Request, Response> function,
                                          Request request) {
  const MonoTime began = clock_.now();
  auto answer = co_await unary_call<SeaweedMessaging, Request, Response>(
      calls_, broker->connection(), function, std::move(request), timeout_);
  const bool answered = reached(answer.status);
  broker->report(answered);
  metrics_.called(method, clock_.now() - began, !answered);
  if (!answer.status.ok()) {
    co_return storage_error(
        fmt::format("{}: broker {} {}", method_name(method), broker->address(), describe(answer.status)));
  }
  co_return std::move(answer.response);
}

Task<Result<std::string>> BrokerClient::leader_of(BrokerPlace place) {
  const auto broker = pick();
  if (!broker) {
    metrics_.refused_by_breaker(EndpointKind::broker);
    co_return storage_error(missing());
  }
  messaging_pb::LookupTopicBrokersRequest request;
  *request.mutable_topic() = topic_of(place);
  auto found =
      co_await call<messaging_pb::LookupTopicBrokersRequest, messaging_pb::LookupTopicBrokersResponse>(
          Method::lookup_topic, broker, &Async::LookupTopicBrokers, std::move(request));
  if (!found) co_return fail(std::move(found.error()));
  for (const auto& one : found->broker_partition_assignments()) {
    const auto& partition = one.partition();
    if (partition.unix_time_ns() != place.generation_ns) {
      co_return fail(ErrorCode::leader_not_available, fmt::format("broker {} knows topic {} as it was before",
                                                                  broker->address(), place.topic));
    }
    if (partition.range_start() != place.range.start || partition.range_stop() != place.range.stop) continue;
    if (one.leader_broker().empty()) break;
    co_return one.leader_broker();
  }
  co_return fail(ErrorCode::leader_not_available,
                 fmt::format("no broker leads {} {}-{}", place.topic, place.range.start, place.range.stop));
}

void BrokerClient::remember(const std::string& topic, const std::vector<Column>& columns) {
  const std::lock_guard lock(mutex_);
  if (columns.empty()) {
    columns_.erase(topic);
  } else {
    columns_[topic] = columns;
  }
}

messaging_pb::ConfigureTopicRequest BrokerClient::configuration_of(const BrokerPlace& place) {
  messaging_pb::ConfigureTopicRequest request;
  *request.mutable_topic() = topic_of(place);
  request.set_partition_count(place.slots);
  const std::lock_guard lock(mutex_);
  const auto columns = columns_.find(place.topic);
  if (columns != columns_.end()) put_record_type(*request.mutable_message_record_type(), columns->second);
  return request;
}

Task<Result<void>> BrokerClient::declare(BrokerPlace place, std::vector<Column> columns) {
  remember(place.topic, columns);
  const auto broker = pick();
  if (!broker) {
    metrics_.refused_by_breaker(EndpointKind::broker);
    co_return storage_error(missing());
  }
  auto told = co_await call<messaging_pb::ConfigureTopicRequest, messaging_pb::ConfigureTopicResponse>(
      Method::configure_topic, broker, &Async::ConfigureTopic, configuration_of(place));
  if (!told) co_return fail(std::move(told.error()));
  co_return Result<void>{};
}

// Only a change makes a broker forget what it has cached: a retention that is not in force serves.
Task<void> BrokerClient::look_again(BrokerPlace place) {
  {
    const std::lock_guard lock(mutex_);
    const MonoTime now = clock_.now();
    std::erase_if(looked_, [&](const auto& one) { return now - one.second >= std::chrono::seconds(1); });
    if (!looked_.try_emplace(place.topic, now).second) co_return;
  }
  const auto broker = pick();
  if (!broker) co_return;
  messaging_pb::ConfigureTopicRequest request = configuration_of(place);
  request.mutable_retention()->set_retention_seconds(clock_.wall_ms() / 1000);
  static_cast<void>(co_await call<messaging_pb::ConfigureTopicRequest, messaging_pb::ConfigureTopicResponse>(
      Method::configure_topic, broker, &Async::ConfigureTopic, std::move(request)));
}

Task<Result<Offset>> BrokerClient::high_water_mark(std::string broker, BrokerPlace place) {
  const auto at = endpoint(broker);
  if (!at || !at->breaker().allow())
    co_return storage_error(fmt::format("broker {} does not answer", broker));
  messaging_pb::GetPartitionRangeInfoRequest request;
  *request.mutable_topic() = topic_of(place);
  *request.mutable_partition() = partition_of(place);
  auto info =
      co_await call<messaging_pb::GetPartitionRangeInfoRequest, messaging_pb::GetPartitionRangeInfoResponse>(
          Method::partition_range, at, &Async::GetPartitionRangeInfo, std::move(request));
  if (!info) co_return fail(std::move(info.error()));
  if (!info->error().empty()) co_return storage_error(fmt::format("broker {}: {}", broker, info->error()));
  co_return info->offset_range().high_water_mark();
}

std::unique_ptr<PublishStream> BrokerClient::publish(const std::string& broker, const BrokerPlace& place,
                                                     const std::string& publisher) {
  const auto at = endpoint(broker);
  if (!at || !at->breaker().allow()) {
    metrics_.refused_by_breaker(EndpointKind::broker);
    return nullptr;
  }
  messaging_pb::PublishMessageRequest::InitMessage hello;
  *hello.mutable_topic() = topic_of(place);
  *hello.mutable_partition() = partition_of(place);
  hello.set_ack_interval(1);
  hello.set_publisher_name(publisher);
  return PublishStream::open(calls_, at->connection(), std::move(hello));
}

}  // namespace tidegate::storage::seaweedmq
