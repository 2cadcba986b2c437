// The small documents that the engine keeps in the filer, as JSON where an operator may want to read them:
// topic.conf as SeaweedMQ writes it, our own record of a topic, the state of a partition. And, in binary, the
// entries of one scope of the MetaStore. Pure; any thread. Decoders answer corrupt_message.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "file_facts.h"
#include "tidegate/storage/engine.h"

namespace tidegate::storage::seaweedmq {

// SeaweedMQ's view: one assignment for each part of the ring, all of one generation, with no broker.
struct TopicConf {
  std::int32_t slots = 0;
  std::int64_t generation_ns = 0;
  // What SeaweedMQ's SQL engine finds in values; written alone.
  DeclaredColumns columns = {};
};
std::string encode_topic_conf(const TopicConf& conf);
// What a topic.conf says, ours or SeaweedMQ's own. corrupt_message too when its parts are not of one
// generation, or do not divide the ring evenly.
Result<TopicConf> parse_topic_conf(std::string_view json);

enum class WritePath : std::uint8_t { direct = 0, broker = 1 };
std::string_view path_name(WritePath path);
std::optional<WritePath> parse_path(std::string_view name);

// Our record of a topic, kept under its name for as long as something of it, or of one of the same name
// before it, is left in the filer.
struct TopicRecord {
  Topic topic;
  bool removed = false;
  std::int32_t slots = 0;
  std::int64_t generation_ns = 0;
  WritePath path = WritePath::direct;
  Layout layout = Layout::batch;
  // SeaweedMQ's own, or its Kafka gateway's: its topic.conf says what there is of it, and we never write
  // that.
  bool by_others = false;
  // What its values have for columns, once one was stored so.
  DeclaredColumns columns;
  // By others, and we have published to it, too.
  bool shared = false;
  // Of removed topics of this name: their files are still to be deleted.
  struct Remains {
    TopicId id;
    std::int64_t generation_ns = 0;
    bool operator==(const Remains&) const = default;
  };
  std::vector<Remains> remains;
};
std::string encode_topic_record(const TopicRecord& record);
Result<TopicRecord> parse_topic_record(std::string_view json);

// Of a partition of others that we publish to as well: what its files had before. Behind it offsets are
// counted.
struct SharedFrom {
  std::string file;  // the last one; empty: there was none
  std::size_t chunks = 0;
  Offset end = 0;
};

// What the files of a partition alone do not tell. A missing one stands for a log that was never trimmed.
struct PartitionState {
  Offset log_start = 0;
  // The log ends here at least, also when no file is left.
  Offset log_end = 0;
  std::int64_t last_ts_ns = 0;
  // A take-over lists from behind this name on: the files up to it are sealed, and described by the rest.
  std::string listed_to;
  Offset listed_end = 0;
  std::uint64_t listed_bytes = 0;
  std::vector<EpochStart> epochs;  // of those files
  std::optional<SharedFrom> shared = std::nullopt;
};
std::string encode_state(const PartitionState& state);
Result<PartitionState> parse_state(std::string_view json);

// A scope of the MetaStore: its whole content is one entry.
struct ScopeContent {
  std::string scope;  // names can be cut to fit; this one is whole
  std::int32_t epoch = 0;
  std::map<std::string, std::string> entries;
};
std::string encode_scope(const ScopeContent& content);
Result<ScopeContent> parse_scope(std::string_view bytes);

}  // namespace tidegate::storage::seaweedmq
