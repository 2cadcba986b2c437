// Sizes, producers and the disk.
#include "tidegate/broker/partition_facts.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <utility>

#include "partition_table.h"
#include "scatter.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/offsets_path.h"
#include "tidegate/broker/server_config.h"

namespace tidegate::broker {
namespace {

PartitionSize describe(const Partition& partition, PartitionSize) {
  return {.bytes = static_cast<std::int64_t>(partition.log->size_bytes())};
}

PartitionProducers describe(const Partition& partition, PartitionProducers) {
  PartitionProducers told;
  const producers::ProducerStateTable& table = partition.producers.table();
  for (const std::int64_t id : table.producer_ids()) {
    const producers::ProducerState* state = table.find(id);
    if (!state) continue;
    ActiveProducer producer{.id = id, .epoch = state->epoch, .transaction_start = state->open_transaction};
    if (const producers::BatchMetadata* last = state->last()) {
      producer.last_sequence = last->last_sequence;
      producer.last_timestamp = last->timestamp;
    }
    told.producers.push_back(producer);
  }
  return told;
}

template <class Answer>
Task<std::vector<Answer>> answer_one_by_one(PartitionTable& table, std::vector<PartitionQuestion> questions) {
  std::vector<Answer> answers;
  answers.reserve(questions.size());
  for (const PartitionQuestion& question : questions) {
    auto found = co_await table.find_open(question.partition);
    if (found) {
      answers.push_back(describe(**found, Answer{}));
    } else {
      answers.push_back(Answer{.error = found.error().code});
    }
  }
  co_return answers;
}

template <class Answer>
Task<std::vector<Answer>> ask(const BrokerParts& parts, PartitionTables& tables,
                              std::vector<PartitionQuestion> questions) {
  auto visit = [&tables](std::vector<PartitionQuestion> mine) {
    return answer_one_by_one<Answer>(tables.local(), std::move(mine));
  };
  co_return co_await scatter<Answer>(parts.shards, std::move(questions), std::move(visit));
}

std::int64_t bytes_of(std::uintmax_t bytes) {
  constexpr auto kMost = static_cast<std::uintmax_t>(std::numeric_limits<std::int64_t>::max());
  return static_cast<std::int64_t>(std::min(bytes, kMost));
}

// Blocks: a network file system may take its time.
LogDirectory look_at(std::string path) {
  LogDirectory directory;
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error).lexically_normal();
  directory.path = error ? path : absolute.string();
  const auto space = std::filesystem::space(directory.path, error);
  if (!error) {
    directory.total_bytes = bytes_of(space.capacity);
    directory.usable_bytes = bytes_of(space.available);
  }
  return directory;
}

}  // namespace

PartitionFacts OffsetsPath::facts() const { return {parts_, tables_}; }

Task<std::vector<PartitionSize>> PartitionFacts::sizes(std::vector<PartitionQuestion> questions) {
  return ask<PartitionSize>(parts_, tables_, std::move(questions));
}

Task<std::vector<PartitionProducers>> PartitionFacts::producers(std::vector<PartitionQuestion> questions) {
  return ask<PartitionProducers>(parts_, tables_, std::move(questions));
}

Task<LogDirectory> PartitionFacts::log_directory() {
  const storage::Capabilities can = parts_.engine.capabilities();
  // In memory, or in a storage that others share: it is no directory of this machine.
  if (!can.durable || can.shares_topics) co_return LogDirectory{.path = std::string(parts_.engine.name())};
  auto look = [path = server_data_dir(parts_.config)] { return look_at(path); };
  co_return co_await parts_.blocking.run(Lane::disk_read, std::move(look));
}

}  // namespace tidegate::broker
