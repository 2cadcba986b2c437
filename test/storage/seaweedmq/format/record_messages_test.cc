// Records as messages of a broker: what goes in comes back, wherever chunks end; others see keys and values;
// and what is not whole is not there.
#include "format/record_messages.h"

#include <gmock/gmock.h>

#include "format/message_sieve.h"
#include "random_batches.h"
#include "support/batches.h"

namespace tidegate::test {
namespace {

using namespace storage::seaweedmq;
using testing::ElementsAre;
using testing::StartsWith;

const std::string kMagic("\xF5Tideg\xFA\x00", 8);

// As a broker keeps them, with numbers of its own.
class Files {
 public:
  void add(const RecordBatch& batch, std::uint32_t session = 7) {
    for (auto& message : record_messages(batch.header, batch.bytes, {}, session).messages) put(message);
  }
  void put(const RecordMessage& message) { messages.push_back(message); }
  // Chunks of `most` messages.
  std::vector<SharedBuffer> chunks(std::size_t most) const {
    std::vector<SharedBuffer> made;
    std::string bytes;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const LogEntry entry{.ts_ns = 1000 + static_cast<std::int64_t>(i),
                           .offset = 40 + static_cast<Offset>(i),
                           .key = as_bytes(messages[i].key)};
      put_frame_head(bytes, entry, messages[i].value.size());
      bytes += messages[i].value;
      if ((i + 1) % most == 0) made.push_back(SharedBuffer::copy_of(as_bytes(std::exchange(bytes, {}))));
    }
    if (!bytes.empty()) made.push_back(SharedBuffer::copy_of(as_bytes(bytes)));
    return made;
  }
  std::vector<BatchMessage> read(std::size_t most = 1000) const {
    const auto parts = chunks(most);
    RecordMessageReader reader;
    std::vector<BatchMessage> found;
    for (const SharedBuffer& part : parts) {
      FrameReader frames(part);
      while (const auto entry = frames.next()) {
        EXPECT_TRUE(*entry);
        if (auto taken = reader.take(**entry, part); taken.batch) found.push_back(std::move(*taken.batch));
      }
    }
    return found;
  }
  std::vector<RecordMessage> messages;
};

std::vector<std::string> seen_of(const std::vector<BatchMessage>& found) {
  std::vector<std::string> all;
  for (const auto& one : found) {
    EXPECT_TRUE(protocol::batch_crc_is_valid(one.batch.bytes, one.batch.header));
    all.push_back(seen(one.batch));
  }
  return all;
}

TEST(RecordMessages, RandomBatches_ComeBackWhereverChunksEnd) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    SeededRng rng(seed);
    Files files;
    std::vector<std::string> expected;
    Offset next = static_cast<Offset>(rng.below(3) * rng.below(1'000'000'000'000));
    for (std::size_t i = 1 + rng.below(8); i > 0; --i) {
      next += rng.below(3) == 0 ? static_cast<Offset>(rng.below(50)) : 0;
      const auto batch = random_batch(rng, next);
      next = batch.header.next_offset();
      files.add(batch);
      expected.push_back(seen(batch));
    }
    for (const std::size_t most : {1UL, 2UL, 7UL, 1000UL})
      EXPECT_EQ(seen_of(files.read(most)), expected) << most;
  }
}

TEST(RecordMessages, OthersSeeKeysAndValues_OneEnvelopeABatch) {
  Files files;
  files.add(build({{.timestamp = 1, .key = "k1", .value = "v1"},
                   {.timestamp = 9, .key = "k2", .value = "v2", .headers = {{"name", "x"}}},
                   {.timestamp = 3, .value = "v3"},
                   {.timestamp = 4, .key = "k4"},
                   {.timestamp = 5, .key = "", .value = ""}},
                  {.base_offset = 100}));
  ASSERT_EQ(files.messages.size(), 5U);
  EXPECT_EQ(files.messages[0].key, "k1");
  EXPECT_THAT(files.messages[0].value, StartsWith(kMagic + '\x01' + '\x01'));
  EXPECT_TRUE(files.messages[0].value.ends_with("v1"));
  const auto plain = [&](std::size_t i) { return files.messages[i].key + "=" + files.messages[i].value; };
  EXPECT_EQ(plain(1), "k2=v2");
  EXPECT_EQ(plain(2), "102=v3") << "the offset, where there is no key";
  EXPECT_EQ(plain(3), "k4=");
  EXPECT_EQ(plain(4), "104=");
}

TEST(RecordMessages, ValueThatLooksLikeAnEnvelope_ComesBack) {
  Files files;
  const std::string looks = kMagic + std::string("\x01\x01 and so on", 12);
  const auto batch = build({{.timestamp = 1, .key = "a", .value = looks},
                            {.timestamp = 1, .key = "b", .value = looks},
                            {.timestamp = 1, .key = "c", .value = kMagic},
                            {.timestamp = 1, .key = "d", .value = kMagic.substr(0, 7)}});
  files.add(batch);
  EXPECT_EQ(files.messages[1].value, kMagic + std::string("\x01\x00", 2) + looks);
  EXPECT_EQ(files.messages[3].value, kMagic.substr(0, 7));
  EXPECT_THAT(seen_of(files.read()), ElementsAre(seen(batch)));
}

TEST(RecordMessages, WhatCannotBeTakenApart_IsOneMessageWithoutAKey) {
  Files files;
  const auto marker = protocol::build_control_batch(protocol::ControlType::commit, 5, 1, 0, kFirstTimestamp);
  files.add(marker);
  const auto large =
      batch_of({std::string(5000, 'x')}, {.compression = Compression::gzip, .base_offset = 10});
  const auto kept = record_messages(large.header, large.bytes, {}, 7, {.max_bytes = 4000});
  EXPECT_TRUE(kept.opaque);
  ASSERT_EQ(kept.messages.size(), 1U);
  files.put(kept.messages[0]);
  ASSERT_EQ(files.messages.size(), 2U);
  for (const auto& message : files.messages) EXPECT_EQ(message.key, "");
  const auto found = files.read();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(as_text(found[0].batch.bytes.bytes()), as_text(marker.bytes.bytes()));
  EXPECT_EQ(as_text(found[1].batch.bytes.bytes()), as_text(large.bytes.bytes()));
  EXPECT_EQ(found[1].mark.rank.session, 7U);
}

TEST(RecordMessages, MarkNamesTheProducersBatchAndTheLastMessage) {
  Files files;
  const auto batch = batch_of({"a", "b", "c"}, {.compression = Compression::zstd, .leader_epoch = 5});
  files.add(batch, 9);
  const auto found = files.read(2);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].mark.rank, (MessageRank{.epoch = 5, .session = 9}));
  EXPECT_EQ(found[0].mark.crc, batch.header.crc);
  EXPECT_EQ(found[0].mark.message, 42);
  EXPECT_EQ(found[0].mark.ts_ns, 1000);
}

TEST(RecordMessages, BatchThatIsNotWhole_IsNotThere) {
  const auto first = batch_of({"a", "b", "c"});
  const auto second = batch_of({"d", "e"}, {.base_offset = 3});
  Files whole;
  whole.add(first);
  whole.add(second);
  for (std::size_t missing = 0; missing < 5; ++missing) {
    Files files = whole;
    files.messages.erase(files.messages.begin() + static_cast<std::ptrdiff_t>(missing));
    const auto found = seen_of(files.read());
    if (missing < 3) {
      EXPECT_THAT(found, ElementsAre(seen(second))) << missing;
    } else {
      EXPECT_THAT(found, ElementsAre(seen(first))) << missing;
    }
  }
}

TEST(RecordMessages, BatchOfMoreMessagesThanMayBe_IsKeptWhole) {
  const auto batch = numbered_batch("v", 0, 11, {.compression = Compression::zstd});
  EXPECT_FALSE(record_messages(batch.header, batch.bytes, {}, 7, {.max_messages = 11}).opaque);
  const auto kept = record_messages(batch.header, batch.bytes, {}, 7, {.max_messages = 10});
  EXPECT_TRUE(kept.opaque);
  EXPECT_EQ(kept.messages.size(), 1U);
}

TEST(RecordMessages, OthersMessagesInTheMiddle_ArePassedOver) {
  const auto first = batch_of({"a", "b", "c"});
  const auto second = batch_of({"d", "e"}, {.base_offset = 3});
  Files files;
  files.put({.key = "others", .value = "in front"});
  files.add(first);
  files.messages.insert(files.messages.begin() + 2, {.key = "others", .value = "in between"});
  files.messages.insert(files.messages.begin() + 2, {.key = "1", .value = "c"});
  files.messages.insert(files.messages.begin() + 4, {.key = "", .value = kMagic + "no envelope"});
  files.add(second);
  files.put({.key = "others", .value = "behind"});
  for (const std::size_t most : {1UL, 2UL, 1000UL})
    EXPECT_THAT(seen_of(files.read(most)), ElementsAre(seen(first), seen(second))) << most;
}

TEST(RecordMessages, OwnerOfBeforeWhoStillSends_SpoilsNothing) {
  const auto mine = batch_of({"a", "b", "c"}, {.base_offset = 5, .leader_epoch = 4});
  Files stale;
  stale.add(batch_of({"x", "b"}, {.base_offset = 5, .leader_epoch = 3}), 9);
  stale.add(protocol::build_control_batch(protocol::ControlType::commit, 5, 1, 0, kFirstTimestamp), 9);
  Files files;
  files.add(mine, 1);
  for (std::size_t i = stale.messages.size(); i-- > 0;)
    files.messages.insert(files.messages.begin() + 1, stale.messages[i]);
  EXPECT_THAT(seen_of(files.read()), ElementsAre(seen(mine)));
}

TEST(RecordMessages, BatchThatIsSentAgain_TakesThePlaceOfOneThatBrokeOff) {
  const auto batch = batch_of({"a", "b", "c"}, {.leader_epoch = 4});
  Files files;
  files.add(batch, 1);
  files.messages.pop_back();
  files.add(batch, 2);
  const auto found = files.read();
  EXPECT_THAT(seen_of(found), ElementsAre(seen(batch)));
  EXPECT_EQ(found[0].mark.rank.session, 2U);
}

TEST(RecordMessages, ChangedBytes_AreSeen) {
  const auto batch = build({{.timestamp = 1, .key = "key", .value = "value", .headers = {{"h", "x"}}},
                            {.timestamp = 2, .key = "other", .value = "another"}});
  Files files;
  files.add(batch);
  for (std::size_t m = 0; m < files.messages.size(); ++m) {
    for (std::string RecordMessage::* part : {&RecordMessage::key, &RecordMessage::value}) {
      for (std::size_t at = 0; at < (files.messages[m].*part).size(); ++at) {
        Files changed = files;
        char& byte = (changed.messages[m].*part)[at];
        byte = static_cast<char>(byte ^ 1);
        EXPECT_TRUE(changed.read().empty()) << m << " " << at;
      }
    }
  }
}

TEST(RecordMessages, EnvelopeOfALaterVersion_IsPassedOver) {
  Files files;
  files.add(batch_of({"a", "b"}));
  files.messages[0].value[8] = 2;
  files.add(batch_of({"c"}, {.base_offset = 2}));
  EXPECT_EQ(files.read().size(), 1U);
}

TEST(RecordMessages, PlaceWhereTheLogGoesOn_ComesBack_AndDamageIsNothing) {
  const RecordMessage message = goes_on_message({.epoch = 4, .session = 9}, {.own_end = 70, .base = 75});
  Files files;
  files.put(message);
  const auto found = files.read();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].mark.rank, (MessageRank{.epoch = 4, .session = 9}));
  EXPECT_EQ(found[0].mark.own_end, 70);
  EXPECT_EQ(found[0].batch.header.base_offset, 75);
  EXPECT_EQ(found[0].batch.header.next_offset(), 75);
  for (std::size_t at = kMagic.size(); at < message.value.size(); ++at) {
    Files damaged;
    damaged.put(message);
    damaged.messages[0].value[at] = static_cast<char>(damaged.messages[0].value[at] ^ 1);
    EXPECT_TRUE(damaged.read().empty()) << at;
  }
}

// What is others', by their values; ours are x0, x1 and so on.
std::string others_in(const Files& files, std::size_t most) {
  MessageSieve sieve;
  std::string found;
  for (const SharedBuffer& chunk : files.chunks(most)) {
    const SiftedChunk sifted = sieve.sift(chunk);
    FrameReader frames(chunk);
    std::size_t count = 0;
    for (std::size_t place = 0; const auto entry = frames.next(); ++place) {
      if (!sifted.has(place)) continue;
      found += std::string(as_text((**entry).data)) + " ";
      ++count;
    }
    EXPECT_EQ(sifted.count, count);
  }
  return found;
}

TEST(MessageSieve, TellsOthersMessages_WhereverChunksEnd) {
  for (const std::size_t most : {1U, 2U, 3U, 1000U}) {
    Files files;
    files.put({"k", "before"});
    auto first =
        record_messages(batch_of({"x0", "x1", "x2"}).header, batch_of({"x0", "x1", "x2"}).bytes, {}, 7);
    files.put(first.messages[0]);
    files.put({"k", "between"});
    files.put(first.messages[1]);
    files.put(first.messages[2]);
    files.put(goes_on_message({.epoch = 0, .session = 7}, {.own_end = 3, .base = 5}));
    files.put({"k", std::string(kMagic) + "no envelope"});
    files.put({"", ""});
    EXPECT_EQ(others_in(files, most), "before between " + std::string(kMagic) + "no envelope  ") << most;
  }
}

TEST(MessageSieve, RestOfABatchThatBrokeOff_IsNobodyElses) {
  for (const std::size_t most : {1U, 3U, 1000U}) {
    const auto batch = batch_of({"x0", "x1", "x2", "x3"});
    const auto before = record_messages(batch.header, batch.bytes, {}, 1).messages;
    const auto after = record_messages(batch.header, batch.bytes, {}, 2).messages;
    Files files;
    files.put(before[0]);
    files.put(before[1]);
    files.put(after[0]);
    // The stream of before is still being read.
    files.put(before[2]);
    files.put({"k", "others'"});
    for (std::size_t i = 1; i < 4; ++i) files.put(after[i]);
    files.put(before[3]);
    EXPECT_EQ(others_in(files, most), "others' ") << most;
  }
}

}  // namespace
}  // namespace tidegate::test
