// What a read gives back, gathered batch by batch, wherever they come from. Runs of small ones are joined,
// because each buffer of an answer costs more than they do.
#pragma once

#include <cstddef>
#include <vector>

#include "tidegate/base/shared_buffer.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/storage/engine.h"

namespace tidegate::storage {

class ReadBuilder {
 public:
  ReadBuilder(Offset from, ReadLimits limits) : limits_(limits) { result_.next_offset = from; }

  // `front` and `rest` together are the batch. False when the limits allow no further one: then it was not
  // taken.
  bool add(const protocol::BatchHeader& header, const SharedBuffer& front, const SharedBuffer& rest);
  std::size_t size_bytes() const { return result_.size_bytes; }
  std::size_t batches() const { return result_.batches; }
  Offset next_offset() const { return result_.next_offset; }
  // The builder is spent afterwards.
  ReadResult take();

 private:
  void join_run();

  ReadLimits limits_;
  ReadResult result_;
  std::vector<SharedBuffer> run_;
  std::size_t run_bytes_ = 0;
};

}  // namespace tidegate::storage
