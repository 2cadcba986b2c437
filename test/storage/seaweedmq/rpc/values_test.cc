// The pure parts of the client: file ids, tokens, entries, and where pools begin.
#include <gtest/gtest.h>

#include "rpc/entry_convert.h"
#include "rpc/file_id.h"
#include "rpc/id_pool.h"
#include "rpc/jwt.h"

namespace tidegate::storage::seaweedmq {
namespace {

TEST(SeaweedFileId, LeadingZeroBytesOfTheKey_AreLeftOut) {
  EXPECT_EQ((FileId{3, 0x1, 0x637037d6}).text(), "3,01637037d6");
  EXPECT_EQ((FileId{3, 0x1234, 0x00000001}).text(), "3,123400000001");
  EXPECT_EQ((FileId{3, 0xffffffffffffffff, 0xffffffff}).text(), "3,ffffffffffffffffffffffff");
  EXPECT_EQ((FileId{3, 0, 1}).text(), "3,00000001");
}

TEST(SeaweedFileId, WhatIsWritten_IsRead) {
  for (const FileId& id :
       {FileId{1, 0, 0}, FileId{7, 255, 9}, FileId{7, 256, 9}, FileId{4294967295, ~0ULL, ~0U}}) {
    const auto read = FileId::parse(id.text());
    ASSERT_TRUE(read) << id.text();
    EXPECT_EQ(*read, id);
  }
}

TEST(SeaweedFileId, SuffixCountsOn) {
  const auto id = FileId::parse("3,01637037d6_4");
  ASSERT_TRUE(id);
  EXPECT_EQ(*id, (FileId{3, 5, 0x637037d6}));
}

TEST(SeaweedFileId, WhatIsNone_IsRefused) {
  for (const char* text :
       {"", "3", "3,", "3,1234567", ",01637037d6", "x,01637037d6", "3,01637037d6_", "3,01637037d6_x",
        "3,016370g7d6", "3,0123456789abcdef0123456789", "4294967296,01637037d6", "-1,01637037d6"}) {
    EXPECT_FALSE(FileId::parse(text)) << text;
  }
}

// Made with another implementation (Python's hmac and json).
TEST(SeaweedJwt, IsTheTokenThatOthersMake) {
  EXPECT_EQ(sign_file_token("secret", "3,01637037d6", 1700000000),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJmaWQiOiIzLDAxNjM3MDM3ZDYiLCJleHAiOjE3MDAwMDAwMDB9."
            "VpFEI0QqGPAcM2loza-4CnGi25Nlao13_SjxG01oI5I");
}

TEST(SeaweedEntry, WhatIsSent_ComesBack) {
  Entry entry;
  entry.name = "2026-11-22-10-00-00";
  entry.chunks = {{"3,01637037d6", 0, 100, 5, false, false}, {"3,02637037d6", 100, 50, 6, true, false}};
  entry.extended = {{"offset_min", std::string("\0\0\1", 3)}};
  entry.size_bytes = 150;
  entry.created_s = 10;
  entry.modified_s = 11;
  entry.ttl_s = 12;
  const Entry back = from_message(to_message(entry, 99));
  EXPECT_EQ(back.name, entry.name);
  ASSERT_EQ(back.chunks.size(), 2U);
  EXPECT_EQ(back.chunks[1].file_id, "3,02637037d6");
  EXPECT_EQ(back.chunks[1].offset, 100);
  EXPECT_EQ(back.chunks[1].size_bytes, 50U);
  EXPECT_EQ(back.chunks[1].modified_ns, 6);
  EXPECT_TRUE(back.chunks[1].gzipped);
  EXPECT_EQ(back.extended, entry.extended);
  EXPECT_EQ(back.size_bytes, 150U);
  EXPECT_EQ(back.created_s, 10);
  EXPECT_EQ(back.modified_s, 11);
  EXPECT_EQ(back.ttl_s, 12);
}

TEST(SeaweedEntry, TimesThatAreNotGiven_AreNow) {
  const auto message = to_message(Entry{}, 99);
  EXPECT_EQ(message.attributes().crtime(), 99);
  EXPECT_EQ(message.attributes().mtime(), 99);
}

TEST(SeaweedEntry, InlineContent_CountsAsSize) {
  Entry entry;
  entry.content = "12345";
  EXPECT_EQ(to_message(entry, 0).attributes().file_size(), 5U);
}

TEST(SeaweedEntry, ChunkWithOnlyItsParts_GetsItsText) {
  filer_pb::Entry message;
  auto& fid = *message.add_chunks()->mutable_fid();
  fid.set_volume_id(3);
  fid.set_file_key(1);
  fid.set_cookie(0x637037d6);
  EXPECT_EQ(from_message(message).chunks.at(0).file_id, "3,01637037d6");
}

TEST(SeaweedIdPool, TopicHasOnePool) {
  EXPECT_EQ(pool_directory("/topics/kafka/orders/v1/0000-2520/f"), "/topics/kafka/orders");
  EXPECT_EQ(pool_directory("/topics/kafka/orders/topic.conf"), "/topics/kafka/orders");
  EXPECT_EQ(pool_directory("/topics/kafka/x"), "/topics/kafka");
  EXPECT_EQ(pool_directory("/other/dir/f"), "/other/dir");
  EXPECT_EQ(pool_directory("/f"), "/");
  EXPECT_EQ(pool_directory("f"), "/");
}

}  // namespace
}  // namespace tidegate::storage::seaweedmq
