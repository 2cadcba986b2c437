// The checks of a produced batch, put together from the protocol's for a topic's settings.
#include "produce_check.h"

#include <utility>

#include "tidegate/protocol/batch_check.h"

namespace tidegate::broker {

protocol::RecordLimits record_limits(const protocol::RecordBatch& batch, const TopicSettings& settings) {
  protocol::RecordLimits limits;
  limits.max_inflated_bytes = std::min(
      static_cast<std::size_t>(settings.max_decompressed_bytes),
      protocol::inflated_limit(batch.bytes.size(), static_cast<std::size_t>(settings.max_message_bytes)));
  return limits;
}

namespace {

using protocol::RecordBatch;
using protocol::TimestampType;

std::unexpected<ProduceRefusal> refuse(ErrorCode error, std::string message) {
  return std::unexpected(ProduceRefusal{error, std::move(message), {}});
}

std::unexpected<ProduceRefusal> refuse(Error error) { return refuse(error.code, std::move(error.message)); }

TimestampType timestamp_type(const TopicSettings& settings) {
  return settings.log.log_append_time ? TimestampType::log_append_time : TimestampType::create_time;
}

protocol::RecordRules rules_for(const RecordBatch& batch, const TopicSettings& settings,
                                std::int64_t now_ms) {
  return {.keys_required = settings.log.cleanup_compact,
          .timestamp_type = timestamp_type(settings),
          .now_ms = now_ms,
          .before_max_ms = settings.timestamp_before_max_ms,
          .after_max_ms = settings.timestamp_after_max_ms,
          .limits = record_limits(batch, settings)};
}

bool walks_records(const RecordBatch& batch, const protocol::RecordRules& rules) {
  return batch.header.compression() == protocol::Compression::none ||
         protocol::records_need_validation(batch.header, rules);
}

bool recompresses(const RecordBatch& batch, const TopicSettings& settings) {
  return settings.compression.has_value() && *settings.compression != batch.header.compression();
}

}  // namespace

std::expected<RecordBatch, ProduceRefusal> check_batch(const SharedBuffer& records,
                                                       const TopicSettings& settings,
                                                       const ProduceRules& rules) {
  const protocol::ProducedBatchRules batch_rules{
      .max_batch_bytes = static_cast<std::size_t>(settings.max_message_bytes),
      .zstd_allowed = rules.zstd_allowed,
      .timestamp_type = timestamp_type(settings)};
  auto header = protocol::check_produced_batch(records, batch_rules);
  if (!header) return refuse(std::move(header.error()));
  if (header->base_offset != 0) {
    return refuse(ErrorCode::invalid_record, "a produced batch has base offset 0");
  }
  // Transactions come with their coordinator; until then nobody can begin or end one.
  if (header->is_transactional()) {
    if (!rules.has_transactional_id) {
      return refuse(ErrorCode::transactional_id_authorization_failed,
                    "a transactional batch in a request without transactional id");
    }
    return refuse(ErrorCode::invalid_txn_state, "there is no such transaction");
  }
  return RecordBatch{*header, records};
}

bool needs_codec(const RecordBatch& batch, const TopicSettings& settings, std::int64_t now_ms) {
  if (recompresses(batch, settings)) return true;
  return batch.header.compression() != protocol::Compression::none &&
         protocol::records_need_validation(batch.header, rules_for(batch, settings, now_ms));
}

std::expected<AcceptedBatch, ProduceRefusal> finish_check(RecordBatch batch, const TopicSettings& settings,
                                                          std::int64_t now_ms) {
  const protocol::RecordRules rules = rules_for(batch, settings, now_ms);
  AcceptedBatch accepted{std::move(batch), -1};
  if (walks_records(accepted.batch, rules)) {
    protocol::RecordsReport report = protocol::validate_records(accepted.batch, rules);
    if (!report.ok()) {
      ProduceRefusal refusal{report.error.code, std::move(report.error.message), {}};
      for (auto& problem : report.problems) {
        refusal.record_errors.push_back({problem.index, std::move(problem.message)});
      }
      return std::unexpected(std::move(refusal));
    }
    if (report.max_timestamp_differs) {
      accepted.batch = protocol::with_max_timestamp(accepted.batch, report.max_timestamp);
    }
  }
  if (recompresses(accepted.batch, settings)) {
    auto other = protocol::recompress(accepted.batch, *settings.compression, rules.limits);
    if (!other) return refuse(std::move(other.error()));
    accepted.batch = std::move(*other);
    if (static_cast<std::int64_t>(accepted.batch.bytes.size()) > settings.max_message_bytes) {
      return refuse(ErrorCode::message_too_large, "the batch is too large in the topic's codec");
    }
  }
  if (settings.log.log_append_time) {
    accepted.batch = protocol::stamp_append_time(accepted.batch, now_ms);
    accepted.log_append_time = now_ms;
  }
  return accepted;
}

}  // namespace tidegate::broker
