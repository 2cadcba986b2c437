// The state of a KIP-848 group, and what machine.cc asks of its rules. Durable parts and the indexes over
// them change in apply() only.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "consumer/regex.h"
#include "tidegate/base/error_code.h"
#include "tidegate/base/result.h"
#include "tidegate/groups/record.h"
#include "tidegate/groups/requests.h"
#include "timers.h"

namespace tidegate::groups {

class Machine;
class Step;
enum class GroupState;
struct ConsumerDescription;

struct ConsumerMember {
  // Durable.
  ConsumerMemberData data;
  CurrentAssignment current;
  std::vector<TopicPartitions> target;

  // Volatile.
  Timer session;
  Timer rebalance;  // must have given up partitions by then
  Timer join;       // a classic member that was told to rejoin must have by then
  Timer sync;       // a classic member that joined must fetch its assignment by then

  bool is_classic() const { return data.classic.has_value(); }
};

class ConsumerGroup {
 public:
  using Members = std::map<std::string, ConsumerMember, std::less<>>;
  using Regexes = std::map<std::string, ResolvedRegex, std::less<>>;
  using Counts = std::map<std::string, std::size_t, std::less<>>;

  ConsumerGroup() = default;
  ConsumerGroup(const ConsumerGroup&) = delete;
  ConsumerGroup& operator=(const ConsumerGroup&) = delete;

  Result<void> apply(const PutConsumerHead& record);
  Result<void> apply(const PutConsumerMember& record);
  Result<void> apply(const PutTargetAssignment& record);
  Result<void> apply(const PutCurrentAssignment& record);
  Result<void> apply(const EraseConsumerMember& record);
  Result<void> apply(const PutRegex& record);
  Result<void> apply(const EraseRegex& record);
  void clear_head() {
    head_ = {};
    count_settled();
  }

  const ConsumerHead& head() const { return head_; }
  Members& members() { return members_; }
  const Members& members() const { return members_; }
  const Regexes& regexes() const { return regexes_; }

  ConsumerMember* find(std::string_view member_id);
  const ConsumerMember* find(std::string_view member_id) const;
  // The member id that holds a group instance id; nullptr when nobody does.
  const std::string* holder_of(std::string_view instance_id) const;
  // Some member has the partition, or has not confirmed yet that it gave it up.
  bool is_held(const PartitionId& partition) const { return holders_.contains(partition); }
  std::size_t classic_members() const { return classic_members_; }
  // Members that have what the target assignment gives them.
  std::size_t settled() const { return settled_; }
  // How many classic members speak a protocol of JoinGroup.
  std::size_t classic_support_for(std::string_view protocol) const;
  // Topics that members name, and how many name each.
  const Counts& subscribed_names() const { return subscribed_names_; }
  // How many members subscribe by each regular expression.
  const Counts& subscribed_regexes() const { return subscribed_regexes_; }
  const Counts& wanted_assignors() const { return wanted_assignors_; }

  // Volatile: compiled when first needed.
  std::map<std::string, consumer::TopicPattern, std::less<>> patterns;

 private:
  void count(const ConsumerMemberData& member, bool add);
  void hold(const CurrentAssignment& assignment, bool add);
  bool is_settled(const CurrentAssignment& assignment) const;
  void count_settled();

  ConsumerHead head_;
  Members members_;
  Regexes regexes_;

  // Indexes over members_.
  std::map<std::string, std::string, std::less<>> instances_;  // instance id -> member id
  std::unordered_map<PartitionId, std::size_t> holders_;
  std::size_t classic_members_ = 0;
  std::size_t settled_ = 0;
  Counts classic_support_;
  Counts subscribed_names_;
  Counts subscribed_regexes_;
  Counts wanted_assignors_;
};

namespace consumer {

// ConsumerGroupHeartbeat, for a group of any type: here is decided whether a classic one is converted.
void on_heartbeat(Step& step, ConsumerHeartbeat request);
// Classic requests to a group of type consumer.
void on_join(Step& step, Join request);
void on_sync(Step& step, Sync request);
void on_classic_heartbeat(Step& step, const Heartbeat& request);
void on_leave(Step& step, const Leave& request);

// Whether a commit, or an OffsetFetch that names a member, is in order.
ErrorCode check_commit(Step& step, const CommitOffsets& request);
ErrorCode check_fetch(Step& step, const FetchOffsets& request);

Result<void> check_stored(const Machine& machine);  // Group::check_stored()
void on_loaded(Step& step);
void on_timer(Step& step, TimerKind kind, const std::string& member);
void on_topics_changed(Step& step, const TopicsChanged& event);
bool is_subscribed(const Machine& group, std::string_view topic);

GroupState state_of(const Machine& group);
ConsumerDescription describe(const Machine& group);

}  // namespace consumer

}  // namespace tidegate::groups
