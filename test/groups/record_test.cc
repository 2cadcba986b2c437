#include <gtest/gtest.h>

#include "groups/group_lab.h"

namespace tidegate::groups {
namespace {

using namespace test;

TopicId id_of(std::uint8_t last) {
  TopicId id;
  id.bytes[15] = last;
  return id;
}

std::vector<Record> one_of_each() {
  return {
      PutClassicHead{{.phase = ClassicPhase::completing,
                      .generation = 300,
                      .protocol_type = "consumer",
                      .protocol = std::nullopt,
                      .leader = "",
                      .phase_since_ms = 1'700'000'000'000}},
      PutConsumerHead{{.group_epoch = 1,
                       .target_epoch = 2,
                       .topics_hash = 0xffff'ffff'ffff'fff0,
                       .assignor = "uniform",
                       .empty_since_ms = 5}},
      PutClassicMember{{.member_id = "m-1",
                        .instance_id = "i",
                        .client_id = "c",
                        .client_host = "/::1",
                        .session_timeout_ms = 1,
                        .rebalance_timeout_ms = 2,
                        .protocols = {{"range", bytes("a")}, {"sticky", {}}}}},
      PutClassicAssignment{"m-1", Bytes(300, 9)},
      PutConsumerMember{{.member_id = "m",
                         .instance_id = std::nullopt,
                         .rack_id = "r",
                         .client_id = "c",
                         .client_host = "h",
                         .rebalance_timeout_ms = 7,
                         .subscribed_topics = {"a", "b"},
                         .subscribed_regex = "x.*",
                         .assignor = "range",
                         .classic = ClassicSideOfMember{3, {{"p", bytes("q")}}}}},
      PutConsumerMember{{.member_id = "n"}},
      PutTargetAssignment{"m", {{id_of(1), {0, 1, 2}}, {id_of(2), {}}}},
      PutCurrentAssignment{"m",
                           {.member_epoch = -2,
                            .previous_epoch = 4,
                            .state = ReconcileState::unreleased_partitions,
                            .assigned = {{id_of(1), {5}}},
                            .revoking = {{id_of(3), {6, 7}}}}},
      PutRegex{"a|b", {.topics = {"a"}, .resolved_at_ms = 9}},
      PutOffset{"topic", 258, {7, 3, "note", 11, 12, id_of(4)}},
  };
}

StoredOp stored(const Record& record) {
  std::vector<StoredOp> ops;
  encode(record, ops);
  EXPECT_EQ(ops.size(), 1U);
  return ops.at(0);
}

TEST(GroupRecords, ComeBackAsTheyWere) {
  for (const auto& record : one_of_each()) {
    const auto op = stored(record);
    const auto read = decode(op.key, op.value.value());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->index(), record.index());
    const auto again = stored(*read);
    EXPECT_EQ(again.key, op.key);
    EXPECT_EQ(again.value, op.value);
  }
  const auto member = one_of_each()[2];
  const auto op = stored(member);
  EXPECT_EQ(std::get<PutClassicMember>(*decode(op.key, *op.value)).member,
            std::get<PutClassicMember>(member).member);
  const auto offset = stored(one_of_each().back());
  const auto read = std::get<PutOffset>(*decode(offset.key, *offset.value));
  EXPECT_EQ(read.topic, "topic");
  EXPECT_EQ(read.partition, 258);
  EXPECT_EQ(read.value, (CommittedOffset{7, 3, "note", 11, 12, id_of(4)}));
}

TEST(GroupRecords, Bytes_AreThoseOfTheirPage) {  // docs/group-records.md
  const auto op = stored(PutOffset{"t", 1, {2, 3, "m", 4, -1, id_of(5)}});
  EXPECT_EQ(op.key, std::string("7t\0\0\0\0\1", 7));
  EXPECT_EQ(op.value, std::string("\1"
                                  "\0\0\0\0\0\0\0\2"
                                  "\0\0\0\3"
                                  "\2m"
                                  "\0\0\0\0\0\0\0\4"
                                  "\377\377\377\377\377\377\377\377"
                                  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5",
                                  47));
  const auto head = stored(PutClassicHead{{.phase = ClassicPhase::stable, .generation = 2, .protocol = "r"}});
  EXPECT_EQ(head.key, "0");
  EXPECT_EQ(head.value, std::string("\1\1\3\0\0\0\2\0\2r\0\377\377\377\377\377\377\377\377", 19));
}

TEST(GroupRecords, LaterFieldsBehindTheKnownOnes_AreIgnored) {
  for (const auto& record : one_of_each()) {
    const auto op = stored(record);
    const auto read = decode(op.key, *op.value + "more");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(stored(*read).value, op.value);
  }
}

TEST(GroupRecords, EveryTruncation_FailsCleanly) {
  for (const auto& record : one_of_each()) {
    const auto op = stored(record);
    for (std::size_t length = 0; length < op.value->size(); ++length) {
      const auto read = decode(op.key, op.value->substr(0, length));
      ASSERT_FALSE(read) << "record " << record.index() << " cut to " << length;
      EXPECT_EQ(read.error().code, ErrorCode::corrupt_message);
    }
  }
}

TEST(GroupRecords, WhatALaterReleaseWrote_IsToldApartFromDamage) {
  const auto op = stored(one_of_each()[0]);
  auto value = *op.value;
  value[0] = 2;
  EXPECT_EQ(decode(op.key, value).error().code, ErrorCode::unsupported_version);
  value = *op.value;
  value[1] = 9;  // a third kind of group
  EXPECT_EQ(decode(op.key, value).error().code, ErrorCode::unsupported_version);
  EXPECT_EQ(decode("9", *op.value).error().code, ErrorCode::unsupported_version);
}

TEST(GroupRecords, Nonsense_IsCorrupt) {
  const auto head = stored(one_of_each()[0]);
  auto value = *head.value;
  value[2] = 4;  // no such phase
  EXPECT_EQ(decode(head.key, value).error().code, ErrorCode::corrupt_message);
  const auto offset = stored(one_of_each().back());
  EXPECT_EQ(decode("0m", *head.value).error().code, ErrorCode::corrupt_message);
  EXPECT_EQ(decode("", *offset.value).error().code, ErrorCode::corrupt_message);
  EXPECT_EQ(decode("7abc", *offset.value).error().code, ErrorCode::corrupt_message);
  EXPECT_EQ(decode("7abcdefgh", *offset.value).error().code, ErrorCode::corrupt_message);
  auto target = *stored(one_of_each()[6]).value;
  target[1] = '\x7f';  // more elements than bytes
  EXPECT_EQ(decode("4m", target).error().code, ErrorCode::corrupt_message);
}

TEST(GroupRecords, Scopes_NameTheirGroup) {
  EXPECT_EQ(scope_of_group("a/b"), "group/a/b");
  EXPECT_EQ(group_of_scope("group/a/b"), "a/b");
  EXPECT_EQ(group_of_scope("group/"), "");
  EXPECT_EQ(group_of_scope("topic/a"), std::nullopt);
}

TEST(GroupRecords, Erasures_TakeWhatBelongsTogether) {
  std::vector<StoredOp> ops;
  encode(EraseClassicMember{"m"}, ops);
  ASSERT_EQ(ops.size(), 2U);
  EXPECT_EQ(ops[0].key, "1m");
  EXPECT_EQ(ops[1].key, "2m");
  EXPECT_FALSE(ops[0].value || ops[1].value);
}

}  // namespace
}  // namespace tidegate::groups
