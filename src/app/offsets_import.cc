#include "offsets_import.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <thread>

#include "kafka_client.h"
#include "legacy_offset_files.h"
#include "tidegate/protocol/messages/find_coordinator.h"
#include "tidegate/protocol/messages/offset_commit.h"
#include "tidegate/protocol/messages/offset_fetch.h"

namespace tidegate::app {
namespace {

using protocol::FindCoordinatorRequest;
using protocol::FindCoordinatorResponse;
using protocol::OffsetCommitRequest;
using protocol::OffsetCommitResponse;
using protocol::OffsetFetchRequest;
using protocol::OffsetFetchResponse;

constexpr std::int16_t kFindVersion = 3;
constexpr std::int16_t kFetchVersion = 7;
constexpr std::int16_t kCommitVersion = 7;
constexpr std::size_t kCommitAtOnce = 1000;
constexpr int kAttempts = 20;
constexpr std::chrono::milliseconds kBetweenAttempts{500};

using Batch = std::vector<const FoundOffset*>;

bool is_passing(ErrorCode code) {
  return code == ErrorCode::coordinator_load_in_progress || code == ErrorCode::coordinator_not_available ||
         code == ErrorCode::not_coordinator || code == ErrorCode::network_exception;
}

struct Tally {
  std::size_t committed = 0;
  std::size_t kept = 0;
  std::size_t failed = 0;
};

// One group's way: its coordinator, what it has committed already, what it lacks.
class GroupImport {
 public:
  GroupImport(HostPort bootstrap, std::string group, bool overwrite)
      : bootstrap_(std::move(bootstrap)), group_(std::move(group)), overwrite_(overwrite) {}

  Result<void> run(const Batch& all, Tally& tally) {
    for (std::size_t at = 0; at < all.size(); at += kCommitAtOnce) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(at);
      Batch batch(begin, begin + static_cast<std::ptrdiff_t>(std::min(kCommitAtOnce, all.size() - at)));
      if (!overwrite_) {
        const auto before = batch.size();
        if (auto done = leave_out_committed(batch); !done) return done;
        tally.kept += before - batch.size();
      }
      if (batch.empty()) continue;
      if (auto done = commit(batch, tally); !done) return done;
    }
    return {};
  }

 private:
  // A gateway that has just started loads its groups first; another may have taken the group over.
  template <class F>
  Result<void> patiently(F attempt) {
    for (int left = kAttempts;; --left) {
      auto done = connected_ ? Result<void>() : connect_to_coordinator();
      if (done) done = attempt();
      if (done || !is_passing(done.error().code) || left == 1) return done;
      connected_ = false;
      std::this_thread::sleep_for(kBetweenAttempts);
    }
  }

  Result<void> connect_to_coordinator() {
    if (auto up = client_.connect(bootstrap_); !up) return up;
    FindCoordinatorRequest request;
    request.key = group_;
    auto answer = client_.call<FindCoordinatorResponse>(request, kFindVersion);
    if (!answer) return fail(std::move(answer.error()));
    if (answer->error_code != ErrorCode::none) {
      return fail(answer->error_code,
                  answer->error_message.value_or(std::string(error_name(answer->error_code))));
    }
    auto up = client_.connect({answer->host, static_cast<std::uint16_t>(answer->port)});
    connected_ = up.has_value();
    return up;
  }

  Result<void> leave_out_committed(Batch& batch) {
    OffsetFetchRequest request;
    request.group_id = group_;
    for (const auto* offset : batch) {
      auto& topics = *request.topics;
      if (topics.empty() || topics.back().name != offset->at.topic)
        topics.emplace_back().name = offset->at.topic;
      topics.back().partition_indexes.push_back(offset->at.partition);
    }
    std::set<TopicPartition> committed;
    auto fetched = patiently([&]() -> Result<void> {
      auto answer = client_.call<OffsetFetchResponse>(request, kFetchVersion);
      if (!answer) return fail(std::move(answer.error()));
      if (answer->error_code != ErrorCode::none)
        return fail(answer->error_code, std::string(error_name(answer->error_code)));
      for (const auto& topic : answer->topics) {
        for (const auto& partition : topic.partitions) {
          if (partition.committed_offset >= 0) committed.insert({topic.name, partition.partition_index});
        }
      }
      return {};
    });
    if (!fetched) return fetched;
    std::erase_if(batch, [&](const FoundOffset* offset) { return committed.contains(offset->at); });
    return {};
  }

  Result<void> commit(const Batch& batch, Tally& tally) {
    OffsetCommitRequest request;
    request.group_id = group_;
    for (const auto* offset : batch) {
      auto& topics = request.topics;
      if (topics.empty() || topics.back().name != offset->at.topic)
        topics.emplace_back().name = offset->at.topic;
      auto& partition = topics.back().partitions.emplace_back();
      partition.partition_index = offset->at.partition;
      partition.committed_offset = offset->value.offset;
      partition.committed_metadata = offset->value.metadata;
    }
    Result<OffsetCommitResponse> answer;
    auto sent = patiently([&]() -> Result<void> {
      answer = client_.call<OffsetCommitResponse>(request, kCommitVersion);
      if (!answer) return fail(answer.error());
      // An error of the coordinator is the same for all.
      const bool none = answer->topics.empty() || answer->topics.front().partitions.empty();
      const auto code = none ? ErrorCode::none : answer->topics.front().partitions.front().error_code;
      return is_passing(code) ? Result<void>(fail(code, std::string(error_name(code)))) : Result<void>();
    });
    if (!sent) return sent;
    for (const auto& topic : answer->topics) {
      for (const auto& partition : topic.partitions) {
        if (partition.error_code == ErrorCode::none) {
          ++tally.committed;
          continue;
        }
        ++tally.failed;
        std::fprintf(stderr, "tidegate: group %s, %s: %s\n", group_.c_str(),
                     format_legacy_key({topic.name, partition.partition_index}).c_str(),
                     std::string(error_name(partition.error_code)).c_str());
      }
    }
    return {};
  }

  const HostPort bootstrap_;
  const std::string group_;
  const bool overwrite_;
  KafkaClient client_;
  bool connected_ = false;
};

void print_plan(const FoundOffsets& found) {
  for (const auto& [key, offset] : found.offsets) {
    std::printf("%s\t%s\t%d\t%lld\n", offset.group.c_str(), offset.at.topic.c_str(), offset.at.partition,
                static_cast<long long>(offset.value.offset));
  }
}

}  // namespace

int import_offsets(const CommandLine& line) {
  const auto bootstrap = parse_host_port(line.bootstrap, "--bootstrap");
  if (!bootstrap) {
    std::fprintf(stderr, "tidegate: %s\n", bootstrap.error().message.c_str());
    return 1;
  }
  const auto found = find_legacy_offsets(line.paths, line.group);
  for (const auto& problem : found.problems) std::fprintf(stderr, "tidegate: %s\n", problem.c_str());
  if (!found.problems.empty()) {
    std::fprintf(stderr, "tidegate: nothing was imported\n");
    return 1;
  }
  std::map<std::string, Batch> by_group;
  for (const auto& [key, offset] : found.offsets) by_group[offset.group].push_back(&offset);
  if (line.dry_run) {
    print_plan(found);
    std::printf("%zu offsets of %zu groups would be imported\n", found.offsets.size(), by_group.size());
    return 0;
  }
  Tally tally;
  for (const auto& [group, batch] : by_group) {
    auto done = GroupImport(*bootstrap, group, line.overwrite).run(batch, tally);
    if (done) continue;
    std::fprintf(stderr, "tidegate: group %s: %s\n", group.c_str(), done.error().message.c_str());
    ++tally.failed;
  }
  std::printf("%zu offsets imported, %zu kept that the groups had committed already\n", tally.committed,
              tally.kept);
  return tally.failed == 0 ? 0 : 1;
}

}  // namespace tidegate::app
