// How the members of the world use committed offsets, what strangers try, and what an administrator does.
#include <algorithm>
#include <iterator>

#include "machine.h"
#include "sim/consumer_world.h"

namespace tidegate::groups::sim {
namespace {

constexpr std::size_t kRemembered = 32;

ErrorCode error_of(const ReplyBody& body) {
  return std::visit([](const auto& reply) { return reply.error; }, body);
}

}  // namespace

// A request that its sender does not wait for.
template <class Request>
void ConsumerWorld::ask_aside(Asked about, Request request) {
  request.reply = next_reply_++;
  asked_[request.reply] = std::move(about);
  tell(std::move(request));
}

void ConsumerWorld::use_offsets(ConsumerClient& client, int index) {
  const bool knows_all =
      std::ranges::all_of(client.places, [](const auto& entry) { return entry.second.position.has_value(); });
  if (!knows_all && chance(600)) return fetch(client, index);
  commit(client, index);
}

void ConsumerWorld::commit(ConsumerClient& client, int index) {
  Asked about{.client = index};
  CommitOffsets request;
  request.member_id = client.member_id;
  request.instance_id = client.instance;
  request.generation_or_epoch = client.epoch;
  request.knows_epochs = !client.classic || chance(500);
  for (auto& [partition, place] : client.places) {
    // Of a topic that is gone the handler says so without asking the group.
    if (!place.position || topics_.find(partition.topic) == nullptr || chance(400)) continue;
    *place.position += static_cast<Offset>(rng_.below(5));
    about.commits[partition] = *place.position;
    if (request.topics.empty() || request.topics.back().topic_id != partition.topic) {
      request.topics.push_back({.topic = topics_.name_ever(partition.topic), .topic_id = partition.topic});
    }
    request.topics.back().partitions.push_back({.partition = partition.index, .offset = *place.position});
  }
  if (request.topics.empty()) return;
  const auto& machine = group_->machine();
  if (const auto* member = machine.consumer.find(client.member_id); member != nullptr) {
    const bool is_current = member->current.member_epoch == client.epoch;
    about.must_get = is_current       ? ErrorCode::none
                     : client.classic ? ErrorCode::illegal_generation
                                      : ErrorCode::stale_member_epoch;
  } else if (machine.type == GroupType::consumer) {
    about.must_get = ErrorCode::unknown_member_id;
  }
  past_.push_back(request);
  if (past_.size() > kRemembered) past_.pop_front();
  ask_aside(std::move(about), std::move(request));
}

void ConsumerWorld::fetch(ConsumerClient& client, int index) {
  Asked about{.client = index};
  FetchOffsets request;
  if (!client.classic || chance(500)) {
    request.member_id = client.member_id;
    request.member_epoch = client.epoch;
  }
  request.topics.emplace();
  for (const auto& [partition, place] : client.places) {
    if (place.position || topics_.find(partition.topic) == nullptr) continue;
    auto& topics = *request.topics;
    if (topics.empty() || topics.back().topic_id != partition.topic) {
      topics.push_back({.topic = topics_.name_ever(partition.topic), .topic_id = partition.topic});
    }
    topics.back().partitions.push_back(partition.index);
  }
  ask_aside(std::move(about), std::move(request));
}

void ConsumerWorld::on_offsets_reply(const Asked& about, const Reply& reply) {
  if (std::holds_alternative<CommitReply>(reply.body)) {
    if (error_of(reply.body) != ErrorCode::none) return;
    for (const auto& [partition, offset] : about.commits) note_told(reply.id, partition, offset);
    return;
  }
  const auto* fetched = std::get_if<FetchOffsetsReply>(&reply.body);
  if (fetched == nullptr || fetched->error != ErrorCode::none) return;
  for (const auto& topic : fetched->topics) {
    for (const auto& row : topic.partitions) {
      const PartitionId partition{topic.topic_id, row.partition};
      note_told(reply.id, partition, row.offset);
      if (about.client < 0) continue;
      auto& places = clients_[static_cast<std::size_t>(about.client)].places;
      const auto place = places.find(partition);
      if (place == places.end() || place->second.since > reply.id || place->second.position) continue;
      place->second.position = std::max<Offset>(row.offset, 0);
    }
  }
}

// Offset 0 of everything: whoever gets through with it takes a committed offset back.
std::map<PartitionId, Offset> ConsumerWorld::some_offsets() const {
  std::map<PartitionId, Offset> offsets;
  topics_.for_each([&](const TopicInfo& topic) {
    for (std::int32_t p = 0; p < topic.partitions; ++p) offsets[{topic.id, p}] = 0;
    return true;
  });
  return offsets;
}

// A member's name with an epoch that is not its own, in a commit and in a fetch.
void ConsumerWorld::intrude_as(const std::string& member_id, bool classic, std::int32_t epoch) {
  const auto stale = classic ? ErrorCode::illegal_generation : ErrorCode::stale_member_epoch;
  const bool is_there = group_->machine().consumer.find(member_id) != nullptr;
  const Asked about{.must_get = is_there ? stale : ErrorCode::unknown_member_id};
  CommitOffsets request{.member_id = member_id, .generation_or_epoch = epoch, .knows_epochs = true};
  for (const auto& [partition, offset] : some_offsets()) {
    request.topics.push_back({.topic = topics_.name_ever(partition.topic),
                              .topic_id = partition.topic,
                              .partitions = {{.partition = partition.index, .offset = offset}}});
  }
  ask_aside(about, std::move(request));
  ask_aside(about, FetchOffsets{.member_id = member_id, .member_epoch = epoch});
}

// A commit that was taken once, of a member that has gone on or is gone: a request that was stuck on the way.
void ConsumerWorld::commit_again() {
  if (past_.empty()) return;
  const auto request = past_[rng_.below(past_.size())];
  if (!is_current(request)) ask_aside({.must_fail = true}, request);
}

void ConsumerWorld::intrude() {
  const auto& members = group_->machine().consumer.members();
  if (members.empty() || chance(300)) return commit_again();
  auto some = members.begin();
  std::advance(some, static_cast<std::ptrdiff_t>(rng_.below(members.size())));
  const auto epoch = some->second.current.member_epoch;
  const bool classic = some->second.is_classic();
  CommitOffsets request{.topics = {{.topic = "a", .partitions = {{.partition = 0}}}}};
  switch (rng_.below(6)) {
    case 0:
    case 1:
      return intrude_as(some->first, classic, epoch - 1 - static_cast<std::int32_t>(rng_.below(2)));
    case 2:
      return intrude_as(some->first, classic, epoch + 1);
    case 3:
      return intrude_as("nobody", false, epoch);
    case 4:  // a tool, or a consumer that assigns itself: not while members are there
      request.knows_epochs = chance(500);
      return ask_aside({.must_get = ErrorCode::unknown_member_id}, std::move(request));
    default:
      if (classic) return;
      request.member_id = some->first;
      request.generation_or_epoch = epoch;
      return ask_aside({.must_get = ErrorCode::unsupported_version}, std::move(request));
  }
}

void ConsumerWorld::administrate() {
  const auto& machine = group_->machine();
  const bool has_members = !machine.consumer.members().empty() || !machine.classic.members().empty();
  switch (rng_.below(4)) {
    case 0:
      return tell(ExpireOffsets{});
    case 1: {
      Asked about;
      if (has_members) about.must_get = ErrorCode::non_empty_group;
      return ask_aside(std::move(about), DeleteGroup{});
    }
    case 2:
      return ask_aside({}, DeleteOffsets{.topics = {{.topic = "a", .partitions = {0, 5}}}});
    default:
      if (has_members) return;
      CommitOffsets request;
      Asked about{.must_get = ErrorCode::none};
      for (const auto& [partition, zero] : some_offsets()) {
        const auto& name = topics_.name_ever(partition.topic);
        const auto* stored = machine.offsets.find(name, partition.index);
        const Offset forward =
            stored == nullptr || stored->topic_id != partition.topic ? 1 : stored->offset + 1;
        about.commits[partition] = forward;
        request.topics.push_back({.topic = name,
                                  .topic_id = partition.topic,
                                  .partitions = {{.partition = partition.index, .offset = forward}}});
      }
      return ask_aside(std::move(about), std::move(request));
  }
}

}  // namespace tidegate::groups::sim
