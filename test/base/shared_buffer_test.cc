#include "tidegate/base/shared_buffer.h"

#include <gtest/gtest.h>

#include <optional>

namespace tidegate {
namespace {

TEST(SharedBuffer, Slice_KeepsTheBlockAlive) {
  std::optional<SharedBuffer> whole = SharedBuffer::copy_of(as_bytes("hello world"));
  const SharedBuffer part = whole->slice(6, 5);
  whole.reset();
  EXPECT_EQ(as_text(part), "world");
  EXPECT_EQ(part.pinned_bytes(), 11U);
}

TEST(SharedBuffer, Freeze_CanShorten) {
  MutableBuffer buffer(100);
  std::copy_n("abc", 3, buffer.data());
  const SharedBuffer frozen = std::move(buffer).freeze(3);
  EXPECT_EQ(as_text(frozen), "abc");
  EXPECT_EQ(buffer.size(), 0U);
}

TEST(SharedBuffer, StaticBytes_ArePinnedByNobody) {
  const SharedBuffer text = SharedBuffer::of_static(as_bytes("static"));
  EXPECT_EQ(text.pinned_bytes(), 0U);
  EXPECT_EQ(as_text(text.slice(1, 3)), "tat");
}

}  // namespace
}  // namespace tidegate
