// GET /api/v1/topics/NAME/messages: records from an offset or a time on, or as they come.
//
// Bounded: one read of at most kReadBytes (the first batch may be larger, and is charged by the fetch path),
// inflated on the CPU lane up to kInflatedBytes, answered up to kAnswerBytes. That much is taken from the
// browsing budget first; without room the answer is 503.
#include <algorithm>

#include "api_routes.h"
#include "message_text.h"
#include "tidegate/broker/fetch_path.h"
#include "tidegate/broker/offsets_path.h"
#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::admin {
namespace {

constexpr std::int32_t kReadBytes = 1 << 20;
constexpr std::size_t kChargedBytes = kInflatedBytes + kAnswerBytes + kReadBytes;
constexpr std::int64_t kMaxLimit = 500;
constexpr std::int64_t kMaxWaitMs = 5000;

struct Browse {
  broker::CatalogueTopicPtr topic;
  std::int32_t partition = 0;
  std::optional<std::int64_t> offset;   // nullopt: see the others
  std::optional<std::int64_t> time_ms;  // the first record of that time or later
  bool from_start = false;              // otherwise the last `limit` records
  MessageLimits limits;
  std::int32_t wait_ms = 0;
};

std::optional<std::string> parse(const HttpRequest& request, Browse& out) {
  const auto number = [&](std::string_view name, std::int64_t fallback) -> std::optional<std::int64_t> {
    const auto text = request.parameter(name);
    return text.empty() ? fallback : parse_number(text);
  };
  const auto partition = number("partition", 0);
  const auto limit = number("limit", 50);
  const auto wait = number("wait_ms", 0);
  if (!partition || *partition < 0 || *partition >= out.topic->topic.partitions) return "no such partition";
  if (!limit || *limit < 1) return "limit is a number from 1 on";
  if (!wait || *wait < 0) return "wait_ms is a number from 0 on";
  out.partition = static_cast<std::int32_t>(*partition);
  out.limits.records = static_cast<std::size_t>(std::min(*limit, kMaxLimit));
  out.wait_ms = static_cast<std::int32_t>(std::min(*wait, kMaxWaitMs));
  out.limits.filter = std::string(request.parameter("filter"));
  const auto from = request.parameter("from");
  if (const auto time = request.parameter("time_ms"); !time.empty()) {
    out.time_ms = parse_number(time);
    if (!out.time_ms || *out.time_ms < 0) return "time_ms is a number from 0 on";
  } else if (from == "start") {
    out.from_start = true;
  } else if (!from.empty() && from != "end") {
    out.offset = parse_number(from);
    if (!out.offset || *out.offset < 0) return "from is start, end or an offset";
  }
  return std::nullopt;
}

struct Bounds {
  ErrorCode error = ErrorCode::none;
  Offset start = 0;
  Offset end = 0;
  Offset at = 0;
};

// Between the log's ends, whatever was asked for.
Task<Bounds> find_bounds(broker::Broker& broker, Browse browse) {
  const PartitionId id{browse.topic->topic.id, browse.partition};
  std::vector<broker::OffsetQuery> queries{
      {.partition = id, .timestamp = static_cast<std::int64_t>(broker::OffsetSpec::earliest)},
      {.partition = id, .timestamp = static_cast<std::int64_t>(broker::OffsetSpec::latest)}};
  if (browse.time_ms) queries.push_back({.partition = id, .timestamp = *browse.time_ms});
  const auto answers = co_await broker.offsets().find(std::move(queries));
  Bounds out;
  for (const auto& answer : answers)
    if (answer.error != ErrorCode::none) out.error = answer.error;
  out.start = answers[0].offset;
  out.end = answers[1].offset;
  if (browse.time_ms) {
    out.at = answers[2].offset < 0 ? out.end : answers[2].offset;
  } else if (browse.offset) {
    out.at = *browse.offset;
  } else {
    out.at = browse.from_start ? out.start : out.end - static_cast<Offset>(browse.limits.records);
  }
  out.at = std::clamp(out.at, out.start, std::max(out.start, out.end));
  co_return out;
}

Task<HttpResponse> messages(const ApiParts& parts, broker::Broker& broker, HttpRequest request) {
  Browse browse;
  browse.topic = broker.topics().find(std::string_view(request.segments.front()));
  if (!browse.topic) co_return answer_error(404, "no such topic");
  if (const auto problem = parse(request, browse)) co_return answer_error(400, *problem);
  MemoryLease lease;
  if (!parts.browsing.try_acquire(kChargedBytes, lease)) {
    co_return answer_error(503, "others browse: there is no memory left for it");
  }
  const Bounds bounds = co_await find_bounds(broker, browse);
  if (bounds.error != ErrorCode::none) co_return answer_error(bounds.error, "");

  broker::FetchQuery query{
      .max_wait_ms = browse.wait_ms, .min_bytes = browse.wait_ms > 0 ? 1 : 0, .max_bytes = kReadBytes};
  query.wants.push_back({.key = {browse.topic->topic.name, browse.topic->topic.id, browse.partition},
                         .fetch_offset = bounds.at,
                         .max_bytes = kReadBytes});
  auto cancel = std::make_shared<broker::FetchCancel>();
  auto reply = co_await broker.fetch().fetch(std::move(query), std::move(cancel));
  ErrorCode error = reply.error;
  if (error == ErrorCode::none && !reply.partitions.empty()) error = reply.partitions.front().error;
  if (error != ErrorCode::none) co_return answer_error(error, "");

  std::vector<SharedBuffer> chunks;
  Offset end = bounds.end;
  if (!reply.partitions.empty()) {
    chunks = std::move(reply.partitions.front().records);
    end = std::max(end, reply.partitions.front().high_watermark);
  }
  MessageLimits limits = browse.limits;
  limits.from = bounds.at;
  auto work = [chunks = std::move(chunks), limits = std::move(limits)] {
    return read_messages(chunks, limits);
  };
  MessagePage page = co_await broker.parts().blocking.run(Lane::cpu, std::move(work));
  std::string body = "{\"start\":" + std::to_string(bounds.start) + ",\"end\":" + std::to_string(end) +
                     ",\"from\":" + std::to_string(bounds.at) + ",\"next\":" + std::to_string(page.next) +
                     ",\"scanned\":" + std::to_string(page.scanned) +
                     ",\"problem\":" + Json(page.problem).dump() + ",\"messages\":[" + page.messages + "]}\n";
  co_return HttpResponse::json(200, std::move(body));
}

}  // namespace

std::vector<Route> message_routes(const ApiParts& parts) {
  return {with_broker(parts, "GET", "/api/v1/topics/*/messages", Access::page,
                      [&parts](broker::Broker& broker, HttpRequest request) {
                        return messages(parts, broker, std::move(request));
                      })};
}

}  // namespace tidegate::admin
