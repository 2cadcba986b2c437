#include "tidegate/base/uuid.h"

#include <gtest/gtest.h>

#include "tidegate/base/rng.h"

namespace tidegate {
namespace {

TEST(Uuid, TextForm_IsKafkas22Characters) {
  EXPECT_EQ(Uuid{}.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
  const auto id = Uuid::parse("x5TArqMtQ3KIWlnIIt5Vkg");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->to_string(), "x5TArqMtQ3KIWlnIIt5Vkg");
}

TEST(Uuid, Parse_RefusesWrongLengthAlphabetAndStrayBits) {
  EXPECT_FALSE(Uuid::parse(""));
  EXPECT_FALSE(Uuid::parse("x5TArqMtQ3KIWlnIIt5Vk"));
  EXPECT_FALSE(Uuid::parse("x5TArqMtQ3KIWlnIIt5Vk+"));
  EXPECT_FALSE(Uuid::parse("x5TArqMtQ3KIWlnIIt5Vkh"));  // 'h' has bits that no byte holds
}

TEST(Uuid, Random_RoundTripsAndNeverLooksLikeAnOption) {
  SeededRng rng(1);
  for (int i = 0; i < 1000; ++i) {
    const Uuid id = random_uuid(rng);
    EXPECT_NE(id.to_string()[0], '-');
    EXPECT_EQ(Uuid::parse(id.to_string()), id);
  }
}

}  // namespace
}  // namespace tidegate
