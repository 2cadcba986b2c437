// An immutable, reference-counted slice of bytes. It is how request bodies, record batches and disk
// reads travel from socket to storage and back without being copied. Any thread may hold and drop one;
// the bytes are written once, through MutableBuffer, before the first SharedBuffer is made.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <utility>

#include "tidegate/base/bytes.h"

namespace tidegate {

class SharedBuffer;

namespace detail {
// Header in front of the bytes; one allocation holds both.
struct BufferBlock {
  std::atomic<std::uint32_t> references{1};
  std::size_t capacity = 0;

  std::uint8_t* data() { return reinterpret_cast<std::uint8_t*>(this + 1); }
  static BufferBlock* allocate(std::size_t capacity);
  void retain() noexcept { references.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept;
};
}  // namespace detail

// The only writer of a block: fill it, then freeze it. Move-only.
class MutableBuffer {
 public:
  MutableBuffer() = default;
  // Uninitialised bytes. Throws std::bad_alloc, as operator new does.
  explicit MutableBuffer(std::size_t size_bytes);
  MutableBuffer(MutableBuffer&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MutableBuffer& operator=(MutableBuffer&& other) noexcept;
  ~MutableBuffer();

  std::uint8_t* data() { return block_ ? block_->data() : nullptr; }
  std::size_t size() const { return size_; }
  MutableByteView bytes() { return {data(), size_}; }
  // Gives the bytes up as an immutable buffer of the first `size_bytes` (at most size()).
  SharedBuffer freeze(std::size_t size_bytes) &&;
  SharedBuffer freeze() &&;

 private:
  detail::BufferBlock* block_ = nullptr;
  std::size_t size_ = 0;
};

class SharedBuffer {
 public:
  SharedBuffer() = default;
  SharedBuffer(const SharedBuffer& other) noexcept
      : block_(other.block_), data_(other.data_), size_(other.size_) {
    if (block_) block_->retain();
  }
  SharedBuffer(SharedBuffer&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  SharedBuffer& operator=(SharedBuffer other) noexcept {
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~SharedBuffer() {
    if (block_) block_->release();
  }

  static SharedBuffer copy_of(ByteView bytes);
  // Bytes with static storage duration: nothing is owned or counted.
  static SharedBuffer of_static(ByteView bytes) { return SharedBuffer(nullptr, bytes.data(), bytes.size()); }

  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  ByteView bytes() const { return {data_, size_}; }
  operator ByteView() const { return bytes(); }  // NOLINT(google-explicit-constructor)

  // A slice that keeps the whole block alive. offset + length must be within size().
  SharedBuffer slice(std::size_t offset, std::size_t length) const;
  // Bytes of memory that this slice keeps alive; caches charge this, not size().
  std::size_t pinned_bytes() const { return block_ ? block_->capacity : 0; }
  // Compares the bytes, wherever they lie.
  friend bool operator==(const SharedBuffer& a, const SharedBuffer& b) {
    return a.size_ == b.size_ && (a.size_ == 0 || std::memcmp(a.data_, b.data_, a.size_) == 0);
  }

 private:
  friend class MutableBuffer;
  SharedBuffer(detail::BufferBlock* block, const std::uint8_t* data, std::size_t size)
      : block_(block), data_(data), size_(size) {}

  detail::BufferBlock* block_ = nullptr;
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace tidegate
