// What makes settings fit to start with, beyond each value by itself: `serve`, `config --check` and a reload
// ask the same question.
#pragma once

#include "tidegate/base/config_table.h"
#include "tidegate/base/result.h"

namespace tidegate::app {

// invalid_config that names the settings: contradictions, and addresses that cannot be.
Result<void> check_config(const ConfigValues& values);

}  // namespace tidegate::app
