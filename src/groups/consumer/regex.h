// Subscriptions by regular expression (RE2 syntax, as the protocol has it): compiled once a group.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/result.h"
#include "tidegate/groups/topic_view.h"

namespace re2 {
class RE2;
}

namespace tidegate::groups::consumer {

class TopicPattern {
 public:
  // invalid_regular_expression when it is no RE2 or longer than `max_bytes`.
  static Result<TopicPattern> compile(const std::string& regex, std::size_t max_bytes);
  TopicPattern(TopicPattern&&) noexcept;
  TopicPattern& operator=(TopicPattern&&) noexcept;
  ~TopicPattern();

  // The whole name must match.
  bool matches(std::string_view topic) const;
  // Names of existing topics that match, ascending.
  std::vector<std::string> resolve(const TopicView& topics) const;

 private:
  explicit TopicPattern(std::unique_ptr<re2::RE2> compiled);
  std::unique_ptr<re2::RE2> compiled_;
};

}  // namespace tidegate::groups::consumer
