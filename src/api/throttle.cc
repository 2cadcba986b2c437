#include "throttle.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "tidegate/broker/broker.h"
#include "tidegate/broker/client_quotas.h"

namespace tidegate::api {
namespace {

// nullptr: nobody has a quota, or storage is not there yet.
broker::ClientQuotas* quotas_of(const RequestContext& context) {
  if (!context.broker) return nullptr;
  broker::ClientQuotas& quotas = context.broker->quotas();
  return quotas.table() ? &quotas : nullptr;
}

// Kafka's quotas are for names of users, whatever authenticated them.
std::string_view user_of(const RequestContext& context) {
  constexpr std::string_view kUser = "User:";
  if (!context.session) return {};
  std::string_view principal = context.session->principal;
  if (principal.starts_with(kUser)) principal.remove_prefix(kUser.size());
  return principal;
}

std::string_view client_of(const RequestContext& context) {
  return context.client_id ? std::string_view(*context.client_id) : std::string_view();
}

void make_wait(RequestContext& context, broker::ClientQuotas& quotas, broker::QuotaKind kind, Duration wait) {
  if (wait <= Duration{0}) return;
  quotas.count_throttled(kind, wait);
  const auto wait_ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
  context.throttle_ms = std::max(context.throttle_ms, static_cast<std::int32_t>(wait_ms));
}

// Once a request; true: its client has to wait for it.
bool count_work(RequestContext& context, broker::ClientQuotas& quotas) {
  if (!context.work || std::exchange(context.work_counted, true)) return false;
  WorkScope::settle();
  const Duration wait = quotas.worked(user_of(context), client_of(context), context.work->take());
  make_wait(context, quotas, broker::QuotaKind::request_percentage, wait);
  return wait > Duration{0};
}

}  // namespace

void count_produced(RequestContext& context) {
  broker::ClientQuotas* const quotas = quotas_of(context);
  if (!quotas) return;
  const Duration wait = quotas->produced(user_of(context), client_of(context), context.size_bytes);
  make_wait(context, *quotas, broker::QuotaKind::producer_byte_rate, wait);
}

bool may_fetch(RequestContext& context, std::size_t bytes) {
  broker::ClientQuotas* const quotas = quotas_of(context);
  if (!quotas) return true;
  if (count_work(context, *quotas)) return false;
  const Duration wait = quotas->may_fetch(user_of(context), client_of(context), bytes);
  make_wait(context, *quotas, broker::QuotaKind::consumer_byte_rate, wait);
  return wait <= Duration{0};
}

void count_fetched(RequestContext& context, std::size_t bytes) {
  if (broker::ClientQuotas* const quotas = quotas_of(context)) {
    quotas->fetched(user_of(context), client_of(context), bytes);
  }
}

std::int32_t fetch_limit(const RequestContext& context, std::int32_t max_bytes) {
  const broker::ClientQuotas* const quotas = quotas_of(context);
  if (!quotas) return max_bytes;
  const auto limit = quotas->largest_fetch(user_of(context), client_of(context));
  if (!limit || max_bytes < 0) return max_bytes;
  return static_cast<std::int32_t>(std::min(*limit, static_cast<std::size_t>(max_bytes)));
}

std::int32_t throttle_time_ms(RequestContext& context) {
  if (broker::ClientQuotas* const quotas = quotas_of(context)) count_work(context, *quotas);
  return context.throttle_ms;
}

void begin_counting(RequestContext& context) {
  const broker::ClientQuotas* const quotas = quotas_of(context);
  if (quotas && quotas->table()->has(broker::QuotaKind::request_percentage)) {
    context.work = std::make_shared<WorkTime>();
  }
}

void end_counting(RequestContext& context) {
  if (!context.work) return;
  WorkScope::settle();
  if (broker::ClientQuotas* const quotas = quotas_of(context)) {
    quotas->worked(user_of(context), client_of(context), context.work->take());
  }
}

}  // namespace tidegate::api
