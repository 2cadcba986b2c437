// Decoding a request allocates at most kMemoryFactor times its bytes plus 64 KiB, whatever the bytes
// are: that is what the server admits before it reads the body. operator new of this program counts.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "golden/vectors.h"
#include "protocol/message_types.h"
#include "tidegate/protocol/headers.h"

namespace {
thread_local bool counting = false;
thread_local std::size_t allocated_bytes = 0;

void* counted_allocation(std::size_t size) {
  if (counting) allocated_bytes += size;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t size) { return counted_allocation(size); }
void* operator new[](std::size_t size) { return counted_allocation(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace tidegate::protocol {
namespace {

struct Measured {
  std::size_t allocated = 0;
  bool decoded = false;
};
// Everything that is ever allocated, freed or not: stricter than the peak.
Measured measure(const testkit::MessageType& type, const SharedBuffer& body, std::int16_t version) {
  allocated_bytes = 0;
  counting = true;
  const bool decoded = type.try_decode(body, version);
  counting = false;
  return {allocated_bytes, decoded};
}

std::size_t limit_of(const testkit::MessageType& type, const SharedBuffer& body) {
  return static_cast<std::size_t>(type.memory_factor * static_cast<double>(body.size())) +
         kDecodeAllowanceBytes;
}

template <class Each>
void for_each_request_version(Each each) {
  for (const testkit::MessageType& type : testkit::message_types()) {
    for (std::int16_t version = type.versions.min; type.is_request && version <= type.versions.max;
         ++version) {
      SCOPED_TRACE(fmt::format("{} v{}", type.name, version));
      each(type, version);
    }
  }
}

TEST(DecodeMemory, TheCounterCounts) {
  counting = true;
  allocated_bytes = 0;
  ::operator delete(::operator new(1000));  // a plain new and delete may be left out by the compiler
  counting = false;
  EXPECT_EQ(allocated_bytes, 1000U);
}

// Long arrays of the least elements: well formed, and as big in memory as a message of its bytes gets.
TEST(DecodeMemory, LongArraysOfEmptyElements_StayBelowTheFactor) {
  constexpr std::size_t kElements = 8'000;
  std::size_t arrays = 0;
  for_each_request_version([&](const testkit::MessageType& type, std::int16_t version) {
    for (std::size_t which = 0;; ++which) {
      const testkit::AnyMessagePtr message = type.bloated(which, kElements, version);
      if (message == nullptr) break;
      ++arrays;
      const SharedBuffer body = testkit::encode_body(*message, version);
      const Measured measured = measure(type, body, version);
      EXPECT_LE(measured.allocated, limit_of(type, body)) << "array " << which;
      // Produce alone refuses what a real request never looks like; see its factor.
      if (type.name != "ProduceRequest") EXPECT_TRUE(measured.decoded) << "array " << which;
    }
  });
  EXPECT_GT(arrays, 100U);
}

// The same, cut off: every count is claimed, no element is there any more.
TEST(DecodeMemory, CountsWithoutElements_StayBelowTheFactor) {
  for_each_request_version([&](const testkit::MessageType& type, std::int16_t version) {
    for (std::size_t which = 0;; ++which) {
      const testkit::AnyMessagePtr message = type.bloated(which, 8'000, version);
      if (message == nullptr) break;
      const SharedBuffer body = testkit::encode_body(*message, version);
      for (const std::size_t part : {2U, 3U, 10U}) {
        const SharedBuffer cut = body.slice(0, body.size() / part);
        const Measured measured = measure(type, cut, version);
        EXPECT_FALSE(measured.decoded);
        EXPECT_LE(measured.allocated, limit_of(type, cut)) << "array " << which;
      }
    }
  });
}

// Random messages with each byte in turn made large, in front of padding that greedy counts can claim.
TEST(DecodeMemory, HostileBytes_StayBelowTheFactor) {
  constexpr std::size_t kPadding = 8U << 10;
  for_each_request_version([&](const testkit::MessageType& type, std::int16_t version) {
    SeededRng rng(static_cast<std::uint64_t>(type.api_key) * 100 + static_cast<std::uint64_t>(version));
    const SharedBuffer good = testkit::encode_body(*type.random(rng, version), version);
    std::vector<std::uint8_t> bytes(good.data(), good.data() + good.size());
    bytes.resize(bytes.size() + kPadding, 1);
    const std::size_t positions = std::min<std::size_t>(good.size(), 32);
    for (std::size_t position = 0; position < positions; ++position) {
      for (const std::uint8_t hostile : {0x7f, 0x80, 0xff, 0x01}) {
        const std::uint8_t before = std::exchange(bytes[position], hostile);
        const SharedBuffer body = SharedBuffer::copy_of(bytes);
        EXPECT_LE(measure(type, body, version).allocated, limit_of(type, body)) << "position " << position;
        bytes[position] = before;
      }
    }
  });
}

// What Kafka's own client wrote, and every shorter beginning of it.
TEST(DecodeMemory, GoldenRequestsAndTheirTruncations_StayBelowTheFactor) {
  std::size_t whole = 0;
  for (const test::GoldenVector& vector : test::golden_vectors()) {
    ASSERT_NE(vector.type, nullptr) << vector.message;
    if (!vector.type->is_request) continue;
    SCOPED_TRACE(fmt::format("{} v{}", vector.message, vector.version));
    const auto parsed = parse_request(vector.frame, vector.type->header_version(vector.version));
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    const Measured measured = measure(*vector.type, parsed->body, vector.version);
    EXPECT_TRUE(measured.decoded);
    EXPECT_LE(measured.allocated, limit_of(*vector.type, parsed->body));
    for (std::size_t length = 0; length < parsed->body.size(); ++length) {
      const SharedBuffer cut = parsed->body.slice(0, length);
      ASSERT_LE(measure(*vector.type, cut, vector.version).allocated, limit_of(*vector.type, cut))
          << "cut to " << length;
    }
    ++whole;
  }
  EXPECT_GT(whole, 1'000U);
}

}  // namespace
}  // namespace tidegate::protocol
