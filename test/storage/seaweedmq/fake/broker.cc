#include "fake/broker.h"

#include <algorithm>

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include "format/coding.h"
#include "format/file_facts.h"
#include "format/log_entry.h"
#include "format/names.h"
#include "format/records.h"

namespace tidegate::test {
namespace {

using namespace storage::seaweedmq;
using messaging_pb::PublishMessageResponse;

constexpr int kTopicNotFound = 2;
constexpr int kNotLeader = 6;
constexpr int kInvalidRecord = 42;

std::string eight_bytes(std::int64_t value) {
  std::string out;
  put_be(out, value);
  return out;
}

}  // namespace

std::int64_t FakeBroker::now_ns() const {
  return times_.now_ns ? times_.now_ns() : std::chrono::system_clock::now().time_since_epoch().count();
}

FakeBroker::FakeBroker(Surroundings around, FakeBrokerTimes times, int port)
    : around_(std::move(around)), times_(std::move(times)) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(), &port_);
  builder.SetMaxReceiveMessageSize(-1);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  EXPECT_TRUE(server_) << "fake broker cannot listen";
  worker_ = std::thread([this] { run(); });
}

FakeBroker::~FakeBroker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  worker_.join();
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

void FakeBroker::hang(Context* context) const {
  while (!stopping_ && !context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

grpc::Status FakeBroker::play(Context* context, const std::string& method) {
  const auto fault = faults_.take(method);
  if (frozen_ || (fault && fault->kind == Fault::Kind::hang)) {
    hang(context);
    return {grpc::StatusCode::CANCELLED, "frozen"};
  }
  if (fault && fault->kind == Fault::Kind::delay) std::this_thread::sleep_for(fault->delay);
  if (fault && fault->kind == Fault::Kind::status)
    return {static_cast<grpc::StatusCode>(fault->code), fault->text};
  return grpc::Status::OK;
}

// ------------------------------------------------------------------------------------------- topics

std::optional<FakeBroker::Known> FakeBroker::topic(const std::string& name, bool anew) {
  const auto known = topics_.find(name);
  if (!anew && known != topics_.end() && Clock::now() < known->second.until) return known->second;
  const std::string path = paths::topic_dir(name) + "/" + std::string(paths::kTopicConf);
  const auto content = around_.read_content(path);
  if (!content) return std::nullopt;
  const auto conf = parse_topic_conf(*content);
  if (!conf) return std::nullopt;
  // It finds itself a leader of what has none, and writes that down.
  std::string text = *content;
  const std::string nobody = "\"leaderBroker\": \"\"";
  for (auto at = text.find(nobody); at != std::string::npos; at = text.find(nobody))
    text.replace(at, nobody.size(), "\"leaderBroker\": \"" + address() + "\"");
  if (text != *content) around_.put_content(path, text);
  return topics_[name] = {conf->generation_ns, conf->slots, Clock::now() + times_.topic_cache};
}

grpc::Status FakeBroker::ConfigureTopic(Context* context, const messaging_pb::ConfigureTopicRequest* request,
                                        messaging_pb::ConfigureTopicResponse*) {
  if (auto bad = play(context, "ConfigureTopic"); !bad.ok()) return bad;
  const std::lock_guard lock(mutex_);
  const auto known = topic(request->topic().name(), request->has_retention());
  if (!known) return {grpc::StatusCode::UNKNOWN, "configure topic: not found"};
  EXPECT_EQ(known->slots, request->partition_count()) << "would divide the topic anew";
  return grpc::Status::OK;
}

grpc::Status FakeBroker::LookupTopicBrokers(Context* context,
                                            const messaging_pb::LookupTopicBrokersRequest* request,
                                            messaging_pb::LookupTopicBrokersResponse* response) {
  if (auto bad = play(context, "LookupTopicBrokers"); !bad.ok()) return bad;
  const std::lock_guard lock(mutex_);
  const auto known = topic(request->topic().name(), false);
  if (!known) return {grpc::StatusCode::UNKNOWN, "topic " + request->topic().name() + " not found"};
  for (std::int32_t i = 0; i < known->slots; ++i) {
    auto& one = *response->add_broker_partition_assignments();
    const RingRange range = ring_range(i, known->slots);
    one.mutable_partition()->set_ring_size(kRingSize);
    one.mutable_partition()->set_range_start(range.start);
    one.mutable_partition()->set_range_stop(range.stop);
    one.mutable_partition()->set_unix_time_ns(known->generation_ns);
    one.set_leader_broker(address());
  }
  return grpc::Status::OK;
}

// --------------------------------------------------------------------------------------- partitions

std::int64_t& FakeBroker::counter(const Key& key, const std::string& directory) {
  const auto known = counters_.find(key);
  if (known != counters_.end()) return known->second;
  const auto content = around_.read_content(directory + "/" + std::string(paths::kCheckpoint));
  const auto last = content ? parse_checkpoint(*content) : std::nullopt;
  checkpoints_[key] = {directory, last.value_or(-1)};
  return counters_[key] = last.value_or(-1) + 1;
}

void FakeBroker::publish(const std::string& topic, std::int64_t generation_ns, const std::string& key,
                         const std::string& value) {
  const std::lock_guard lock(mutex_);
  Partition& partition = partitions_[{topic, 0}];
  if (partition.directory.empty())
    partition.directory = paths::partition_dir(topic, generation_ns, ring_range(0, 1));
  messaging_pb::DataMessage data;
  data.set_key(key);
  data.set_value(value);
  std::int64_t offset = 0;
  take({topic, 0}, data, &offset);
}

void FakeBroker::rewind_counters(std::int64_t by) {
  const std::lock_guard lock(mutex_);
  for (auto& [key, next] : counters_) next = std::max<std::int64_t>(0, next - by);
}

void FakeBroker::take(const Key& key, const messaging_pb::DataMessage& data, std::int64_t* offset) {
  Partition& partition = partitions_[key];
  std::int64_t& next = counter(key, partition.directory);
  const std::int64_t wanted = data.ts_ns() == 0 ? now_ns() : data.ts_ns();
  partition.last_ts_ns = std::max(wanted, partition.last_ts_ns + 1);
  *offset = next++;
  partition.window.push_back({partition.last_ts_ns, *offset, data.key(), data.value()});
}

// One window is one chunk, of the file that is named by the second of its first message.
bool FakeBroker::flush(Partition& partition) {
  while (!partition.window.empty()) {
    if (!flush_chunk(partition)) return false;
  }
  return true;
}

bool FakeBroker::flush_chunk(Partition& partition) {
  const auto behind = partition.window.begin() +
                      static_cast<std::ptrdiff_t>(std::min(times_.chunk_messages, partition.window.size()));
  const std::vector<Message> part(partition.window.begin(), behind);
  std::string bytes;
  for (const Message& message : part) {
    const LogEntry entry{.ts_ns = message.ts_ns, .offset = message.offset, .key = as_bytes(message.key)};
    put_frame_head(bytes, entry, message.value.size());
    bytes += message.value;
  }
  std::map<std::string, std::string> attributes;
  if (partition.buffers != 0) attributes["buffer_start"] = eight_bytes(partition.buffers);
  if (part.front().offset > 0) {
    attributes["offset_min"] = eight_bytes(part.front().offset);
    attributes["offset_max"] = eight_bytes(part.back().offset);
  }
  const LogFileName name{.second = part.front().ts_ns / 1'000'000'000};
  if (!around_.append_chunk(partition.directory, name.to_string(), bytes, attributes)) return false;
  ++partition.buffers;
  partition.window.erase(partition.window.begin(), behind);
  return true;
}

void FakeBroker::run() {
  auto flush_at = Clock::now() + times_.flush;
  auto checkpoint_at = Clock::now() + times_.checkpoint;
  auto cleanup_at = Clock::now() + times_.cleanup;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    stop_.wait_for(lock, std::chrono::milliseconds(5));
    const auto now = Clock::now();
    if (frozen_ || stopping_) continue;
    if (now >= flush_at && !hold_flushes_) {
      for (auto& [key, partition] : partitions_) flush(partition);
      flush_at = now + times_.flush;
    }
    if (now >= checkpoint_at) {
      for (auto& [key, at] : checkpoints_) {
        const std::int64_t last = counters_[key] - 1;
        if (last < 0 || at.second == last) continue;
        if (around_.put_content(at.first + "/" + std::string(paths::kCheckpoint), checkpoint_of(last)))
          at.second = last;
      }
      checkpoint_at = now + times_.checkpoint;
    }
    if (times_.cleanup.count() > 0 && now >= cleanup_at) {
      for (const auto& [name, unused] : has_partitions_) {
        const auto first = partitions_.lower_bound({name, 0});
        if (first == partitions_.end() || first->first.first != name) frozen_ = true;
      }
      ++cleanups_;
      cleanup_at = now + times_.cleanup;
    }
  }
}

// -------------------------------------------------------------------------------------------- calls

grpc::Status FakeBroker::PublishMessage(Context* context, Stream* stream) {
  messaging_pb::PublishMessageRequest request;
  if (!stream->Read(&request)) return grpc::Status::OK;
  if (auto bad = play(context, "PublishMessage"); !bad.ok()) return bad;
  const auto& init = request.init();
  const Key key{init.topic().name(), init.partition().range_start()};
  PublishMessageResponse answer;
  {
    const std::lock_guard lock(mutex_);
    const auto known = request.has_init() ? topic(init.topic().name(), false) : std::nullopt;
    if (!request.has_init() || !known || known->generation_ns != init.partition().unix_time_ns()) {
      answer.set_error_code(!request.has_init() ? kInvalidRecord : !known ? kTopicNotFound : kNotLeader);
      answer.set_error("refused");
    } else {
      Partition& partition = partitions_[key];
      has_partitions_[init.topic().name()] = true;
      if (partition.directory.empty()) {
        partition.directory =
            paths::partition_dir(init.topic().name(), init.partition().unix_time_ns(),
                                 {init.partition().range_start(), init.partition().range_stop()});
      }
      counter(key, partition.directory);
      ++partition.publishers;
    }
  }
  if (!stream->Write(answer) || answer.error_code() != 0) return grpc::Status::OK;
  ++streams_;
  grpc::Status end = grpc::Status::OK;
  while (stream->Read(&request)) {
    const auto fault = faults_.take("Publish");
    if (frozen_ || (fault && fault->kind == Fault::Kind::hang)) {
      hang(context);
      break;
    }
    if (fault && fault->kind == Fault::Kind::delay) std::this_thread::sleep_for(fault->delay);
    const bool lost = fault && fault->kind == Fault::Kind::lost_answer;
    if (fault && fault->kind == Fault::Kind::status) {
      end = {static_cast<grpc::StatusCode>(fault->code), fault->text};
      break;
    }
    if (!request.has_data()) continue;
    std::int64_t offset = 0;
    {
      const std::lock_guard lock(mutex_);
      take(key, request.data(), &offset);
      if (beside_) {
        messaging_pb::DataMessage others;
        others.set_key("others");
        others.set_value("somebody else's");
        std::int64_t own = 0;
        take(key, others, &own);
      }
    }
    if (lost) {
      end = {grpc::StatusCode::UNAVAILABLE, "the answer is lost"};
      break;
    }
    PublishMessageResponse ack;
    ack.set_ack_ts_ns(request.data().ts_ns());
    ack.set_assigned_offset(offset);
    if (!stream->Write(ack)) break;
  }
  --streams_;
  const std::lock_guard lock(mutex_);
  const auto at = partitions_.find(key);
  // The last one takes the partition out of memory, after a flush.
  if (at != partitions_.end() && --at->second.publishers == 0 && !stopping_ && !frozen_ &&
      !key.first.starts_with('_')) {
    if (!hold_flushes_) flush(at->second);
    partitions_.erase(at);
  }
  return end;
}

grpc::Status FakeBroker::FetchMessage(Context* context, const messaging_pb::FetchMessageRequest* request,
                                      messaging_pb::FetchMessageResponse* response) {
  if (auto bad = play(context, "FetchMessage"); !bad.ok()) return bad;
  const std::lock_guard lock(mutex_);
  const auto at = partitions_.find({request->topic().name(), request->partition().range_start()});
  if (at == partitions_.end()) {
    response->set_error_code(1);
    response->set_error("partition not found");
    return grpc::Status::OK;
  }
  for (const Message& message : at->second.window) {
    if (message.offset < request->start_offset()) continue;
    auto& out = *response->add_messages();
    out.set_key(message.key);
    out.set_value(message.value);
    out.set_ts_ns(message.ts_ns);
  }
  return grpc::Status::OK;
}

grpc::Status FakeBroker::GetPartitionRangeInfo(Context* context,
                                               const messaging_pb::GetPartitionRangeInfoRequest* request,
                                               messaging_pb::GetPartitionRangeInfoResponse* response) {
  if (auto bad = play(context, "GetPartitionRangeInfo"); !bad.ok()) return bad;
  const std::lock_guard lock(mutex_);
  const auto& partition = request->partition();
  const std::string directory = paths::partition_dir(request->topic().name(), partition.unix_time_ns(),
                                                     {partition.range_start(), partition.range_stop()});
  const std::int64_t next = counter({request->topic().name(), partition.range_start()}, directory);
  response->mutable_offset_range()->set_high_water_mark(next);
  response->mutable_offset_range()->set_latest_offset(next - 1);
  response->set_record_count(next);
  return grpc::Status::OK;
}

}  // namespace tidegate::test
