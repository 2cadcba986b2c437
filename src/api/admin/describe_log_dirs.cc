// DescribeLogDirs (key 35): the one directory that holds the records, what each partition takes of it, and
// how full its disk is (KIP-113, KIP-827). Partitions that do not exist are left out, as Kafka does.
#include "tidegate/protocol/messages/describe_log_dirs.h"

#include <set>
#include <utility>

#include "../handler.h"
#include "../rows_operations.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/offsets_path.h"
#include "tidegate/broker/partition_facts.h"
#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::api {
namespace {

using Request = protocol::DescribeLogDirsRequest;
using Response = protocol::DescribeLogDirsResponse;
using Directory = Response::DescribeLogDirsResult;

// Fills in names and indexes; sizes come later. `questions` has one for each partition, in order.
class Layout {
 public:
  Layout(Directory& directory, const storage::Cluster& cluster) : directory_(directory), cluster_(cluster) {}

  void add_all(const broker::CatalogueTopicPtr& topic) {
    for (std::int32_t i = 0; i < topic->topic.partitions; ++i) add(topic, i);
  }
  void add(const broker::CatalogueTopicPtr& topic, std::int32_t partition) {
    if (partition < 0 || partition >= topic->topic.partitions) return;
    const PartitionId id{topic->topic.id, partition};
    if (cluster_.owner_of(id).node != cluster_.self()) return;  // the directory of another node has it
    if (!seen_.emplace(topic->topic.id, partition).second) return;
    auto& topics = directory_.topics;
    if (topics.empty() || topics.back().name != topic->topic.name)
      topics.push_back({.name = topic->topic.name});
    topics.back().partitions.push_back({.partition_index = partition});
    questions.push_back({id});
  }
  std::vector<broker::PartitionQuestion> questions;

 private:
  Directory& directory_;
  const storage::Cluster& cluster_;
  std::set<std::pair<TopicId, std::int32_t>> seen_;
};

Task<Response> handle(RequestContextPtr context, Request request) {
  broker::Broker& broker = *context->broker;
  broker::PartitionFacts facts = broker.offsets().facts();
  Response response;
  auto found = co_await facts.log_directory();
  Directory& directory = response.results.emplace_back();
  directory.log_dir = std::move(found.path);
  directory.total_bytes = found.total_bytes;
  directory.usable_bytes = found.usable_bytes;

  Layout layout(directory, broker.parts().cluster);
  if (!request.topics) {
    for (const auto& topic : broker.topics().list()) layout.add_all(topic);
  } else {
    for (const auto& asked : *request.topics) {
      const auto topic = broker.topics().find(std::string_view(asked.topic));
      if (!topic) continue;
      for (const std::int32_t partition : asked.partitions) layout.add(topic, partition);
    }
  }
  const auto sizes = co_await facts.sizes(std::move(layout.questions));
  std::size_t place = 0;
  for (auto& topic : directory.topics) {
    for (auto& partition : topic.partitions) {
      const broker::PartitionSize& size = sizes[place++];
      // The protocol has an error for the directory only: a log that cannot be opened must not read as empty.
      if (size.error != ErrorCode::none && size.error != ErrorCode::unknown_topic_or_partition) {
        directory.error_code = ErrorCode::kafka_storage_error;
      }
      partition.partition_size = size.bytes;
    }
  }
  co_return response;
}

}  // namespace

ApiRow describe_log_dirs_row() { return make_row<Request, handle>({.name = "DescribeLogDirs"}); }

}  // namespace tidegate::api
