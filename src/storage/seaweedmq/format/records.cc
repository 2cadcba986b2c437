#include "records.h"

#include <algorithm>
#include <charconv>
#include <concepts>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "coding.h"
#include "names.h"
#include "record_value.h"

namespace tidegate::storage::seaweedmq {

namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;

// Turns whatever the library throws at a document that is not as it should be into an error.
template <class T, class Read>
Result<T> read_json(std::string_view text, const char* what, Read read) {
  std::string problem;
  try {
    return read(Json::parse(text));
  } catch (const std::exception& failure) {
    problem = failure.what();
  }
  return fail(ErrorCode::corrupt_message, fmt::format("{}: {}", what, problem));
}

// Only an integer that fits: the library would turn a fraction, or one with an exponent, into any value.
template <std::integral T>
T integer(const Json& json) {
  const bool fits = json.is_number_unsigned()
                        ? std::in_range<T>(json.get<std::uint64_t>())
                        : json.is_number_integer() && std::in_range<T>(json.get<std::int64_t>());
  if (!fits) throw std::runtime_error(fmt::format("{} is not an integer in range", json.dump()));
  return json.get<T>();
}

void check_version(const Json& json) {
  if (integer<std::int64_t>(json.at("version")) != kVersion) throw std::runtime_error("of a later version");
}

// protobuf's JSON has 64-bit integers as strings, and other writers may leave out zeros.
std::int64_t integer_of(const Json& json, const char* camel, const char* snake) {
  const auto found = json.contains(camel) ? json.find(camel) : json.find(snake);
  if (found == json.end()) return 0;
  if (!found->is_string()) return integer<std::int64_t>(*found);
  const auto& text = found->get_ref<const std::string&>();
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    throw std::runtime_error(fmt::format("{} is not an integer in range", found->dump()));
  return value;
}

TopicId topic_id(const Json& json) {
  const auto id = Uuid::parse(json.get<std::string>());
  if (!id || id->is_zero()) throw std::runtime_error("bad topic id");
  return *id;
}

}  // namespace

std::string encode_topic_conf(const TopicConf& conf) {
  Json assignments = Json::array();
  for (std::int32_t i = 0; i < conf.slots; ++i) {
    const RingRange range = ring_range(i, conf.slots);
    assignments.push_back({{"partition",
                            {{"ringSize", kRingSize},
                             {"rangeStart", range.start},
                             {"rangeStop", range.stop},
                             {"unixTimeNs", std::to_string(conf.generation_ns)}}},
                           {"leaderBroker", ""},
                           {"followerBroker", ""}});
  }
  Json json{{"brokerPartitionAssignments", std::move(assignments)}};
  if (!conf.columns.columns.empty())
    json["messageRecordType"] = Json::parse(record_type_json(conf.columns.columns), nullptr, false);
  return json.dump(2);
}

Result<TopicConf> parse_topic_conf(std::string_view json) {
  return read_json<TopicConf>(json, "topic.conf", [](const Json& conf) -> TopicConf {
    const char* const camel = "brokerPartitionAssignments";
    const auto& all = conf.contains(camel) ? conf.at(camel) : conf.at("broker_partition_assignments");
    if (!all.is_array() || all.empty() || all.size() > kRingSize) throw std::runtime_error("no partitions");
    TopicConf found{.slots = static_cast<std::int32_t>(all.size())};
    std::vector<std::int64_t> starts;
    for (const Json& one : all) {
      const Json& partition = one.at("partition");
      const std::int64_t generation = integer_of(partition, "unixTimeNs", "unix_time_ns");
      if (&one == &all.front()) found.generation_ns = generation;
      if (generation != found.generation_ns) throw std::runtime_error("several generations");
      if (integer_of(partition, "ringSize", "ring_size") != kRingSize)
        throw std::runtime_error("another ring size");
      starts.push_back(integer_of(partition, "rangeStart", "range_start"));
    }
    std::ranges::sort(starts);
    for (std::int32_t i = 0; i < found.slots; ++i) {
      if (starts[static_cast<std::size_t>(i)] != ring_range(i, found.slots).start)
        throw std::runtime_error("the ring is divided in another way");
    }
    return found;
  });
}

std::string_view path_name(WritePath path) { return path == WritePath::direct ? "direct" : "broker"; }

std::optional<WritePath> parse_path(std::string_view name) {
  if (name == path_name(WritePath::direct)) return WritePath::direct;
  if (name == path_name(WritePath::broker)) return WritePath::broker;
  return std::nullopt;
}

std::string encode_topic_record(const TopicRecord& record) {
  Json remains = Json::array();
  for (const auto& old : record.remains) {
    remains.push_back({{"id", old.id.to_string()}, {"generation_ns", old.generation_ns}});
  }
  Json json{{"version", kVersion},
            {"name", record.topic.name},
            {"removed", record.removed},
            {"remains", std::move(remains)}};
  if (!record.removed) {
    Json configs = Json::object();
    for (const auto& [key, value] : record.topic.configs) configs[key] = value;
    json.update({{"id", record.topic.id.to_string()},
                 {"partitions", record.topic.partitions},
                 {"slots", record.slots},
                 {"generation_ns", record.generation_ns},
                 {"created_ms", record.topic.created_ms},
                 {"path", path_name(record.path)},
                 {"layout", layout_name(record.layout)},
                 {"by_others", record.by_others},
                 {"shared", record.shared},
                 {"configs", std::move(configs)}});
    if (!record.columns.columns.empty()) {
      json["record_type"] = {
          {"name", record.columns.record_name},
          {"columns", Json::parse(record_type_json(record.columns.columns), nullptr, false)}};
    }
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

Result<TopicRecord> parse_topic_record(std::string_view json) {
  return read_json<TopicRecord>(json, "record of a topic", [](const Json& from) -> TopicRecord {
    check_version(from);
    TopicRecord record;
    record.topic.name = from.at("name").get<std::string>();
    record.removed = from.at("removed").get<bool>();
    for (const Json& old : from.at("remains")) {
      record.remains.push_back(
          {.id = topic_id(old.at("id")), .generation_ns = integer<std::int64_t>(old.at("generation_ns"))});
    }
    if (record.removed) return record;
    record.topic.id = topic_id(from.at("id"));
    record.topic.partitions = integer<std::int32_t>(from.at("partitions"));
    record.topic.created_ms = integer<std::int64_t>(from.at("created_ms"));
    record.topic.configs = from.at("configs").get<std::map<std::string, std::string>>();
    record.slots = integer<std::int32_t>(from.at("slots"));
    record.generation_ns = integer<std::int64_t>(from.at("generation_ns"));
    const auto path = parse_path(from.at("path").get<std::string>());
    const auto layout = parse_layout(from.at("layout").get<std::string>());
    if (!path || !layout || record.slots < 1 || record.slots > kRingSize || record.topic.partitions < 1 ||
        record.topic.partitions > record.slots) {
      throw std::runtime_error("values out of range");
    }
    record.path = *path;
    record.layout = *layout;
    record.by_others = from.value("by_others", false);
    record.shared = record.by_others && from.value("shared", false);
    if (const auto type = from.find("record_type"); type != from.end()) {
      record.columns.record_name = type->at("name").get<std::string>();
      auto columns = parse_record_type(type->at("columns").dump());
      if (!columns) throw std::runtime_error(columns.error().message);
      record.columns.columns = std::move(*columns);
    }
    return record;
  });
}

std::string encode_state(const PartitionState& state) {
  Json epochs = Json::array();
  for (const EpochStart& epoch : state.epochs) epochs.push_back({epoch.epoch, epoch.start});
  Json json{{"version", kVersion},
            {"log_start", state.log_start},
            {"log_end", state.log_end},
            {"last_ts_ns", state.last_ts_ns},
            {"listed_to", state.listed_to},
            {"listed_end", state.listed_end},
            {"listed_bytes", state.listed_bytes},
            {"epochs", std::move(epochs)}};
  if (state.shared) {
    json["shared"] = {
        {"file", state.shared->file}, {"chunks", state.shared->chunks}, {"end", state.shared->end}};
  }
  return json.dump(2);
}

Result<PartitionState> parse_state(std::string_view json) {
  return read_json<PartitionState>(json, "state of a partition", [](const Json& from) -> PartitionState {
    check_version(from);
    PartitionState state;
    state.log_start = integer<Offset>(from.at("log_start"));
    state.log_end = integer<Offset>(from.at("log_end"));
    state.last_ts_ns = integer<std::int64_t>(from.at("last_ts_ns"));
    state.listed_to = from.at("listed_to").get<std::string>();
    state.listed_end = integer<Offset>(from.at("listed_end"));
    state.listed_bytes = integer<std::uint64_t>(from.at("listed_bytes"));
    for (const Json& epoch : from.at("epochs")) {
      const EpochStart start{.epoch = integer<LeaderEpoch>(epoch.at(0)),
                             .start = integer<Offset>(epoch.at(1))};
      const bool ascends = state.epochs.empty() || (state.epochs.back().epoch < start.epoch &&
                                                    state.epochs.back().start <= start.start);
      if (!ascends) throw std::runtime_error("epochs do not ascend");
      state.epochs.push_back(start);
    }
    if (from.contains("shared")) {
      const Json& shared = from.at("shared");
      state.shared = SharedFrom{.file = shared.at("file").get<std::string>(),
                                .chunks = integer<std::size_t>(shared.at("chunks")),
                                .end = integer<Offset>(shared.at("end"))};
    }
    if (state.log_start < 0 || state.log_end < state.log_start || state.listed_end < 0 ||
        (state.shared && state.shared->end < 0))
      throw std::runtime_error("bad offsets");
    return state;
  });
}

std::string encode_scope(const ScopeContent& content) {
  std::string out;
  put_be(out, static_cast<std::uint8_t>(kVersion));
  put_be(out, content.epoch);
  put_text(out, content.scope);
  put_be(out, static_cast<std::uint32_t>(content.entries.size()));
  for (const auto& [key, value] : content.entries) {
    put_text(out, key);
    put_text(out, value);
  }
  return out;
}

Result<ScopeContent> parse_scope(std::string_view bytes) {
  BigEndianReader reader(bytes);
  const auto version = reader.integer<std::uint8_t>();
  ScopeContent content;
  content.epoch = reader.integer<std::int32_t>();
  content.scope = reader.text();
  const auto count = reader.integer<std::uint32_t>();
  for (std::uint32_t i = 0; reader.ok() && i < count; ++i) {
    const std::string_view key = reader.text();
    const std::string_view value = reader.text();
    if (reader.ok()) content.entries.emplace_hint(content.entries.end(), key, value);
  }
  if (!reader.ok() || version != kVersion || reader.remaining() > 0 || content.entries.size() != count) {
    return fail(ErrorCode::corrupt_message, "a scope of the meta store is damaged or of a later version");
  }
  return content;
}

}  // namespace tidegate::storage::seaweedmq
