// The state of a KIP-848 group, and what machine.cc asks of its rules. Durable parts change in apply() only.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

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
  Timer rebalance;
};

class ConsumerGroup {
 public:
  using Members = std::map<std::string, ConsumerMember, std::less<>>;
  using Regexes = std::map<std::string, ResolvedRegex, std::less<>>;

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
  void clear_head() { head_ = {}; }

  const ConsumerHead& head() const { return head_; }
  Members& members() { return members_; }
  const Members& members() const { return members_; }
  const Regexes& regexes() const { return regexes_; }

 private:
  ConsumerHead head_;
  Members members_;
  Regexes regexes_;
};

namespace consumer {

// ConsumerGroupHeartbeat, for a group of any type: here is decided whether a classic one is converted.
void on_heartbeat(Step& step, ConsumerHeartbeat request);
// Classic requests to a group of type consumer.
void on_join(Step& step, Join request);
void on_sync(Step& step, Sync request);
void on_classic_heartbeat(Step& step, const Heartbeat& request);
void on_leave(Step& step, const Leave& request);

// Whether a commit, or an OffsetFetch that names a member, is in order; also counts as a sign of life.
ErrorCode check_commit(Step& step, const CommitOffsets& request);
ErrorCode check_fetch(Step& step, const FetchOffsets& request);

void on_loaded(Step& step);
void on_timer(Step& step, TimerKind kind, const std::string& member);
void on_topics_changed(Step& step, const TopicsChanged& event);
bool is_subscribed(const Machine& group, std::string_view topic);

GroupState state_of(const Machine& group);
ConsumerDescription describe(const Machine& group);

}  // namespace consumer

}  // namespace tidegate::groups
