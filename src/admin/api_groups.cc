// Groups: GET /api/v1/groups, GET /api/v1/groups/ID, POST /api/v1/groups/ID/offsets.
#include <algorithm>

#include "api_routes.h"
#include "tidegate/broker/fetch_path.h"
#include "tidegate/broker/group_coordinator.h"
#include "tidegate/broker/offsets_path.h"
#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/groups/consumer_protocol.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::admin {
namespace {

constexpr std::size_t kMaxGroups = 5000;
constexpr std::size_t kMaxOffsets = 1000;
// Partitions of a group whose lag in seconds is looked up: one small read each.
constexpr std::size_t kTimedPartitions = 32;
constexpr std::int32_t kTimedReadBytes = 4096;

Task<HttpResponse> list(broker::Broker& broker) {
  const auto listed = co_await broker.groups().list();
  Json groups = Json::array();
  for (const auto& group : listed.groups) {
    if (groups.size() == kMaxGroups) break;
    groups.push_back({{"id", group.id},
                      {"type", group.listing.type == groups::GroupType::consumer ? "consumer" : "classic"},
                      {"state", group.is_unreadable ? "Unreadable" : groups::state_name(group.listing.state)},
                      {"protocol_type", group.listing.protocol_type}});
  }
  co_return answer_json({{"groups", std::move(groups)},
                         {"total", listed.groups.size()},
                         {"complete", listed.error == ErrorCode::none}});
}

Json assigned(const std::string& topic, const std::vector<std::int32_t>& partitions) {
  return {{"topic", topic}, {"partitions", partitions}};
}

template <class Member>
Json member_json(const Member& member) {
  return {{"id", member.member_id},
          {"instance_id", member.instance_id ? Json(*member.instance_id) : Json()},
          {"client_id", member.client_id},
          {"client_host", member.client_host}};
}

struct Described {
  std::string state;
  std::string assignor;
  Json members = Json::array();
};

Task<Result<Described>> members_of(broker::Broker& broker, std::string group) {
  Described out;
  const auto classic = co_await broker.groups().describe_classic(group);
  if (classic) {
    out.state = groups::state_name(classic->state);
    out.assignor = classic->protocol;
    for (const auto& member : classic->members) {
      Json row = member_json(member);
      row["assignment"] = Json::array();
      if (const auto decoded = groups::decode_assignment(member.assignment)) {
        for (const auto& topic : decoded->assigned_partitions)
          row["assignment"].push_back(assigned(topic.topic, topic.partitions));
      }
      out.members.push_back(std::move(row));
    }
    co_return out;
  }
  if (classic.error().code != ErrorCode::group_id_not_found) co_return fail(classic.error());
  const auto consumer = co_await broker.groups().describe_consumer(group);
  if (!consumer) co_return fail(consumer.error());
  out.state = groups::state_name(consumer->state);
  out.assignor = consumer->assignor;
  for (const auto& member : consumer->members) {
    Json row = member_json(member);
    row["assignment"] = Json::array();
    for (const auto& topic : member.assignment) {
      const auto known = broker.topics().find(topic.topic);
      row["assignment"].push_back(
          assigned(known ? known->topic.name : topic.topic.to_string(), topic.partitions));
    }
    out.members.push_back(std::move(row));
  }
  co_return out;
}

struct Lag {
  std::string topic;
  TopicId id;  // zero: the topic is gone
  std::int32_t partition = 0;
  Offset committed = -1;
  Offset end = -1;
  std::int64_t since_ms = -1;  // time of the first record that is not consumed; -1: not known
};

// The time of the batch that holds `offset`; -1 when there is none.
Task<std::int64_t> time_at(broker::Broker& broker, std::string topic, PartitionId partition, Offset offset) {
  broker::FetchQuery query{.max_bytes = kTimedReadBytes};
  query.wants.push_back({.key = {std::move(topic), partition.topic, partition.index},
                         .fetch_offset = offset,
                         .max_bytes = kTimedReadBytes});
  auto cancel = std::make_shared<broker::FetchCancel>();
  const auto reply = co_await broker.fetch().fetch(std::move(query), std::move(cancel));
  if (reply.partitions.empty() || reply.partitions.front().records.empty()) co_return -1;
  const auto header = protocol::parse_batch_header(reply.partitions.front().records.front());
  co_return header ? header->base_timestamp : -1;
}

Task<std::vector<Lag>> lags_of(broker::Broker& broker, std::string group) {
  groups::FetchOffsets all;
  broker::GroupCall call{.group = group};
  const auto committed = co_await broker.groups().fetch_offsets(std::move(call), std::move(all));
  std::vector<Lag> out;
  std::vector<broker::OffsetQuery> queries;
  for (const auto& topic : committed.topics) {
    const auto known = broker.topics().find(std::string_view(topic.topic));
    for (const auto& partition : topic.partitions) {
      if (out.size() == kMaxOffsets) break;
      out.push_back({.topic = topic.topic,
                     .id = known ? known->topic.id : TopicId{},
                     .partition = partition.partition,
                     .committed = partition.offset});
      queries.push_back({.partition = {out.back().id, partition.partition},
                         .timestamp = static_cast<std::int64_t>(broker::OffsetSpec::latest)});
    }
  }
  const auto ends = co_await broker.offsets().find(std::move(queries));
  std::size_t timed = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (ends[i].error == ErrorCode::none) out[i].end = ends[i].offset;
    const bool behind = out[i].committed >= 0 && out[i].end > out[i].committed;
    if (!behind || timed++ >= kTimedPartitions) continue;
    const PartitionId id{out[i].id, out[i].partition};
    out[i].since_ms = co_await time_at(broker, out[i].topic, id, out[i].committed);
  }
  co_return out;
}

Task<HttpResponse> describe(const ApiParts& parts, broker::Broker& broker, HttpRequest request) {
  const std::string group = request.segments.front();
  auto described = co_await members_of(broker, group);
  if (!described) co_return answer_error(described.error().code, described.error().message);
  const auto lags = co_await lags_of(broker, group);
  Json offsets = Json::array();
  std::int64_t total = 0;
  for (const auto& lag : lags) {
    const bool known = lag.committed >= 0 && lag.end >= 0;
    const Offset behind = known ? std::max<Offset>(0, lag.end - lag.committed) : 0;
    total += behind;
    Json row{
        {"topic", lag.topic}, {"partition", lag.partition}, {"committed", lag.committed}, {"end", lag.end}};
    row["lag"] = known ? Json(behind) : Json();
    row["lag_seconds"] = Json();
    if (known && behind == 0) row["lag_seconds"] = 0;
    if (lag.since_ms >= 0) {
      const auto late_ms = std::max<std::int64_t>(0, parts.clock.wall_ms() - lag.since_ms);
      row["lag_seconds"] = static_cast<double>(late_ms) / 1000;
    }
    offsets.push_back(std::move(row));
  }
  co_return answer_json({{"id", group},
                         {"state", described->state},
                         {"assignor", described->assignor},
                         {"members", std::move(described->members)},
                         {"offsets", std::move(offsets)},
                         {"lag", total}});
}

// {"topic": "t", "partition": 0, "to": "start" | "end" | OFFSET}; without partition: all of them.
Task<HttpResponse> reset(broker::Broker& broker, HttpRequest request) {
  const auto asked = Json::parse(request.body, nullptr, false);
  const bool sound = asked.is_object() && asked.contains("topic") && asked["topic"].is_string() &&
                     asked.contains("to") && (asked["to"].is_string() || asked["to"].is_number_unsigned());
  if (!sound) co_return answer_error(400, "a JSON object with topic and to, and maybe partition");
  const auto topic = broker.topics().find(std::string_view(asked["topic"].get_ref<const std::string&>()));
  if (!topic) co_return answer_error(404, "no such topic");
  std::int32_t first = 0;
  std::int32_t last = topic->topic.partitions;
  if (asked.contains("partition")) {
    if (!asked["partition"].is_number_unsigned() ||
        asked["partition"].get<std::uint64_t>() >= static_cast<std::uint64_t>(last)) {
      co_return answer_error(400, "no such partition");
    }
    first = asked["partition"].get<std::int32_t>();
    last = first + 1;
  }
  std::vector<broker::OffsetQuery> starts;
  std::vector<broker::OffsetQuery> ends;
  for (std::int32_t i = first; i < last; ++i) {
    const PartitionId id{topic->topic.id, i};
    starts.push_back({.partition = id, .timestamp = static_cast<std::int64_t>(broker::OffsetSpec::earliest)});
    ends.push_back({.partition = id, .timestamp = static_cast<std::int64_t>(broker::OffsetSpec::latest)});
  }
  const auto low = co_await broker.offsets().find(std::move(starts));
  const auto high = co_await broker.offsets().find(std::move(ends));
  const bool by_name = asked["to"].is_string();
  const std::string to = by_name ? asked["to"].get<std::string>() : "";
  if (by_name && to != "start" && to != "end") co_return answer_error(400, "to is start, end or an offset");
  groups::CommitOffsets commit;
  groups::TopicCommit wanted{.topic = topic->topic.name, .topic_id = topic->topic.id};
  for (std::size_t i = 0; i < low.size(); ++i) {
    if (low[i].error != ErrorCode::none) co_return answer_error(low[i].error, "");
    if (high[i].error != ErrorCode::none) co_return answer_error(high[i].error, "");
    Offset offset = to == "start" ? low[i].offset : high[i].offset;
    if (!by_name) {
      const auto number = asked["to"].get<std::uint64_t>();
      const auto end = static_cast<std::uint64_t>(high[i].offset);
      offset = std::max(low[i].offset, static_cast<Offset>(std::min(number, end)));
    }
    wanted.partitions.push_back({.partition = first + static_cast<std::int32_t>(i), .offset = offset});
  }
  Json told = Json::array();
  for (const auto& partition : wanted.partitions)
    told.push_back({{"partition", partition.partition}, {"offset", partition.offset}});
  commit.topics.push_back(std::move(wanted));
  broker::GroupCall call{.group = request.segments.front()};
  const auto done = co_await broker.groups().commit(std::move(call), std::move(commit));
  ErrorCode error = done.error;
  for (const ErrorCode each : done.partitions)
    if (error == ErrorCode::none) error = each;
  // A group with members owns its offsets: Kafka says the same to kafka-consumer-groups.
  if (error != ErrorCode::none) co_return answer_error(error, "only a group without members can be reset");
  co_return answer_json(Json{{"offsets", std::move(told)}});
}

}  // namespace

std::vector<Route> group_routes(const ApiParts& parts) {
  return {
      with_broker(parts, "GET", "/api/v1/groups", Access::page,
                  [](broker::Broker& broker, HttpRequest) { return list(broker); }),
      with_broker(parts, "GET", "/api/v1/groups/*", Access::page,
                  [&parts](broker::Broker& broker, HttpRequest request) {
                    return describe(parts, broker, std::move(request));
                  }),
      with_broker(parts, "POST", "/api/v1/groups/*/offsets", Access::change, reset),
  };
}

}  // namespace tidegate::admin
