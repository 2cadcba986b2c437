// Writing and reading snapshots of a ProducerStateTable. Byte tables: docs/producer-snapshot.md.
#include <fmt/format.h>

#include <algorithm>

#include "tidegate/base/assert.h"
#include "tidegate/producers/producer_state_table.h"
#include "tidegate/protocol/reader.h"
#include "tidegate/protocol/writer.h"

namespace tidegate::producers {
namespace {

using protocol::Reader;
using protocol::Writer;

constexpr std::int8_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 1 + 8 + 4;
constexpr std::size_t kProducerBytes = 8 + 2 + 8 + 8 + 1;
constexpr std::size_t kBatchBytes = 4 + 4 + 8 + 8 + 8;
constexpr std::size_t kCrcBytes = 4;

struct StoredProducer {
  std::int64_t id = -1;
  std::int64_t idle_ms = 0;
  ProducerState state;
};

std::size_t stored_bytes(const ProducerState& state) {
  return kProducerBytes + state.batch_count * kBatchBytes;
}

void write_producer(Writer& writer, const StoredProducer& producer) {
  writer.int64(producer.id);
  writer.int16(producer.state.epoch);
  writer.int64(producer.idle_ms);
  writer.int64(producer.state.open_transaction);
  writer.int8(static_cast<std::int8_t>(producer.state.batch_count));
  for (const auto& batch : producer.state.remembered()) {
    writer.int32(batch.first_sequence);
    writer.int32(batch.last_sequence);
    writer.int64(batch.base_offset);
    writer.int64(batch.last_offset);
    writer.int64(batch.timestamp);
  }
}

StoredProducer read_producer(Reader& reader) {
  StoredProducer producer;
  producer.id = reader.int64();
  producer.state.epoch = reader.int16();
  producer.idle_ms = reader.int64();
  producer.state.open_transaction = reader.int64();
  const auto batches = static_cast<std::uint8_t>(reader.int8());
  if (batches > kRememberedBatches) {
    reader.fail("too many batches");
    return producer;
  }
  for (std::uint8_t i = 0; i < batches && reader.ok(); ++i) {
    auto& batch = producer.state.batches[i];
    batch.first_sequence = reader.int32();
    batch.last_sequence = reader.int32();
    batch.base_offset = reader.int64();
    batch.last_offset = reader.int64();
    batch.timestamp = reader.int64();
  }
  producer.state.batch_count = batches;
  return producer;
}

// A checksum does not make sense of what a faulty program wrote: the table relies on these.
bool is_sensible(const StoredProducer& producer, Offset end) {
  const auto& state = producer.state;
  if (producer.id < 0 || state.epoch < 0 || producer.idle_ms < 0) return false;
  if (state.open_transaction < kNoOpenTransaction || state.open_transaction >= end) return false;
  Offset next = 0;
  for (const auto& batch : state.remembered()) {
    if (batch.first_sequence < 0 || batch.last_sequence < 0) return false;
    if (batch.base_offset < next || batch.last_offset < batch.base_offset || batch.last_offset >= end)
      return false;
    next = batch.last_offset + 1;
  }
  return true;
}

SharedBuffer with_crc(Writer body) {
  const auto bytes = std::move(body).finish();
  TIDEGATE_ASSERT(bytes.size() == 1);
  Writer whole(bytes.front().size() + kCrcBytes);
  whole.copy(bytes.front());
  whole.int32(static_cast<std::int32_t>(protocol::crc32c(bytes.front())));
  return std::move(whole).finish().front();
}

std::unexpected<Error> corrupt(std::string why) {
  return fail(ErrorCode::corrupt_message, "producer snapshot: " + std::move(why));
}

}  // namespace

SharedBuffer ProducerStateTable::serialise(MonoTime now) const {
  // What is in flight is written as it was before its first tentative batch.
  std::map<std::int64_t, const std::optional<ProducerState>*> durable;
  for (std::size_t i = undo_begin_; i < undo_.size(); ++i)
    durable.try_emplace(undo_[i].producer_id, &undo_[i].before);

  std::vector<StoredProducer> stored;
  stored.reserve(producers_.size());
  std::size_t size = kHeaderBytes;
  for (const auto producer_id : recency_) {
    const auto& producer = producers_.find(producer_id)->second;
    const auto before = durable.find(producer_id);
    if (before != durable.end() && !*before->second) continue;  // not durable at all
    const auto idle = std::chrono::floor<std::chrono::milliseconds>(now - producer.last_used).count();
    stored.push_back({.id = producer_id,
                      .idle_ms = std::max<std::int64_t>(0, idle),
                      .state = before == durable.end() ? producer.state : **before->second});
    size += stored_bytes(stored.back().state);
  }

  Writer body(size);
  body.int8(kVersion);
  body.int64(durable_end_);
  body.int32(static_cast<std::int32_t>(stored.size()));
  for (const auto& producer : stored) write_producer(body, producer);
  return with_crc(std::move(body));
}

Result<ProducerStateTable> ProducerStateTable::parse(SharedBuffer snapshot, ProducerLimits limits,
                                                     MonoTime now) {
  if (snapshot.size() < kHeaderBytes + kCrcBytes) return corrupt("too short");
  const std::size_t body_bytes = snapshot.size() - kCrcBytes;
  Reader crc(snapshot.slice(body_bytes, kCrcBytes));
  if (static_cast<std::uint32_t>(crc.int32()) != protocol::crc32c(snapshot.bytes().first(body_bytes))) {
    return corrupt("checksum does not match");
  }
  Reader reader(snapshot.slice(0, body_bytes));
  if (const auto version = reader.int8(); version != kVersion)
    return corrupt(fmt::format("version {}", version));
  const Offset end = reader.int64();
  const std::int32_t count = reader.int32();
  if (end < 0 || count < 0 || static_cast<std::size_t>(count) > reader.remaining() / kProducerBytes) {
    return corrupt("bad end offset or count");
  }
  ProducerStateTable table(limits, end);
  for (std::int32_t i = 0; i < count; ++i) {
    const auto stored = read_producer(reader);
    if (!reader.ok()) return corrupt(reader.error().message);
    if (!is_sensible(stored, end) || table.producers_.contains(stored.id)) {
      return corrupt(fmt::format("producer {} makes no sense", stored.id));
    }
    // Least recently used first, so making room drops those.
    static_cast<void>(table.make_room());
    // Idle beyond the expiration is all the same; cut, so that it does not overflow nanoseconds.
    const auto idle = std::min(std::chrono::milliseconds(stored.idle_ms),
                               std::chrono::duration_cast<std::chrono::milliseconds>(limits.expiration));
    const auto producer = table.insert(stored.id, now - idle);
    table.set_state(producer, stored.state);
  }
  if (reader.remaining() != 0) return corrupt("bytes behind the last producer");
  return table;
}

}  // namespace tidegate::producers
