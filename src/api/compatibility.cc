#include <string>

#include "tidegate/api/api_table.h"
#include "tidegate/broker/topic_config.h"

namespace tidegate::api {
namespace {

std::string range(std::int16_t from, std::int16_t to) {
  return from == to ? std::to_string(from) : std::to_string(from) + "-" + std::to_string(to);
}

}  // namespace

std::string compatibility_markdown() {
  std::string out =
      "# Compatibility\n\n"
      "Made by `tidegate docs compatibility` from the API table; a test compares the two. An API that is not "
      "here is\n"
      "not advertised, and a request for it ends the connection, as Kafka does.\n\n"
      "| key | API | versions | flexible from |\n|---:|---|---|---|\n";
  for (const auto& row : api_table()) {
    std::string versions = range(row.min_version, row.max_version);
    if (row.advertised_min < row.min_version) {
      versions += " (advertised from " + std::to_string(row.advertised_min) + ", see below)";
    }
    out += "| " + std::to_string(row.key) + " | " + std::string(row.name) + " | " + versions + " | " +
           (row.flexible_from < 0 ? "never" : std::to_string(row.flexible_from)) + " |\n";
  }
  out +=
      "\n## Exceptions\n\n"
      "- Produce 0-2 is advertised, because older librdkafka releases look there before they use newer "
      "codecs, and ends\n"
      "  the connection when it is used: those versions carry message formats that no current client "
      "writes.\n"
      "- ApiVersions above the highest version is answered with error 35 in the version 0 body, so that the "
      "client can try\n"
      "  again with a version that both know.\n"
      "\n## Not there yet\n\n"
      "- Share groups and streams groups: FindCoordinator with their key type answers INVALID_REQUEST (42).\n"
      "- Transactions: InitProducerId with a transactional id, and FindCoordinator for one, answer\n"
      "  TRANSACTIONAL_ID_AUTHORIZATION_FAILED (53), a transactional batch INVALID_TXN_STATE (48).\n"
      "- SASL, TLS and ACLs: every client is User:ANONYMOUS. A listener that is not on loopback says so in a "
      "warning.\n"
      "- Client quotas: throttle_time_ms is always 0.\n"
      "\n## Operations\n\n"
      "- DescribeLogDirs has one directory, `data.dir`, or for an engine without one the engine's name, "
      "without the size of a\n"
      "  volume. A log that cannot be opened makes the directory's error KAFKA_STORAGE_ERROR.\n"
      "- DescribeQuorum: this server is the only voter, in epoch 0. There is no metadata log: its offsets "
      "are -1.\n"
      "- ListConfigResources lists topics and this server. Broker loggers, client metrics and groups have no "
      "configs here.\n"
      "- ElectLeaders answers ELECTION_NOT_NEEDED for every partition; ListPartitionReassignments is always "
      "empty.\n"
      "- AlterPartitionReassignments, AlterReplicaLogDirs, UpdateFeatures and the telemetry APIs are not "
      "offered: clients that\n"
      "  look at ApiVersions say UNSUPPORTED_VERSION by themselves.\n"
      "\n## Consumer groups\n\n"
      "- ConsumerGroupHeartbeat, ConsumerGroupDescribe and the feature group.version are offered while\n"
      "  `group.coordinator.rebalance.protocols` names consumer, as it does by default.\n"
      "- OffsetFetch answers an offset that was committed without a leader epoch with the epoch that covers "
      "it, where\n"
      "  Kafka answers -1.\n"
      "- Groups and offsets are not kept in a topic: there is no `__consumer_offsets` to read.\n"
      "- Committed offsets are kept for offsets.retention.minutes from when the group became empty or from "
      "the commit,\n"
      "  whichever is later, in groups of both protocols. Kafka counts from the group's end alone in classic "
      "groups and\n"
      "  from the commit alone in consumer groups, where a group that had caught up loses its place with its "
      "last member.\n"
      "- A group without members that changes its protocol counts its generations on. Kafka begins anew, so "
      "that there two\n"
      "  members may have owned a partition in generations of one number.\n"
      "- A group whose stored state is damaged is listed in the state Unknown; DescribeGroups and "
      "ConsumerGroupDescribe\n"
      "  answer UNKNOWN_SERVER_ERROR and say why, its members are refused, and DeleteGroups takes it away "
      "once no member\n"
      "  has asked for 30 s (NON_EMPTY_GROUP before that).\n"
      "- A commit counts with the member's present epoch alone, as in Kafka up to 4.2; Kafka 4.3 takes one "
      "with an earlier\n"
      "  epoch, too, for a partition that the member has had since.\n"
      "- Limits that Kafka does not have: `group.coordinator.max.groups` (COORDINATOR_NOT_AVAILABLE),\n"
      "  `group.coordinator.max.members` (GROUP_MAX_SIZE_REACHED), `group.max.offsets`,\n"
      "  `group.max.member.metadata.bytes` and `group.max.assignment.bytes`.\n"
      "\n## Log compaction\n\n"
      "- As Kafka's: the last record of each key stays, also within a batch; records without a value stay "
      "for delete.retention.ms after\n"
      "  everything older of their key was cleaned; offsets never change. A record without a key is refused "
      "by a compacted topic\n"
      "  (INVALID_RECORD with its index); one from before the topic was compacted goes.\n"
      "- Transactional batches and their markers are left as they are: no transaction can be written yet.\n"
      "- Only closed segments are compacted, the oldest first. Small ones are put together up to "
      "segment.bytes.\n"
      "\n## Record batches\n\n"
      "- A compressed batch is stored as it came. Its header and CRC are checked, and with lz4 that the "
      "frame's blocks are\n"
      "  independent, since Java clients cannot read others (INVALID_RECORD, 87). Its records are inflated "
      "and checked only\n"
      "  where a topic config asks for it (`cleanup.policy=compact`, `message.timestamp.before.max.ms`, a "
      "`compression.type`\n"
      "  other than the batch's) or where the header's timestamps are out of bounds. Otherwise its record "
      "count, offset\n"
      "  deltas and timestamps are the producer's word, where Kafka would inflate every batch and look.\n"
      "- Records of an uncompressed batch are always checked.\n"
      "\n## Topics of a SeaweedFS on the broker path\n\n"
      "What `seaweedmq.path=broker` has not, where all else is as on `direct` (seaweedmq.md):\n\n"
      "- CreatePartitions answers INVALID_PARTITIONS (37), always: SeaweedMQ divides a topic anew only by "
      "giving up its data.\n"
      "- `cleanup.policy=compact` is INVALID_CONFIG (40), and so is `seaweedmq.layout=record`. Where broker "
      "is only the\n"
      "  default, a topic that is made with `cleanup.policy=compact` is made on `direct`.\n"
      "- acks=1 and acks=all wait for one flush of the broker, seconds, unless `seaweedmq.ack=broker`, which "
      "may lose what was\n"
      "  acknowledged. acks=0 is as everywhere.\n"
      "- Topics that SeaweedMQ or its Kafka gateway made can be read only: Produce and DeleteRecords answer "
      "POLICY_VIOLATION (44).\n"
      "\n## Beside SeaweedFS's own messaging\n\n"
      "What was seen with SeaweedFS 4.44; the runs and their figures are in seaweedmq.md:\n\n"
      "- Topics of native publishers and of SeaweedFS's Kafka gateway are read byte by byte, some seconds "
      "after they were\n"
      "  written. Headers, the client's times and null against empty are not kept on the way through a "
      "broker.\n"
      "- Native subscribers get each record of layout `record` (a keyless one with its offset for a key), "
      "and "
      "one message a batch of\n"
      "  layout `batch`, from a broker that opened the partition after the records were written. One that "
      "had "
      "it open before, or\n"
      "  opened it for an SQL query, may give them nothing until it is started anew; the latter on any "
      "topic.\n"
      "- SeaweedFS's SQL engine reads layout `record`, with a broker or without. COUNT passes over records "
      "without a value, SELECT\n"
      "  leaves out up to 100 rows of a partition at random, on any topic. What was written behind a broker "
      "that had opened the\n"
      "  partition empty is counted twice until that broker is started anew.\n"
      "- Brokers, `weed shell` and SQL list our topics, and no broker divides one anew, grown and re-created "
      "ones among them.\n"
      "\n## Topic configs without effect\n\n"
      "They are accepted, kept and shown, so that tools which set them go on working; DescribeConfigs says "
      "the same in\n"
      "their documentation. Every other topic config takes effect at once.\n\n";
  for (const auto& key : broker::topic_config_table().keys()) {
    if (key.no_effect) out += "- `" + std::string(key.name) + "`\n";
  }
  return out;
}

}  // namespace tidegate::api
