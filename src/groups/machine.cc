// Applying records, and the step that collects what an event brings about.
#include "machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "tidegate/base/assert.h"

namespace tidegate::groups {
namespace {

template <class T, class... Ts>
constexpr bool is_one_of = (std::is_same_v<T, Ts> || ...);

}  // namespace

Result<void> Machine::apply(const Record& record) {
  return std::visit(
      [this](const auto& one) -> Result<void> {
        using T = std::decay_t<decltype(one)>;
        if constexpr (is_one_of<T, PutOffset, EraseOffset>) {
          offsets.apply(one);
          return {};
        } else if constexpr (std::is_same_v<T, EraseHead>) {
          if (classic.size() != 0 || !consumer.members().empty()) {
            return fail(ErrorCode::corrupt_message, "the head of a group goes before its members");
          }
          type = GroupType::none;
          classic.clear_head();
          consumer.clear_head();
          return {};
        } else {
          constexpr bool is_classic =
              is_one_of<T, PutClassicHead, PutClassicMember, PutClassicAssignment, EraseClassicMember>;
          constexpr bool is_head = is_one_of<T, PutClassicHead, PutConsumerHead>;
          constexpr GroupType own = is_classic ? GroupType::classic : GroupType::consumer;
          if (is_head && type == GroupType::none) type = own;
          if (type != own) return fail(ErrorCode::corrupt_message, "a record of the other group type");
          if constexpr (is_classic) {
            return classic.apply(one);
          } else {
            return consumer.apply(one);
          }
        }
      },
      record);
}

void Step::emit(Record record) {
  const auto applied = group.apply(record);
  TIDEGATE_ASSERT(applied.has_value());
  records_.push_back(std::move(record));
}

void Step::reply(ReplyId id, ReplyBody body) {
  effects_.replies.push_back({.id = id, .after_persist = group.last_persist, .body = std::move(body)});
  held_.push_back(effects_.replies.size() - 1);
}

void Step::reply_at_once(ReplyId id, ReplyBody body) {
  effects_.replies.push_back({.id = id, .after_persist = 0, .body = std::move(body)});
}

Effects Step::finish(bool was_wake) {
  if (!records_.empty()) {
    effects_.persist = Persist{.sequence = ++group.last_persist, .records = std::move(records_)};
    for (const auto index : held_) effects_.replies[index].after_persist = group.last_persist;
  }
  if (was_wake) group.announced_wake.reset();
  const auto next = group.timers.next();
  if (next && (!group.announced_wake || *next < *group.announced_wake)) {
    effects_.wake_at = group.announced_wake = next;
  }
  return std::move(effects_);
}

void erase_head(Step& step) {
  std::vector<std::string> regexes;
  for (const auto& [regex, resolved] : step.group.consumer.regexes()) regexes.push_back(regex);
  for (auto& regex : regexes) step.emit(EraseRegex{std::move(regex)});
  if (step.group.type != GroupType::none) step.emit(EraseHead{});
}

std::string make_member_id(Rng& rng, std::string_view prefix) {
  const auto bytes = random_uuid(rng).bytes;
  std::string id(prefix);
  id += '-';
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) id += '-';
    fmt::format_to(std::back_inserter(id), "{:02x}", bytes[i]);
  }
  return id;
}

}  // namespace tidegate::groups
