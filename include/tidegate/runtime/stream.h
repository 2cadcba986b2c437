// A byte stream to one client: TCP today, TLS by another implementation of the same contract. Used by
// server/ on the connection's shard. Reading and waiting are apart, so that a connection that waits
// needs no buffer of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "tidegate/base/bytes.h"
#include "tidegate/base/result.h"
#include "tidegate/runtime/task.h"

namespace tidegate {

class Stream {
 public:
  virtual ~Stream() = default;

  // Reads what is there now, at most into.size(), and never waits. 0 is the end of the stream, nullopt
  // means that nothing is there yet. network_exception on any socket error or after close().
  virtual Result<std::optional<std::size_t>> try_read(MutableByteView into) = 0;
  // Returns when try_read has something to say. At most one call at a time.
  virtual Task<Result<void>> wait_readable() = 0;

  // Writes as much as the socket takes now, gathering the views in one system call where it can, and
  // never waits. 0 means that the socket is full.
  virtual Result<std::size_t> try_write(std::span<const ByteView> views) = 0;
  // Returns when try_write can go on. At most one call at a time.
  virtual Task<Result<void>> wait_writable() = 0;

  // Bytes handed to the socket so far; a stall is when this stands still.
  virtual std::uint64_t bytes_written() const = 0;
  // Ends both directions; pending calls return an error. Safe to call twice.
  virtual void close() = 0;
  // "203.0.113.7:51234", for logs; and the address alone, for per-address limits.
  virtual const std::string& peer() const = 0;
  virtual const std::string& peer_address() const = 0;

  // Reads at least one byte; 0 is the end of the stream.
  Task<Result<std::size_t>> read_some(MutableByteView into);
  // Writes everything. The views and their bytes must outlive the call.
  Task<Result<void>> write_all(std::span<const ByteView> views);
};

}  // namespace tidegate
