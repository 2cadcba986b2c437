// The data directory as a whole: one process at a time, one format version.
#pragma once

#include <memory>
#include <string>

#include "tidegate/base/result.h"
#include "vfs.h"

namespace tidegate::storage::embedded {

// Makes what is missing, takes the lock, checks the version. Errors are one line for the operator.
// Blocking.
Result<std::unique_ptr<VfsLock>> take_data_dir(Vfs& vfs, const std::string& dir);

}  // namespace tidegate::storage::embedded
