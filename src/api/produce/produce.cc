// Produce (key 0). Shape and topics here; everything about batches is broker/produce_path.
#include <algorithm>
#include <chrono>
#include <utility>

#include "handler.h"
#include "leader_hints.h"
#include "rows.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/produce_path.h"
#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/protocol/messages/produce.h"
#include "unknown_topics.h"

namespace tidegate::api {
namespace {

using protocol::ProduceRequest;
using protocol::ProduceResponse;

constexpr std::int16_t kZstdFrom = 7;
constexpr std::int16_t kTopicIdsFrom = 13;
constexpr std::int32_t kDefaultTimeoutMs = 30'000;

ErrorCode check_acks(std::int16_t acks) {
  return acks >= -1 && acks <= 1 ? ErrorCode::none : ErrorCode::invalid_required_acks;
}

// Fills the response with what is known before any partition is asked; the others become items.
// `places` holds (topic, partition) of each item in the response.
std::vector<broker::ProduceItem> resolve(const broker::TopicCatalogue& catalogue, ProduceRequest& request,
                                         bool by_id, ProduceResponse& response,
                                         std::vector<std::pair<std::size_t, std::size_t>>& places) {
  const ErrorCode refused = check_acks(request.acks);
  std::vector<broker::ProduceItem> items;
  response.responses.reserve(request.topic_data.size());
  for (auto& topic : request.topic_data) {
    const auto known = by_id ? catalogue.find(topic.topic_id) : catalogue.find(std::string_view(topic.name));
    auto& told = response.responses.emplace_back();
    told.topic_id = topic.topic_id;
    told.name = std::move(topic.name);
    told.partition_responses.reserve(topic.partition_data.size());
    for (auto& partition : topic.partition_data) {
      auto& outcome = told.partition_responses.emplace_back();
      outcome.index = partition.index;
      outcome.base_offset = -1;
      if (refused != ErrorCode::none) {
        outcome.error_code = refused;
      } else if (!known) {
        outcome.error_code = by_id ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
      } else if (partition.index < 0 || partition.index >= known->topic.partitions) {
        outcome.error_code = ErrorCode::unknown_topic_or_partition;
      } else {
        items.push_back({.partition = {known->topic.id, partition.index},
                         .records = partition.records ? std::move(*partition.records) : SharedBuffer{}});
        places.emplace_back(response.responses.size() - 1, told.partition_responses.size() - 1);
      }
    }
  }
  return items;
}

void fill(ProduceResponse::PartitionProduceResponse& told, broker::ProduceOutcome& outcome) {
  told.error_code = outcome.error;
  told.base_offset = outcome.base_offset;
  told.log_append_time_ms = outcome.log_append_time;
  told.log_start_offset = outcome.log_start;
  if (!outcome.message.empty()) told.error_message = std::move(outcome.message);
  for (auto& record : outcome.record_errors) {
    told.record_errors.push_back({record.index, std::move(record.message)});
  }
}

// Kafka's limit is on the wait for replicas, here it is on the one for the disk. acks=0 waits for nothing,
// and 0 or less, which a lone Kafka broker always meets, cannot mean that nothing is ever acknowledged.
MonoTime deadline_of(const RequestContext& context, const ProduceRequest& request) {
  if (request.acks == 0) return MonoTime::max();
  const auto timeout =
      std::chrono::milliseconds(request.timeout_ms > 0 ? request.timeout_ms : kDefaultTimeoutMs);
  return context.received + timeout;
}

ErrorCode first_error(const ProduceResponse& response) {
  for (const auto& topic : response.responses) {
    for (const auto& partition : topic.partition_responses) {
      if (partition.error_code != ErrorCode::none) return partition.error_code;
    }
  }
  return ErrorCode::none;
}

Task<Reply> handle(RequestContextPtr context, ProduceRequest request) {
  const bool by_id = context->version >= kTopicIdsFrom;
  ProduceResponse response;
  std::vector<std::pair<std::size_t, std::size_t>> places;
  const auto name_of = [](const auto& topic) { return std::string_view(topic.name); };
  const auto id_of = [](const auto& topic) { return topic.topic_id; };
  const bool look = by_id ? is_worth_a_look(*context, request.topic_data, id_of)
                          : is_worth_a_look(*context, request.topic_data, name_of);
  if (look) co_await context->broker->lookout().look();
  auto items = resolve(context->broker->topics(), request, by_id, response, places);
  const broker::ProduceOptions options{.acks = request.acks,
                                       .zstd_allowed = context->version >= kZstdFrom,
                                       .has_transactional_id = request.transactional_id.has_value(),
                                       .deadline = deadline_of(*context, request)};
  if (!items.empty()) {
    std::function<void()> dispatched = [context] { context->dispatched(); };
    auto outcomes =
        co_await context->broker->produce().append(std::move(items), options, std::move(dispatched));
    const bool some_go_on =
        std::ranges::any_of(outcomes, [](const auto& each) { return each.rest != nullptr; });
    if (some_go_on) broker::ProducePath::hold_for_rest(outcomes, context->hold_memory());
    LeaderHints<ProduceResponse> hints(*context, kProduceHintsFrom);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      auto& told = response.responses[places[i].first].partition_responses[places[i].second];
      fill(told, outcomes[i]);
      if (hints.add(outcomes[i].leader, response)) {
        told.current_leader = {outcomes[i].leader.node, outcomes[i].leader.epoch};
      }
    }
  }
  const ErrorCode error = first_error(response);
  count_produced(*context);
  if (request.acks == 0) {
    // No answer, not even an error: closing is how the client learns of one.
    Reply none{
        .send = false, .close = error != ErrorCode::none, .error_code = static_cast<std::int16_t>(error)};
    none.throttle_ms = throttle_time_ms(*context);
    if (none.close) none.close_reason = "produce with acks=0 failed: " + std::string(error_name(error));
    co_return none;
  }
  co_return make_reply(*context, std::move(response), error);
}

}  // namespace

ApiRow produce_row() {
  ApiRow row = make_row<ProduceRequest, handle>({.name = "Produce", .lane = RequestLane::ordered});
  // Kafka lists 0 to 2 and refuses them: librdkafka up to about 2.8 looks for the old range before it
  // turns on batches of magic 2, lz4 and zstd (KAFKA-18659).
  row.advertised_min = 0;
  return row;
}

}  // namespace tidegate::api
