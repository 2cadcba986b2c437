// A byte stream to one client: TCP today, TLS by another implementation of the same contract. Used by
// server/ on the connection's shard.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "tidegate/base/bytes.h"
#include "tidegate/base/result.h"
#include "tidegate/runtime/task.h"

namespace tidegate {

class Stream {
 public:
  virtual ~Stream() = default;
  // Reads at least one byte, at most into.size(). 0 is the end of the stream. network_exception on
  // any socket error or after close().
  virtual Task<Result<std::size_t>> read_some(MutableByteView into) = 0;
  // Writes everything, gathering the views in one system call where it can. The views' bytes must
  // outlive the call.
  virtual Task<Result<void>> write_all(std::span<const ByteView> views) = 0;
  // Bytes that write_all has handed to the socket so far; a stall is when this stands still.
  virtual std::uint64_t bytes_written() const = 0;
  // Ends both directions; pending calls return an error. Safe to call twice.
  virtual void close() = 0;
  // "203.0.113.7:51234", for logs; and the address alone, for per-address limits.
  virtual const std::string& peer() const = 0;
  virtual const std::string& peer_address() const = 0;
};

}  // namespace tidegate
