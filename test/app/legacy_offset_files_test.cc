#include "legacy_offset_files.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tidegate::app {
namespace {

namespace fs = std::filesystem;

class LegacyOffsetFiles : public testing::Test {
 protected:
  LegacyOffsetFiles() {
    auto name = (fs::temp_directory_path() / "tidegate-offsets-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~LegacyOffsetFiles() override { fs::remove_all(root_); }

  std::string write(const std::string& path, const std::string& content) {
    const auto full = root_ / path;
    fs::create_directories(full.parent_path());
    std::ofstream(full, std::ios::binary) << content;
    return full.string();
  }
  static std::vector<std::string> lines(const FoundOffsets& found) {
    std::vector<std::string> out;
    for (const auto& [key, offset] : found.offsets) {
      out.push_back(offset.group + " " + format_legacy_key(offset.at) + " " +
                    std::to_string(offset.value.offset));
    }
    return out;
  }

  fs::path root_;
};

using Lines = std::vector<std::string>;

TEST_F(LegacyOffsetFiles, ListOfKeys_InItsSpellings) {
  const auto path = write("list", "# of 2024\norders:0 12\r\na:b:1=7\norders:2,9\n\norders:3\t  10\n");
  const auto found = find_legacy_offsets({path}, "g");
  EXPECT_TRUE(found.problems.empty());
  EXPECT_EQ(lines(found), (Lines{"g a:b:1 7", "g orders:0 12", "g orders:2 9", "g orders:3 10"}));
  const auto json = write("list.json", R"({"orders:0": 12, "a:b:1": 7})");
  EXPECT_EQ(lines(find_legacy_offsets({json}, "g")), (Lines{"g a:b:1 7", "g orders:0 12"}));
}

TEST_F(LegacyOffsetFiles, ListOfKeys_ItsMistakesNameTheLine) {
  const auto path = write(
      "list", "orders:0 12\norders 5\n:1 5\norders:-1 5\norders:1 x\norders:2 -5\norders:0 13\nalone\n");
  const auto found = find_legacy_offsets({path}, "g");
  ASSERT_EQ(found.problems.size(), 7U);
  const char* expected[] = {":2: key 'orders' has no colon",
                            ":3: key ':1' has an empty topic",
                            ":4: key 'orders:-1'",
                            ":5: offset 'x'",
                            ":6: offset '-5'",
                            ":7: the same partition",
                            ":8: expected topic:partition"};
  for (std::size_t i = 0; i < 7; ++i) {
    EXPECT_NE(found.problems[i].find(expected[i]), std::string::npos) << found.problems[i];
  }
  const auto json = write("list.json", R"({"orders:0": "12", "orders:1": 1.5, "orders": 1})");
  EXPECT_EQ(find_legacy_offsets({json}, "g").problems.size(), 3U);
  EXPECT_EQ(find_legacy_offsets({write("broken.json", "{\"orders:0\": 12")}, "g").problems.size(), 1U);
  const auto without_group = find_legacy_offsets({path}, std::nullopt);
  ASSERT_EQ(without_group.problems.size(), 1U);
  EXPECT_NE(without_group.problems[0].find("--group"), std::string::npos);
}

TEST_F(LegacyOffsetFiles, ConsumerOffsetsTree) {
  write(".meta/consumer_offsets/g1/orders/0/offset", R"({"type":"offset","value":5,"metadata":"m"})");
  write(".meta/consumer_offsets/team/g2/a:b/12/offset", R"({"type":"offset","value":6})");
  write(".meta/other", "not looked at");
  const auto found = find_legacy_offsets({root_.string()}, std::nullopt);
  EXPECT_TRUE(found.problems.empty()) << found.problems[0];
  EXPECT_EQ(lines(found), (Lines{"g1 orders:0 5", "team/g2 a:b:12 6"}));
  EXPECT_EQ(found.offsets.begin()->second.value.metadata, "m");
  // The tree itself, or a part of it without the name that tells where groups begin.
  EXPECT_EQ(lines(find_legacy_offsets({(root_ / ".meta/consumer_offsets").string()}, std::nullopt)),
            lines(found));
  fs::rename(root_ / ".meta/consumer_offsets", root_ / "copy");
  EXPECT_EQ(lines(find_legacy_offsets({(root_ / "copy").string()}, std::nullopt)), lines(found));
}

TEST_F(LegacyOffsetFiles, OlderOffsetFiles) {
  write("kafka/orders/0003-0003/g1.offset", format_offset_file(77));
  write("kafka/orders/v2025-09-01-10-11-12/0004-0004/g.x.offset", format_offset_file(78));
  write("kafka/orders/v2025-09-01-10-11-12/0000-0315/consumers/g.offset", R"({"type":"offset","value":1})");
  write("kafka/orders/v2025-09-01-10-11-12/0000-0315/checkpoint.offset", format_offset_file(79));
  const auto found = find_legacy_offsets({root_.string()}, std::nullopt);
  EXPECT_TRUE(found.problems.empty()) << found.problems[0];
  EXPECT_EQ(lines(found), (Lines{"g.x orders:4 78", "g1 orders:3 77"}));
}

TEST_F(LegacyOffsetFiles, BadFilesInTrees_AreProblems) {
  write("consumer_offsets/g1/orders/0/offset", "17");
  write("consumer_offsets/g1/orders/minus/offset", R"({"type":"offset","value":5})");
  write("consumer_offsets/orders/0/offset", R"({"type":"offset","value":5})");
  write("kafka/orders/0003-0003/g1.offset", "123");
  write("kafka/orders/0000-0315/g1.offset", format_offset_file(1));
  const auto found = find_legacy_offsets({root_.string()}, std::nullopt);
  EXPECT_TRUE(found.offsets.empty());
  EXPECT_EQ(found.problems.size(), 5U);
  EXPECT_EQ(find_legacy_offsets({(root_ / "absent").string()}, "g").problems.size(), 1U);
}

}  // namespace
}  // namespace tidegate::app
