#include "consumer/regex.h"

#include <re2/re2.h>

#include <algorithm>

namespace tidegate::groups::consumer {
namespace {

// Of one compiled expression with its automaton; RE2 refuses what needs more and falls back to slower
// matching when only the automaton does. Matching takes time linear in the name either way.
constexpr std::int64_t kMaxCompiledBytes = 1 << 20;

}  // namespace

TopicPattern::TopicPattern(std::unique_ptr<re2::RE2> compiled) : compiled_(std::move(compiled)) {}
TopicPattern::TopicPattern(TopicPattern&&) noexcept = default;
TopicPattern& TopicPattern::operator=(TopicPattern&&) noexcept = default;
TopicPattern::~TopicPattern() = default;

Result<TopicPattern> TopicPattern::compile(const std::string& regex, std::size_t max_bytes) {
  if (regex.size() > max_bytes) {
    return fail(ErrorCode::invalid_regular_expression,
                "the regular expression is longer than " + std::to_string(max_bytes) + " bytes");
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxCompiledBytes);
  auto compiled = std::make_unique<re2::RE2>(regex, options);
  if (!compiled->ok()) {
    return fail(ErrorCode::invalid_regular_expression,
                "SubscribedTopicRegex is not a valid regular expression: " + compiled->error());
  }
  return TopicPattern(std::move(compiled));
}

bool TopicPattern::matches(std::string_view topic) const {
  return re2::RE2::FullMatch(re2::StringPiece(topic.data(), topic.size()), *compiled_);
}

std::vector<std::string> TopicPattern::resolve(const TopicView& topics) const {
  std::vector<std::string> names;
  topics.for_each([&](const TopicInfo& topic) {
    if (matches(topic.name)) names.push_back(topic.name);
    return true;
  });
  std::ranges::sort(names);
  return names;
}

}  // namespace tidegate::groups::consumer
