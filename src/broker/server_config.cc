// The table of server settings. Names are Kafka's own where Kafka has the thing; the others are grouped
// under words of ours (storage., connection., ...). A setting that nothing acts on is here only because
// common server.properties files carry it, and says so.
#include "tidegate/broker/server_config.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <fmt/format.h>

#include "tidegate/broker/kafka_settings.h"
#include "tidegate/broker/schema_config.h"

namespace tidegate::broker {
namespace {

using enum ConfigType;

constexpr double kInt32Max = 2'147'483'647;

constexpr std::string_view kEngines[] = {"embedded", "memory", "seaweedmq"};
constexpr std::string_view kSeaweedPaths[] = {"direct", "broker"};
constexpr std::string_view kSeaweedAcks[] = {"flushed", "broker"};
constexpr std::string_view kSeaweedLayouts[] = {"batch", "record"};
constexpr std::string_view kFlushPolicies[] = {"ack", "interval", "os"};
constexpr std::string_view kCompressionTypes[] = {"uncompressed", "zstd", "lz4",
                                                  "snappy",       "gzip", "producer"};
constexpr std::string_view kCleanupPolicies[] = {"compact", "delete"};
constexpr std::string_view kTimestampTypes[] = {"CreateTime", "LogAppendTime"};
constexpr std::string_view kGroupProtocols[] = {"classic", "consumer"};
constexpr std::string_view kGroupAssignors[] = {"uniform", "range"};
constexpr std::string_view kMigrationPolicies[] = {"disabled", "upgrade", "downgrade", "bidirectional"};
constexpr std::string_view kLogLevels[] = {"trace", "debug", "info", "warn", "error"};
constexpr std::string_view kLogFormats[] = {"auto", "text", "json"};

// One line or two a key: clang-format would make it ten.
// clang-format off
constexpr ConfigKey kKeys[] = {
    // Who this server is and where it listens.
    {.name = "engine", .default_value = "embedded",
     .doc = "What stores the records: embedded (a durable log in data.dir), seaweedmq (a SeaweedFS) or memory (gone at "
            "exit).",
     .allowed = kEngines},
    {.name = "data.dir", .default_value = "data",
     .doc = "Directory of the embedded engine. One process uses it at a time."},
    {.name = "log.dirs", .type = list,
     .doc = "Kafka's name for data.dir. Exactly one directory.", .has_default = false},
    {.name = "log.dir", .doc = "Kafka's other name for data.dir.", .has_default = false},
    {.name = "node.id", .type = int32, .default_value = "1",
     .doc = "Id of this server in Metadata and every other answer that names a broker.", .min = 0},
    {.name = "broker.id", .type = int32, .doc = "Kafka's older name for node.id.", .min = 0,
     .has_default = false},
    {.name = "broker.rack", .doc = "Rack told to clients in Metadata.", .has_default = false},
    {.name = "listeners", .type = list, .default_value = "PLAINTEXT://127.0.0.1:9092",
     .doc = "Addresses to accept Kafka clients on, [NAME://]HOST:PORT; port 0 picks a free one."},
    {.name = "advertised.listeners", .type = list,
     .doc = "Addresses told to clients, [NAME://]HOST:PORT for each listener; port 0 means the real one. Without "
            "it a listener advertises what it binds; a listener on a wildcard address must be named here.",
     .has_default = false},
    {.name = "listener.security.protocol.map", .type = list, .default_value = "PLAINTEXT:PLAINTEXT",
     .doc = "NAME:PROTOCOL for each listener. PLAINTEXT is the only protocol that there is yet; a listener with "
            "another one is a start error."},
    {.name = "controller.listener.names", .type = list,
     .doc = "Listeners for Kafka's controllers. There are none here: these listeners are not opened.",
     .has_default = false},
    {.name = "admin.listen", .default_value = "127.0.0.1:9644",
     .doc = "HOST:PORT of the HTTP listener with /metrics, /healthz and /readyz."},
    {.name = "admin.allowed.hosts", .type = list, .default_value = "",
     .doc = "Names under which browsers may open the admin listener, beside localhost, loopback addresses and the address "
            "of admin.listen; * is any. /metrics and the health probes answer under every name."},
    {.name = "admin.allow.changes", .type = boolean, .default_value = "false",
     .doc = "Whether the admin page and its API may change anything. There is no authentication on that listener."},

    // Topics.
    {.name = "auto.create.topics.enable", .type = boolean, .default_value = "true",
     .doc = "Whether a Metadata request for an unknown topic creates it, when the client allows that too.", .reloadable = true},
    {.name = "delete.topic.enable", .type = boolean, .default_value = "true",
     .doc = "Whether DeleteTopics is obeyed; when false it answers TOPIC_DELETION_DISABLED.", .reloadable = true},
    {.name = "num.partitions", .type = int32, .default_value = "1",
     .doc = "Partitions of a topic that is created without saying how many.", .min = 1, .max = 10'000},
    {.name = "max.partitions", .type = int32, .default_value = "100000",
     .doc = "Partitions of all topics together; creating more is refused with POLICY_VIOLATION. The engine may set "
            "a lower limit.",
     .min = 1, .max = 1'000'000, .reloadable = true},
    {.name = "max.partitions.per.request", .type = int32, .default_value = "10000",
     .doc = "Partitions that one CreateTopics or CreatePartitions request may add; more is refused with "
            "POLICY_VIOLATION.",
     .min = 1, .max = 100'000, .reloadable = true},
    {.name = "max.request.partition.size.limit", .type = int32, .default_value = "2000",
     .doc = "Partitions in one DescribeTopicPartitions answer; the client gets a cursor for the rest.", .min = 1,
     .max = 100'000, .reloadable = true},
    {.name = "min.insync.replicas", .type = int32, .default_value = "1",
     .doc = "In-sync replicas that a produce with acks=all needs. There is one replica: above 1 every such produce "
            "is refused with NOT_ENOUGH_REPLICAS.",
     .min = 1, .max = kInt32Max},

    // Records.
    {.name = "message.max.bytes", .type = int32, .default_value = "1048588",
     .doc = "Largest record batch, in bytes as sent; larger ones are refused with MESSAGE_TOO_LARGE.", .min = 0},
    {.name = "max.decompressed.message.bytes", .type = int32, .default_value = "134217728",
     .doc = "Bytes that a compressed record batch may inflate to when the server has to look inside.", .min = 1},
    {.name = "compression.type", .default_value = "producer",
     .doc = "Codec that batches are stored with; producer keeps the client's.", .allowed = kCompressionTypes},
    {.name = "log.message.timestamp.type", .default_value = "CreateTime",
     .doc = "Whether records keep the client's timestamp or get the time of the append.",
     .allowed = kTimestampTypes},
    {.name = "log.message.timestamp.before.max.ms", .type = int64, .default_value = "9223372036854775807",
     .doc = "How much older than the server's clock a record's timestamp may be, in milliseconds.", .min = 0},
    {.name = "log.message.timestamp.after.max.ms", .type = int64, .default_value = "3600000",
     .doc = "How far ahead of the server's clock a record's timestamp may be, in milliseconds.", .min = 0},
    {.name = "partition.max.queued.appends", .type = int32, .default_value = "4000",
     .doc = "Batches for one partition that may be under way at once, written and not yet durable ones included; "
            "further ones are refused with REQUEST_TIMED_OUT, which clients retry.",
     .min = 1, .max = 4000},
    {.name = "partition.max.producers", .type = int32, .default_value = "10000",
     .doc = "Idempotent producers that one partition remembers. Past it the least recently used idle one is forgotten; "
            "when none is idle a further one is refused with REQUEST_TIMED_OUT, which clients retry.",
     .min = 1, .max = 1'000'000},
    {.name = "producer.id.expiration.ms", .type = int32, .default_value = "86400000",
     .doc = "Time after its last write that an idempotent producer's state in a partition is forgotten, in "
            "milliseconds.",
     .min = 1},

    // The log.
    {.name = "storage.flush", .default_value = "ack",
     .doc = "When data is synced to disk: ack (before it is acknowledged or visible to consumers), interval (every "
            "storage.flush.interval.ms) or os (left to the page cache, as Kafka does by default). With interval "
            "and os a power loss can take acknowledged records; a crash of the process cannot.",
     .allowed = kFlushPolicies},
    {.name = "storage.flush.interval.ms", .type = int64, .default_value = "1000",
     .doc = "Time between syncs under storage.flush=interval, in milliseconds.", .min = 1, .max = 3'600'000},
    {.name = "storage.open.files.max", .type = int32, .default_value = "4096",
     .doc = "Segment files that the embedded engine keeps open at once.", .min = 16, .max = 1'000'000},
    {.name = "storage.cache.bytes", .type = int64, .default_value = "67108864",
     .doc = "Memory for recently appended batches, from which tail reads are served, in bytes.", .min = 0},
    {.name = "storage.syncfs.threshold", .type = int32, .default_value = "8",
     .doc = "Dirty files in one sync round above which the engine syncs the file system once instead of each "
            "file.",
     .min = 1},
    {.name = "memory.engine.max.bytes", .type = int64, .default_value = "1073741824",
     .doc = "Bytes that the memory engine may hold; appends past it are refused with KAFKA_STORAGE_ERROR.",
     .min = 1'048'576},

    // A SeaweedFS as the store: docs/seaweedmq.md.
    {.name = "seaweedmq.masters", .type = list,
     .doc = "Masters of the SeaweedFS that the seaweedmq engine uses, HOST:PORT or HOST:PORT.GRPCPORT; without the "
            "last part the gRPC port is the port + 10000. Filers and volume servers are found through them."},
    {.name = "seaweedmq.filer.group", .doc = "Group of the filers to use; empty is the group without a name."},
    {.name = "seaweedmq.path", .default_value = "direct",
     .doc = "How records are written to topics that are created from now on: direct, straight to volume servers and "
            "filer, or broker, through SeaweedMQ's brokers, whose own subscribers see them at once then. Fixed for a "
            "topic when it is made. With broker, compacted topics are made on direct unless they name a path.",
     .allowed = kSeaweedPaths},
    {.name = "seaweedmq.ack", .default_value = "flushed",
     .doc = "What acks=1 and acks=all wait for in topics of the broker path: flushed, that the batch was read back from "
            "a log file (one flush interval of the broker, 5 s by default), or broker, that a broker has it in its "
            "memory: what was not flushed is lost when that broker and this gateway end together.",
     .allowed = kSeaweedAcks},
    {.name = "seaweedmq.layout", .default_value = "batch",
     .doc = "What a log file of topics that are created from now on holds: batch, record batches as the producer sent "
            "them, or record, an entry for each record, which SeaweedFS's SQL engine can read. Fixed for a topic when it "
            "is made.",
     .allowed = kSeaweedLayouts},
    {.name = "seaweedmq.fsync", .type = boolean, .default_value = "true",
     .doc = "Whether volume servers sync a chunk to disk before records in it are acknowledged. Without it a power "
            "loss can take acknowledged records; the end of a process cannot."},
    {.name = "seaweedmq.replication",
     .doc = "Replication of log chunks in SeaweedFS's three digits (001: a second server of the same rack); empty as "
            "the filer's rules say."},
    {.name = "seaweedmq.linger.ms", .type = int64, .default_value = "5",
     .doc = "Time that appends of a partition gather before they become a chunk, in milliseconds.", .min = 0,
     .max = 1000},
    {.name = "seaweedmq.metadata.writes.per.second", .type = int32, .default_value = "1000",
     .doc = "Chunks that this gateway begins in a second, all partitions together: each is a write of the filer's metadata. "
            "When more partitions write than that allows, each gathers longer. 0 is no limit.",
     .min = 0, .max = 1'000'000},
    {.name = "seaweedmq.chunk.bytes", .type = int32, .default_value = "262144",
     .doc = "Bytes of appends at which a chunk is sent before seaweedmq.linger.ms is over.", .min = 4096,
     .max = 16'777'216},
    {.name = "seaweedmq.chunk.max.bytes", .type = int32, .default_value = "4194304",
     .doc = "Size to which a chunk may grow with what comes while the one before it is under way, in bytes. A larger "
            "batch is one chunk.",
     .min = 4096, .max = 16'777'216},
    {.name = "seaweedmq.chunk.cache.bytes", .type = int64, .default_value = "67108864",
     .doc = "Memory for chunks that were read from volume servers, in bytes.", .min = 0},
    {.name = "seaweedmq.address.rewrite", .type = list,
     .doc = "Rules FROM=TO for addresses that SeaweedFS names and that are to be reached under another, the first "
            "that fits wins. FROM is HOST:PORT, HOST or *; a TO without a port keeps the port."},
    {.name = "seaweedmq.tls.ca",
     .doc = "File of the CA (PEM) that signed the certificates of SeaweedFS's servers. With it masters and filers are "
            "called over TLS, and certificate and key are needed too."},
    {.name = "seaweedmq.tls.certificate", .doc = "File of our certificate (PEM) for masters and filers."},
    {.name = "seaweedmq.tls.key", .doc = "File of the key (PEM) of that certificate."},
    {.name = "seaweedmq.volume.https", .type = boolean, .default_value = "false",
     .doc = "Whether volume servers are called over HTTPS, with the same files."},
    {.name = "seaweedmq.jwt.signing.key", .type = password,
     .doc = "Key of jwt.signing in SeaweedFS's security.toml, to sign a token for each upload. Without it the token "
            "that comes with an assignment is used, which is good for one file id only.",
     .has_default = false},
    {.name = "seaweedmq.jwt.signing.read.key", .type = password,
     .doc = "Key of jwt.signing.read there, to sign a token for each read.", .has_default = false},
    {.name = "seaweedmq.call.timeout.ms", .type = int64, .default_value = "5000",
     .doc = "Time for one call of a filer or master, repeats included, in milliseconds.", .min = 100,
     .max = 600'000},
    {.name = "seaweedmq.transfer.timeout.ms", .type = int64, .default_value = "10000",
     .doc = "Time for one upload to or download from a volume server, in milliseconds.", .min = 100, .max = 600'000},
    {.name = "topics.refresh.interval.ms", .type = int64, .default_value = "5000",
     .doc = "With the seaweedmq engine: time after which topics that other gateways or SeaweedMQ have made, changed or "
            "removed are looked for again, in milliseconds.",
     .min = 100, .max = 3'600'000, .reloadable = true},
    {.name = "quota.window.num", .type = int32, .default_value = "11",
     .doc = "Samples that the rate of a client with a quota is measured over. A client that was quiet may use what its "
            "quota gives in all of them but one at once.",
     .min = 2, .max = 1000},
    {.name = "quota.window.size.seconds", .type = int32, .default_value = "1",
     .doc = "Length of one of these samples, in seconds. A consumer is made to wait no longer than all of them at a time, "
            "and any client than one of them for request_percentage.",
     .min = 1, .max = 3600},
    {.name = "client.quotas.refresh.interval.ms", .type = int64, .default_value = "5000",
     .doc = "With the seaweedmq engine: time after which client quotas that were set on other gateways are looked for "
            "again, in milliseconds.",
     .min = 100, .max = 3'600'000, .reloadable = true},
    {.name = "client.quotas.max.entities", .type = int32, .default_value = "10000",
     .doc = "Users and client ids that may have a quota; more are refused with POLICY_VIOLATION.", .min = 0,
     .max = 1'000'000, .reloadable = true},
    {.name = "client.quotas.max.rates", .type = int32, .default_value = "10000",
     .doc = "Clients whose rates are kept at once, for each quota. Those that were quiet for all samples are forgotten; "
            "more than that many share one rate.",
     .min = 16, .max = 1'000'000},
    {.name = "log.retention.ms", .type = int64,
     .doc = "Age at which a closed segment is deleted, in milliseconds; -1 keeps it. Wins over "
            "log.retention.minutes and log.retention.hours.",
     .min = -1, .has_default = false},
    {.name = "log.retention.minutes", .type = int32,
     .doc = "The same in minutes. Wins over log.retention.hours.", .min = -1, .has_default = false},
    {.name = "log.retention.hours", .type = int32, .default_value = "168", .doc = "The same in hours.", .min = -1},
    {.name = "log.retention.bytes", .type = int64, .default_value = "-1",
     .doc = "Size of a partition above which its oldest closed segments are deleted, in bytes; negative is no limit."},
    {.name = "log.retention.check.interval.ms", .type = int64, .default_value = "300000",
     .doc = "Time between looks for segments to roll or delete, in milliseconds.", .min = 1, .reloadable = true},
    {.name = "log.segment.bytes", .type = int32, .default_value = "1073741824",
     .doc = "Size at which a segment is closed and the next begun, in bytes.", .min = 1'048'576},
    {.name = "log.roll.ms", .type = int64,
     .doc = "Age at which a segment is closed although it is not full, in milliseconds. Wins over log.roll.hours.",
     .min = 1, .has_default = false},
    {.name = "log.roll.hours", .type = int32, .default_value = "168", .doc = "The same in hours.", .min = 1},
    {.name = "log.index.interval.bytes", .type = int32, .default_value = "4096",
     .doc = "Bytes of log between two entries of the offset index.", .min = 0},
    {.name = "log.segment.delete.delay.ms", .type = int64, .default_value = "60000",
     .doc = "Time between taking a segment out of the log and deleting its file, in milliseconds.", .min = 0},
    {.name = "log.cleanup.policy", .type = list, .default_value = "delete",
     .doc = "What happens to old records: delete them by age and size, compact (keep the last record of each key), or "
            "both; empty keeps them.",
     .allowed = kCleanupPolicies},
    {.name = "log.cleaner.enable", .type = boolean, .default_value = "true",
     .doc = "Whether compacted topics are compacted."},
    {.name = "log.cleaner.threads", .type = int32, .default_value = "1",
     .doc = "Partitions that are compacted at once.", .min = 1, .max = 64},
    {.name = "log.cleaner.backoff.ms", .type = int64, .default_value = "15000",
     .doc = "Time between two looks for something to compact when there was nothing, in milliseconds.", .min = 1},
    {.name = "log.cleaner.dedupe.buffer.size", .type = int64, .default_value = "134217728",
     .doc = "Memory for the keys of what is being compacted, in bytes, shared out evenly among log.cleaner.threads; 24 "
            "bytes a key. What has more keys is compacted in several passes.",
     .min = 1'048'576},
    {.name = "log.cleaner.io.buffer.load.factor", .type = float64, .default_value = "0.9",
     .doc = "How full the memory for keys may get.", .min = 0.1, .max = 0.99},
    {.name = "log.cleaner.io.buffer.size", .type = int32, .default_value = "524288",
     .doc = "Record bytes that compaction reads at a time. A larger batch is read whole.", .min = 1024,
     .max = 16'777'216},
    {.name = "log.cleaner.io.max.bytes.per.second", .type = float64, .default_value = "1.7976931348623157e+308",
     .doc = "Bytes that compaction reads and writes in a second at most, all threads together.", .min = 1},
    {.name = "log.cleaner.delete.retention.ms", .type = int64, .default_value = "86400000",
     .doc = "How long compaction keeps a record without a value after it has cleaned everything older of that key, in "
            "milliseconds.",
     .min = 0},
    {.name = "log.cleaner.min.compaction.lag.ms", .type = int64, .default_value = "0",
     .doc = "Age that a record has at least before it is compacted, in milliseconds.", .min = 0},
    {.name = "log.cleaner.max.compaction.lag.ms", .type = int64, .default_value = "9223372036854775807",
     .doc = "Age at which a record is compacted whatever log.cleaner.min.cleanable.ratio says, in milliseconds.",
     .min = 1},
    {.name = "log.cleaner.min.cleanable.ratio", .type = float64, .default_value = "0.5",
     .doc = "A log is compacted when more than this share of its closed segments' bytes has not been.", .min = 0,
     .max = 1},

    // Consumer groups and committed offsets.
    {.name = "group.coordinator.rebalance.protocols", .type = list, .default_value = "classic,consumer",
     .doc = "Group protocols that clients may use: classic always, and consumer (KIP-848).",
     .allowed = kGroupProtocols},
    {.name = "group.min.session.timeout.ms", .type = int32, .default_value = "6000",
     .doc = "Shortest session timeout that a member of a classic group may ask for, in milliseconds.", .min = 1},
    {.name = "group.max.session.timeout.ms", .type = int32, .default_value = "1800000",
     .doc = "Longest session timeout that a member of a classic group may ask for, in milliseconds.", .min = 1},
    {.name = "group.initial.rebalance.delay.ms", .type = int32, .default_value = "3000",
     .doc = "Time that a new group waits for more members before its first rebalance, in milliseconds.", .min = 0},
    {.name = "group.max.size", .type = int32, .default_value = "2147483647",
     .doc = "Members of one classic group; more are refused with GROUP_MAX_SIZE_REACHED.", .min = 1},
    {.name = "group.cooperative.sticky.enable", .type = boolean, .default_value = "true",
     .doc = "Whether classic groups may choose the assignor cooperative-sticky. When false it has no vote, and a "
            "member that offers nothing else gets INCONSISTENT_GROUP_PROTOCOL."},
    {.name = "group.consumer.session.timeout.ms", .type = int32, .default_value = "45000",
     .doc = "Time without a heartbeat after which a member of a KIP-848 group is taken out, in milliseconds.",
     .min = 1},
    {.name = "group.consumer.heartbeat.interval.ms", .type = int32, .default_value = "5000",
     .doc = "Time between heartbeats that members of KIP-848 groups are told to keep, in milliseconds.", .min = 1},
    {.name = "group.consumer.max.size", .type = int32, .default_value = "2147483647",
     .doc = "Members of one KIP-848 group; more are refused with GROUP_MAX_SIZE_REACHED.", .min = 1},
    {.name = "group.consumer.assignors", .type = list, .default_value = "uniform,range",
     .doc = "Assignors that members of KIP-848 groups may ask for; the first is the default.",
     .allowed = kGroupAssignors},
    {.name = "group.consumer.migration.policy", .default_value = "bidirectional",
     .doc = "Which way a group with members may change between the classic and the consumer protocol: upgrade, "
            "downgrade, bidirectional or disabled. Empty groups always may.",
     .allowed = kMigrationPolicies},
    {.name = "offset.metadata.max.bytes", .type = int32, .default_value = "4096",
     .doc = "Largest metadata of a committed offset, in bytes; more is refused with OFFSET_METADATA_TOO_LARGE.",
     .min = 0},
    {.name = "offsets.retention.minutes", .type = int32, .default_value = "10080",
     .doc = "Time that committed offsets are kept once their group is empty (or since the commit, without a group), "
            "in minutes.",
     .min = 1},
    {.name = "offsets.retention.check.interval.ms", .type = int64, .default_value = "600000",
     .doc = "Time between looks for expired offsets, in milliseconds.", .min = 1},
    {.name = "group.coordinator.max.groups", .type = int32, .default_value = "100000",
     .doc = "Groups at once, shared out evenly among the shards; requests that would make one more get "
            "COORDINATOR_NOT_AVAILABLE.",
     .min = 1},
    {.name = "group.coordinator.max.members", .type = int32, .default_value = "1000000",
     .doc = "Members of all groups together, shared out evenly among the shards; further joins are refused with "
            "GROUP_MAX_SIZE_REACHED.",
     .min = 1},
    {.name = "group.max.pending.members", .type = int32, .default_value = "10000",
     .doc = "Member ids of one group that were given out and have not joined; one more forgets the oldest.", .min = 1},
    {.name = "group.max.offsets", .type = int32, .default_value = "1000000",
     .doc = "Partitions that one group may have committed offsets for; commits for more are refused with "
            "INVALID_COMMIT_OFFSET_SIZE.",
     .min = 1},
    {.name = "group.max.member.metadata.bytes", .type = int32, .default_value = "1048576",
     .doc = "Bytes of protocol names and metadata that one member may send with JoinGroup.", .min = 1024},
    {.name = "group.max.assignment.bytes", .type = int32, .default_value = "67108864",
     .doc = "Bytes of assignments that the leader may send with SyncGroup.", .min = 1024},

    // Schemas.
    {.name = "schema.registry.url", .type = list, .default_value = "",
     .doc = "Base URLs of a Confluent-compatible schema registry, tried in this order. Topics may ask for schema "
            "validation when there is one; it need not be there when the server starts. A reload is for other ways to "
            "the same registry: what is known of its ids stays.", .reloadable = true},
    {.name = "schema.registry.basic.auth.user.info", .type = password,
     .doc = "USER:PASSWORD for the registry's basic authentication.", .reloadable = true, .has_default = false},
    {.name = "schema.registry.bearer.auth.token", .type = password,
     .doc = "Token for the registry's bearer authentication.", .reloadable = true, .has_default = false},
    {.name = "schema.registry.ssl.ca.location",
     .doc = "PEM file of the authorities that the registry's certificate is checked against; without it the system's.",
     .reloadable = true, .has_default = false},
    {.name = "schema.registry.ssl.certificate.location",
     .doc = "PEM file of the certificate that the registry is shown.", .reloadable = true, .has_default = false},
    {.name = "schema.registry.ssl.key.location", .doc = "PEM file of that certificate's key.", .reloadable = true, .has_default = false},
    {.name = "schema.registry.ssl.key.password", .type = password, .doc = "Password of that key.",
     .reloadable = true, .has_default = false},
    {.name = "schema.registry.timeout.ms", .type = int64, .default_value = "3000",
     .doc = "Time for one look-up at the registry with all its tries, in milliseconds.", .min = 1, .max = 60'000, .reloadable = true},
    {.name = "schema.registry.connect.timeout.ms", .type = int64, .default_value = "1000",
     .doc = "Time for one connection to the registry to come about, in milliseconds.", .min = 1, .max = 60'000, .reloadable = true},
    {.name = "schema.registry.tries", .type = int32, .default_value = "3",
     .doc = "Rounds through the base URLs before a look-up fails.", .min = 1, .max = 10, .reloadable = true},
    {.name = "schema.registry.max.body.bytes", .type = int64, .default_value = "4194304",
     .doc = "Largest answer of the registry that is read, in bytes.", .min = 1024, .max = 1'073'741'824, .reloadable = true},
    {.name = "schema.registry.unknown.ids.per.second", .type = int32, .default_value = "50",
     .doc = "Look-ups of ids that turn out unknown, for each subject. Past it further ids of the subject count as not "
            "looked up.",
     .min = 1, .max = 1'000'000},
    {.name = "schema.registry.subjects.refresh.ms", .type = int64, .default_value = "60000",
     .doc = "Time between looks at the registry's list of subjects, which GET /schemas shows, in milliseconds.",
     .min = 1000},
    {.name = "schema.cache.bytes", .type = int64, .default_value = "67108864",
     .doc = "Memory for schemas, in bytes; the least recently used ones are forgotten.", .min = 65'536},
    {.name = "schema.cache.subject.ids", .type = int32, .default_value = "10000",
     .doc = "Pairs of subject and schema id that are remembered.", .min = 1, .max = 10'000'000},
    {.name = "schema.cache.unknown.ms", .type = int64, .default_value = "5000",
     .doc = "Time for which an id stays unknown, or not of a subject, before it is looked up again, in milliseconds.",
     .min = 1, .max = 3'600'000},
    {.name = "schema.compiled.cache.bytes", .type = int64, .default_value = "67108864",
     .doc = "Memory for schemas in the form that records are checked against, in bytes.", .min = 65'536},
    {.name = "schema.max.bytes", .type = int64, .default_value = "4194304",
     .doc = "Largest schema that records are checked against, with all that it refers to, in bytes of text. Records of a "
            "schema beyond this or one of the next six limits are refused under full validation.",
     .min = 1024, .max = 1'073'741'824},
    {.name = "schema.max.references", .type = int32, .default_value = "64",
     .doc = "Schemas that one schema may refer to, directly and through others.", .min = 0, .max = 1000},
    {.name = "schema.max.reference.depth", .type = int32, .default_value = "16",
     .doc = "Steps from a schema to the last one that it refers to.", .min = 0, .max = 100},
    {.name = "schema.max.types", .type = int32, .default_value = "10000",
     .doc = "Types in a schema with all that it refers to.", .min = 1, .max = 1'000'000},
    {.name = "schema.max.fields", .type = int32, .default_value = "20000",
     .doc = "Fields and enumeration values in a Protobuf schema with all that it refers to.", .min = 1,
     .max = 1'000'000},
    {.name = "schema.max.depth", .type = int32, .default_value = "64",
     .doc = "Definitions within each other in a schema; of JSON Schema, two levels of JSON count as one.", .min = 1,
     .max = 500},
    {.name = "schema.max.pattern.bytes", .type = int64, .default_value = "262144",
     .doc = "Memory for each pattern of a JSON Schema, in bytes.", .min = 4096, .max = 67'108'864},
    {.name = "schema.record.max.depth", .type = int32, .default_value = "128",
     .doc = "Records, arrays, maps and objects within each other in one key or value; for Protobuf messages and groups, 101 at "
            "most.",
     .min = 1, .max = 1000},
    {.name = "schema.record.max.steps", .type = int64, .default_value = "1000000",
     .doc = "Steps that checking one key or value of a JSON Schema may take: values that are looked at, counted once for "
            "each subschema that looks.",
     .min = 1, .max = 1'000'000'000},
    {.name = "schema.record.max.empty.values", .type = int32, .default_value = "1000",
     .doc = "Fields and items that take no bytes in one key or value, beside one for each of its bytes.", .min = 0,
     .max = 100'000},

    // Network and limits.
    {.name = "num.network.threads", .type = int32, .default_value = "0",
     .doc = "Shards, each one thread that does network and requests; 0 is one per core.", .min = 0, .max = 1024},
    {.name = "socket.listen.backlog.size", .type = int32, .default_value = "1024",
     .doc = "Connections that may wait to be accepted.", .min = 1},
    {.name = "socket.request.max.bytes", .type = int32, .default_value = "104857600",
     .doc = "Largest request, in bytes; a connection that announces more is closed before anything is read.",
     .min = 1024, .reloadable = true},
    {.name = "socket.request.max.bytes.unauthenticated", .type = int32, .default_value = "524288",
     .doc = "The same before a client has authenticated, on a listener that asks for it.", .min = 1024, .reloadable = true},
    {.name = "queued.max.request.bytes", .type = int64, .default_value = "536870912",
     .doc = "Memory for requests that are being read or handled, in bytes, shared out evenly among the shards. Past "
            "it sockets are not read. A single request larger than a shard's share is admitted alone.",
     .min = 1'048'576},
    {.name = "max.connections", .type = int32, .default_value = "16384",
     .doc = "Kafka connections at once; further ones are closed at once.", .min = 1, .reloadable = true},
    {.name = "max.connections.per.ip", .type = int32, .default_value = "4096",
     .doc = "Kafka connections at once from one address.", .min = 1, .reloadable = true},
    {.name = "connections.max.idle.ms", .type = int64, .default_value = "600000",
     .doc = "Time without a request after which a connection is closed, in milliseconds.", .min = 1, .reloadable = true},
    {.name = "connection.max.in.flight.requests", .type = int32, .default_value = "64",
     .doc = "Requests of one connection that may be unanswered; past it the socket is not read.", .min = 1,
     .max = 10'000, .reloadable = true},
    {.name = "connection.max.queued.response.bytes", .type = int64, .default_value = "67108864",
     .doc = "Bytes of answers that may wait for one slow reader; past it the socket is not read.", .min = 65'536, .reloadable = true},
    {.name = "response.max.queued.bytes", .type = int64, .default_value = "134217728",
     .doc = "Memory for answers that wait to be written, but for Fetch answers with records, in bytes, shared out evenly "
            "among the shards. Past it no connection of the shard is read until an eighth is free. While that lasts, "
            "connections that take their answers slower than 64 KiB/s for a tenth of connection.write.stall.ms are "
            "closed, the largest holder first.",
     .min = 1'048'576},
    {.name = "connection.write.stall.ms", .type = int64, .default_value = "60000",
     .doc = "Time that a client may take no byte of a waiting answer before it is disconnected, in milliseconds.",
     .min = 1, .reloadable = true},
    {.name = "connection.frame.timeout.ms", .type = int64, .default_value = "60000",
     .doc = "Time that a client may send no byte of a request it has begun before it is disconnected, in "
            "milliseconds.",
     .min = 1, .reloadable = true},
    {.name = "fetch.max.bytes", .type = int32, .default_value = "57671680",
     .doc = "Most record bytes in one Fetch answer, whatever the client asks for. The first batch is always whole.",
     .min = 1024},
    {.name = "fetch.max.wait.ms", .type = int32, .default_value = "60000",
     .doc = "Longest time that a Fetch may wait for data, whatever the client asks for, in milliseconds.", .min = 0},
    {.name = "fetch.max.waiters", .type = int32, .default_value = "100000",
     .doc = "Fetches that may wait for new data on one shard. Past it a Fetch is answered at the end of its max_wait_ms, "
            "whatever comes meanwhile.",
     .min = 1, .max = 10'000'000},
    {.name = "fetch.response.memory.bytes", .type = int64, .default_value = "268435456",
     .doc = "Memory for the records of Fetch answers that are being read or written, in bytes, shared out evenly among "
            "the shards. Past it a Fetch waits, up to its max_wait_ms, and is then answered with fewer records or none. "
            "One connection gets at most a quarter of a shard's share.",
     .min = 1'048'576},
    {.name = "max.incremental.fetch.session.cache.slots", .type = int32, .default_value = "1000",
     .doc = "Fetch sessions of all connections together. 0 turns sessions off.", .min = 0, .max = 1'000'000},
    {.name = "fetch.session.memory.bytes", .type = int64, .default_value = "134217728",
     .doc = "Memory for what all fetch sessions together remember. Past it no further session is made, and one that "
            "grows is closed: its client goes on with full requests.",
     .min = 65536},
    {.name = "drain.timeout.ms", .type = int64, .default_value = "3300",
     .doc = "Time that SIGTERM gives requests under way to finish, in milliseconds.", .min = 0, .max = 3'600'000, .reloadable = true},

    // Logs and metrics.
    {.name = "log.level", .default_value = "info", .doc = "Least severe log lines that are written.",
     .allowed = kLogLevels, .reloadable = true},
    {.name = "log.format", .default_value = "auto",
     .doc = "Form of log lines on standard error: text, json (an object a line), or auto, which is text on a terminal "
            "and json elsewhere.",
     .allowed = kLogFormats},
    {.name = "request.log.slow.ms", .type = int64, .default_value = "1000",
     .doc = "A request that takes longer from its last byte received to its answer's last byte written is logged "
            "(event=slow_request), in milliseconds. Fetch, JoinGroup and SyncGroup, which wait because they are asked "
            "to, are not. 0 turns it off.",
     .min = 0, .max = 3'600'000, .reloadable = true},
    {.name = "shard.stall.warning.ms", .type = int64, .default_value = "50",
     .doc = "A handler that holds its shard for longer is logged with its name, in milliseconds.", .min = 1},

    // Kafka's settings that mean nothing here but stand in many server.properties files.
    {.name = "process.roles", .type = list, .doc = "One process is broker and controller.", .has_default = false,
     .no_effect = true},
    {.name = "controller.quorum.voters", .type = list, .doc = "There is no controller quorum.",
     .has_default = false, .no_effect = true},
    {.name = "controller.quorum.bootstrap.servers", .type = list, .doc = "There is no controller quorum.",
     .has_default = false, .no_effect = true},
    {.name = "inter.broker.listener.name", .doc = "There are no other brokers to talk to.", .has_default = false,
     .no_effect = true},
    {.name = "num.io.threads", .type = int32, .default_value = "8",
     .doc = "Requests are handled by the shards; see num.network.threads.", .min = 1, .no_effect = true},
    {.name = "num.recovery.threads.per.data.dir", .type = int32, .default_value = "2",
     .doc = "Recovery picks its own number of threads.", .min = 1, .no_effect = true},
    {.name = "num.replica.fetchers", .type = int32, .default_value = "1", .doc = "There is one replica.", .min = 1,
     .no_effect = true},
    {.name = "socket.send.buffer.bytes", .type = int32, .default_value = "-1",
     .doc = "The operating system sizes socket buffers.", .min = -1, .no_effect = true},
    {.name = "socket.receive.buffer.bytes", .type = int32, .default_value = "-1",
     .doc = "The operating system sizes socket buffers.", .min = -1, .no_effect = true},
    {.name = "default.replication.factor", .type = int32, .default_value = "1",
     .doc = "A topic that is created without a replication factor gets 1: one server holds one replica.", .min = 1,
     .no_effect = true},
    {.name = "offsets.topic.replication.factor", .type = int32, .default_value = "1",
     .doc = "Committed offsets are not kept in a topic.", .min = 1, .no_effect = true},
    {.name = "offsets.topic.num.partitions", .type = int32, .default_value = "50",
     .doc = "Committed offsets are not kept in a topic.", .min = 1, .no_effect = true},
    {.name = "offsets.topic.segment.bytes", .type = int32, .default_value = "104857600",
     .doc = "Committed offsets are not kept in a topic.", .min = 1, .no_effect = true},
    {.name = "offsets.commit.timeout.ms", .type = int32, .default_value = "5000",
     .doc = "There are no replicas to wait for.", .min = 1, .no_effect = true},
    {.name = "offsets.load.buffer.size", .type = int32, .default_value = "5242880",
     .doc = "Groups are loaded one by one, not from a log.", .min = 1, .no_effect = true},
    {.name = "group.coordinator.threads", .type = int32, .default_value = "4",
     .doc = "Each shard coordinates its own groups; see num.network.threads.", .min = 1, .no_effect = true},
    {.name = "group.coordinator.append.linger.ms", .type = int32, .default_value = "-1",
     .doc = "Writes gather while the one before them is on its way, without a wait of their own.", .min = -1,
     .no_effect = true},
    {.name = "group.consumer.min.session.timeout.ms", .type = int32, .default_value = "45000",
     .doc = "Single groups have no settings that it would bound.", .min = 1, .no_effect = true},
    {.name = "group.consumer.max.session.timeout.ms", .type = int32, .default_value = "60000",
     .doc = "Single groups have no settings that it would bound.", .min = 1, .no_effect = true},
    {.name = "group.consumer.min.heartbeat.interval.ms", .type = int32, .default_value = "5000",
     .doc = "Single groups have no settings that it would bound.", .min = 1, .no_effect = true},
    {.name = "group.consumer.max.heartbeat.interval.ms", .type = int32, .default_value = "15000",
     .doc = "Single groups have no settings that it would bound.", .min = 1, .no_effect = true},
    {.name = "group.consumer.assignment.interval.ms", .type = int32, .default_value = "1000",
     .doc = "The target assignment of a KIP-848 group is made at every change.", .min = 0, .no_effect = true},
    {.name = "transaction.state.log.replication.factor", .type = int32, .default_value = "1",
     .doc = "There is no transaction state topic.", .min = 1, .no_effect = true},
    {.name = "transaction.state.log.min.isr", .type = int32, .default_value = "1",
     .doc = "There is no transaction state topic.", .min = 1, .no_effect = true},
    {.name = "share.coordinator.state.topic.replication.factor", .type = int32, .default_value = "1",
     .doc = "There are no share groups.", .min = 1, .no_effect = true},
    {.name = "share.coordinator.state.topic.min.isr", .type = int32, .default_value = "1",
     .doc = "There are no share groups.", .min = 1, .no_effect = true},
    {.name = "unclean.leader.election.enable", .type = boolean, .default_value = "false",
     .doc = "One replica is always the leader.", .no_effect = true},
    {.name = "log.flush.interval.messages", .type = int64, .default_value = "9223372036854775807",
     .doc = "storage.flush says when data is synced.", .min = 1, .no_effect = true},
    {.name = "log.flush.interval.ms", .type = int64, .doc = "storage.flush says when data is synced.", .min = 0,
     .has_default = false, .no_effect = true},
    {.name = "log.roll.jitter.ms", .type = int64, .doc = "Segments roll exactly at their age.", .min = 0,
     .has_default = false, .no_effect = true},
    {.name = "log.roll.jitter.hours", .type = int32, .default_value = "0",
     .doc = "Segments roll exactly at their age.", .min = 0, .no_effect = true},
    {.name = "log.index.size.max.bytes", .type = int32, .default_value = "10485760",
     .doc = "Index files grow with their segment.", .min = 4, .no_effect = true},
    {.name = "log.preallocate", .type = boolean, .default_value = "false", .doc = "Segments grow as they are written.",
     .no_effect = true},
    {.name = "compression.gzip.level", .type = int32, .default_value = "-1",
     .doc = "Recompression uses each codec's default level.", .min = -1, .max = 9, .no_effect = true},
    {.name = "compression.lz4.level", .type = int32, .default_value = "9",
     .doc = "Recompression uses each codec's default level.", .min = 1, .max = 17, .no_effect = true},
    {.name = "compression.zstd.level", .type = int32, .default_value = "3",
     .doc = "Recompression uses each codec's default level.", .min = -131'072, .max = 22, .no_effect = true},
};
// clang-format on

// As listeners are named, however they are written.
std::string upper(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

// "NAME:PROTOCOL" for each listener. Kafka's own names stand for their protocol without an entry.
Result<void> check_protocol_map(const ConfigValues& values) {
  std::map<std::string, std::string, std::less<>> protocols{
      {"SSL", "SSL"}, {"SASL_PLAINTEXT", "SASL_PLAINTEXT"}, {"SASL_SSL", "SASL_SSL"}};
  for (const std::string& item : values.list("listener.security.protocol.map")) {
    const std::size_t colon = item.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == item.size()) {
      return fail(ErrorCode::invalid_config,
                  fmt::format("listener.security.protocol.map has '{}', which is not NAME:PROTOCOL.", item));
    }
    protocols.insert_or_assign(upper(item.substr(0, colon)), upper(item.substr(colon + 1)));
  }
  for (const std::string& listener : client_listeners(values)) {
    const std::size_t scheme = listener.find("://");
    const auto protocol =
        protocols.find(scheme == std::string::npos ? "PLAINTEXT" : upper(listener.substr(0, scheme)));
    if (protocol == protocols.end() || protocol->second == "PLAINTEXT") continue;
    return fail(ErrorCode::invalid_config,
                fmt::format("Listener '{}' would speak {}; only PLAINTEXT is supported.", listener,
                            protocol->second));
  }
  return {};
}

Result<void> check_groups(const ConfigValues& values) {
  if (values.integer("group.min.session.timeout.ms") > values.integer("group.max.session.timeout.ms")) {
    return fail(
        ErrorCode::invalid_config,
        "group.min.session.timeout.ms is larger than group.max.session.timeout.ms: no member could join.");
  }
  const auto protocols = values.list("group.coordinator.rebalance.protocols");
  if (std::ranges::find(protocols, "classic") == protocols.end()) {
    return fail(ErrorCode::invalid_config, "group.coordinator.rebalance.protocols has to name classic.");
  }
  if (values.list("group.consumer.assignors").empty()) {
    return fail(ErrorCode::invalid_config, "group.consumer.assignors has to name an assignor.");
  }
  if (values.integer("group.consumer.heartbeat.interval.ms") >=
      values.integer("group.consumer.session.timeout.ms")) {
    return fail(ErrorCode::invalid_config,
                "group.consumer.heartbeat.interval.ms is not below group.consumer.session.timeout.ms: every "
                "member would be taken out.");
  }
  return {};
}

}  // namespace

const ConfigTable& server_config_table() {
  static const ConfigTable table(kKeys, kafka_settings_without_meaning());
  return table;
}

Result<void> check_server_config(const ConfigValues& values) {
  if (values.list("log.dirs").size() > 1) {
    return fail(ErrorCode::invalid_config, "log.dirs names more than one directory; only one is supported.");
  }
  if (values.is_set("broker.id") && values.is_set("node.id") &&
      values.integer("broker.id") != values.integer("node.id")) {
    return fail(ErrorCode::invalid_config, "broker.id and node.id differ; set only node.id.");
  }
  constexpr std::array kRetention{"log.retention.ms", "log.retention.minutes", "log.retention.hours"};
  for (const char* name : kRetention) {
    if (values.is_set(name) && values.integer(name) == 0) {
      return fail(ErrorCode::invalid_config, fmt::format("{} must be -1 (no limit) or at least 1.", name));
    }
  }
  if (values.integer("socket.request.max.bytes") < values.integer("message.max.bytes")) {
    return fail(
        ErrorCode::invalid_config,
        "socket.request.max.bytes is smaller than message.max.bytes: no batch of that size could arrive.");
  }
  if (values.text("engine") == "seaweedmq" && values.list("seaweedmq.masters").empty()) {
    return fail(ErrorCode::invalid_config,
                "engine=seaweedmq needs seaweedmq.masters: the masters of a SeaweedFS, HOST:PORT.");
  }
  if (auto good = check_groups(values); !good) return good;
  if (auto good = check_schema_registry(values); !good) return good;
  return check_protocol_map(values);
}

namespace {

// "[NAME://]HOST:PORT" items whose name is not one of the controllers'.
std::vector<std::string> without_controllers(const ConfigValues& values, std::string_view key) {
  std::set<std::string> controllers;
  for (const std::string& name : values.list("controller.listener.names")) controllers.insert(upper(name));
  auto items = values.list(key);
  std::erase_if(items, [&](const std::string& item) {
    const std::size_t scheme = item.find("://");
    return scheme != std::string::npos && controllers.contains(upper(item.substr(0, scheme)));
  });
  return items;
}

}  // namespace

std::vector<std::string> client_listeners(const ConfigValues& values) {
  return without_controllers(values, "listeners");
}

std::vector<std::string> client_advertised_listeners(const ConfigValues& values) {
  return without_controllers(values, "advertised.listeners");
}

std::string server_data_dir(const ConfigValues& values) {
  if (values.is_set("data.dir")) return values.text("data.dir");
  if (const auto dirs = values.list("log.dirs"); !dirs.empty()) return dirs.front();
  if (values.is_set("log.dir")) return values.text("log.dir");
  return values.text("data.dir");
}

NodeId server_node_id(const ConfigValues& values) {
  if (!values.is_set("node.id") && values.is_set("broker.id")) {
    return static_cast<NodeId>(values.integer("broker.id"));
  }
  return static_cast<NodeId>(values.integer("node.id"));
}

}  // namespace tidegate::broker
