#include "client_source.h"

namespace tidegate::storage::seaweedmq {

Task<Result<void>> ClientSource::open() {
  co_await client_->start();
  co_return Result<void>{};
}

}  // namespace tidegate::storage::seaweedmq
