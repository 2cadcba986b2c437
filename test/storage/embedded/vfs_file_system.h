// RocksDB's file system on a Vfs: the metadata store of a test meets the same lost writes, full disks and
// power cuts as the log.
#pragma once

#include <memory>

#include "kv.h"
#include "vfs.h"

namespace tidegate::test {

// The metadata store of production on `vfs`.
std::unique_ptr<storage::embedded::Kv> make_rocks_kv_on(std::unique_ptr<storage::embedded::Vfs> vfs,
                                                        std::string dir, bool unsynced_writes);

}  // namespace tidegate::test
