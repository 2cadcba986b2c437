#include "tidegate/base/shared_buffer.h"

#include <cstring>
#include <new>

#include "tidegate/base/assert.h"

namespace tidegate {

namespace detail {

BufferBlock* BufferBlock::allocate(std::size_t capacity) {
  void* memory = ::operator new(sizeof(BufferBlock) + capacity);
  auto* block = new (memory) BufferBlock;
  block->capacity = capacity;
  return block;
}

void BufferBlock::release() noexcept {
  if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    this->~BufferBlock();
    ::operator delete(static_cast<void*>(this));
  }
}

}  // namespace detail

MutableBuffer::MutableBuffer(std::size_t size_bytes)
    : block_(detail::BufferBlock::allocate(size_bytes)), size_(size_bytes) {}

MutableBuffer& MutableBuffer::operator=(MutableBuffer&& other) noexcept {
  std::swap(block_, other.block_);
  std::swap(size_, other.size_);
  return *this;
}

MutableBuffer::~MutableBuffer() {
  if (block_) block_->release();
}

SharedBuffer MutableBuffer::freeze(std::size_t size_bytes) && {
  TIDEGATE_ASSERT(size_bytes <= size_);
  auto* block = std::exchange(block_, nullptr);
  size_ = 0;
  return SharedBuffer(block, block ? block->data() : nullptr, size_bytes);
}

SharedBuffer MutableBuffer::freeze() && {
  const std::size_t size = size_;
  return std::move(*this).freeze(size);
}

SharedBuffer SharedBuffer::copy_of(ByteView bytes) {
  MutableBuffer copy(bytes.size());
  if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
  return std::move(copy).freeze();
}

SharedBuffer SharedBuffer::slice(std::size_t offset, std::size_t length) const {
  TIDEGATE_ASSERT(offset <= size_ && length <= size_ - offset);
  if (block_) block_->retain();
  return SharedBuffer(block_, data_ + offset, length);
}

}  // namespace tidegate
