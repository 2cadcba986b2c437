// What `tidegate groups plan` prints: the assignment that a given membership would get from our
// cooperative-sticky assignor, round by round. Pure; JSON in, JSON out. The form is in docs/group-plan.md.
#pragma once

#include <string>
#include <string_view>

#include "tidegate/base/result.h"

namespace tidegate::app {

// invalid_request says what is wrong with the input and where.
Result<std::string> plan_groups(std::string_view json);

}  // namespace tidegate::app
