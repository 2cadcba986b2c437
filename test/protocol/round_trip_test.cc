// Random messages of every type and version survive encoding and decoding, and the sizes agree.
#include <gtest/gtest.h>

#include "protocol/message_types.h"

namespace tidegate::protocol {
namespace {

constexpr std::uint64_t kSeedsPerVersion = 20;

TEST(RoundTrip, RandomMessageOfEveryVersion_ComesBackEqual) {
  for (const testkit::MessageType& type : testkit::message_types()) {
    for (std::int16_t version = type.versions.min; version <= type.versions.max; ++version) {
      for (std::uint64_t seed = 0; seed < kSeedsPerVersion; ++seed) {
        SCOPED_TRACE(fmt::format("{} v{} seed {}", type.name, version, seed));
        SeededRng rng(seed * 1000 + static_cast<std::uint64_t>(version));
        const testkit::AnyMessagePtr message = type.random(rng, version);
        const Encoded encoded = message->encode(version);
        ASSERT_EQ(encoded.problem, "");
        const SharedBuffer bytes = testkit::join(encoded.chunks);
        ASSERT_EQ(message->size_bytes(version), bytes.size());
        const auto decoded = type.decode(bytes, version);
        ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
        ASSERT_TRUE((*decoded)->equals(*message));
      }
    }
  }
}

TEST(RoundTrip, DefaultMadeMessage_EncodesInEveryVersion) {
  for (const testkit::MessageType& type : testkit::message_types()) {
    for (std::int16_t version = type.versions.min; version <= type.versions.max; ++version) {
      SCOPED_TRACE(fmt::format("{} v{}", type.name, version));
      const testkit::AnyMessagePtr message = type.bloated(0, 0, version);
      if (message == nullptr) continue;  // no array in it: the random messages cover it
      EXPECT_EQ(message->encode(version).problem, "");
    }
  }
}

}  // namespace
}  // namespace tidegate::protocol
