// Names: what SeaweedMQ calls things, and bytes as names.
#include "format/names.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tidegate/base/rng.h"

namespace tidegate::test {
namespace {

using namespace storage::seaweedmq;

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(SeaweedNames, Ranges_CoverTheRingAsSeaweedDividesIt) {
  EXPECT_EQ(slots_for(1), 64);
  EXPECT_EQ(slots_for(64), 64);
  EXPECT_EQ(slots_for(65), 65);
  for (const std::int32_t slots : {1, 3, 64, 65, 1000, 2520}) {
    std::int32_t next = 0;
    for (std::int32_t i = 0; i < slots; ++i) {
      const RingRange range = ring_range(i, slots);
      EXPECT_EQ(range.start, next);
      EXPECT_GT(range.stop, range.start);
      next = range.stop;
    }
    EXPECT_EQ(next, kRingSize);
  }
  EXPECT_EQ(ring_range(1, 64).start, 39) << "2520 / 64, rounded down";
}

TEST(SeaweedNames, Directories_AreInUtc) {
  const std::int64_t generation = 1'700'000'000 * kSecond + 123;
  EXPECT_EQ(paths::version_name(generation), "v2023-11-14-22-13-20");
  EXPECT_EQ(paths::parse_version("v2023-11-14-22-13-20"), 1'700'000'000 * kSecond);
  EXPECT_EQ(paths::partition_dir("orders", generation, ring_range(1, 64)),
            "/topics/kafka/orders/v2023-11-14-22-13-20/0039-0078");
  for (const char* bad :
       {"", "v", "2023-11-14-22-13-20", "v2023-13-14-22-13-20", "v2023-02-30-22-13-20",
        "v2023-11-14-24-13-20", "v2023-11-14-22-13-2x", "v2023-11-14-22-13-200", "v+023-11-14-22-13-20"}) {
    EXPECT_EQ(paths::parse_version(bad), std::nullopt) << bad;
  }
}

TEST(SeaweedNames, LogFiles_AreNamedBySecondAndSuffix) {
  const LogFileName plain{.second = 1'700'000'000};
  const LogFileName third{.second = 1'700'000'000, .suffix = 3};
  EXPECT_EQ(plain.to_string(), "2023-11-14-22-13-20");
  EXPECT_EQ(third.to_string(), "2023-11-14-22-13-20-003");
  EXPECT_EQ(LogFileName::parse(plain.to_string()), plain);
  EXPECT_EQ(LogFileName::parse(third.to_string()), third);
  EXPECT_LT(plain.to_string(), third.to_string()) << "names sort as the files do";
  EXPECT_LT(third.to_string(), LogFileName{.second = 1'700'000'001}.to_string());
  for (const char* bad : {"", "checkpoint.offset", "2023-11-14-22-13-20.parquet", "2023-11-14-22-13-20-000",
                          "2023-11-14-22-13-20-3", "2023-11-14-22-13-20-1000", "2023-11-14-22-13-20-+03"}) {
    EXPECT_EQ(LogFileName::parse(bad), std::nullopt) << bad;
  }
}

TEST(SeaweedNames, NextFileName_AlwaysSortsBehind) {
  const std::int64_t now = 1'700'000'000 * kSecond + 999'999'999;
  LogFileName last = next_file_name(now, std::nullopt);
  EXPECT_EQ(last.second, 1'700'000'000);
  for (int i = 0; i < 2100; ++i) {  // twice over the last suffix
    const LogFileName next = next_file_name(now, last);
    ASSERT_LT(last, next);
    ASSERT_LT(last.to_string(), next.to_string());
    last = next;
  }
  EXPECT_EQ(last.second, 1'700'000'002);
  EXPECT_EQ(next_file_name(now - 100 * kSecond, last).suffix, last.suffix + 1) << "the clock was set back";
  EXPECT_EQ(next_file_name(now + 100 * kSecond, last).suffix, 0);
}

TEST(SeaweedNames, EscapedNames_KeepOrderPrefixAndBytes) {
  EXPECT_EQ(escape_name("group/My-Group_1"), "group-2FMy-2DGroup_5F1");
  SeededRng rng(3);
  std::vector<std::string> all{
      "", "a", std::string(1, '\0'), "\xff", "/", ".", "..", "-", "@", "_", "~", "a/b", "a.b", "ab"};
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(rng.below(6), '\0');
    for (char& c : bytes)
      c = rng.below(2) == 0 ? static_cast<char>(rng.next()) : "az/.-_@~09AZ"[rng.below(12)];
    all.push_back(bytes);
  }
  for (const auto& bytes : all) {
    const std::string name = escape_name(bytes);
    EXPECT_EQ(unescape_name(name), bytes);
    EXPECT_EQ(name.find('/'), std::string::npos);
    const auto& other = all[rng.below(all.size())];
    EXPECT_EQ(bytes < other, name < escape_name(other)) << name << " and " << escape_name(other);
    EXPECT_EQ(other.starts_with(bytes), escape_name(other).starts_with(name));
  }
  for (const char* bad : {"-", "-2", "-2f", "-41", "~2F", "a b", "-+2", "-0x"})
    EXPECT_EQ(unescape_name(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace tidegate::test
