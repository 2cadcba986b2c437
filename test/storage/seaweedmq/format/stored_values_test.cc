// Values that are stored in another form: what others find in their place, that they come back, and what
// happens when one does not.
#include <gmock/gmock.h>
#include <google/protobuf/unknown_field_set.h>

#include "format/record_messages.h"
#include "format/records.h"
#include "random_batches.h"
#include "seaweedfs/schema.pb.h"
#include "support/batches.h"

namespace tidegate::test {
namespace {

using namespace storage::seaweedmq;
using protocol::RecordBatch;
using protocol::StoredValues;

// Stands for `value`: a RecordValue that has it in its one column.
std::string stored_for(std::string_view value) {
  schema_pb::RecordValue record;
  (*record.mutable_fields())["v"].set_bytes_value(std::string(value));
  return record.SerializeAsString();
}
Result<std::string> value_of(ByteView stored) {
  schema_pb::RecordValue record;
  if (!record.ParseFromArray(stored.data(), static_cast<int>(stored.size())) ||
      !record.fields().contains("v"))
    return fail(ErrorCode::corrupt_message, "no such value");
  return record.fields().at("v").bytes_value();
}

// For every other record that has a value.
StoredValues some_of(const RecordBatch& batch, std::size_t first) {
  StoredValues made;
  const auto take = [&](const protocol::RecordView& record) {
    auto& one = made.values.emplace_back();
    if (record.value && made.values.size() % 2 == first) one = stored_for(as_text(*record.value));
    return true;
  };
  EXPECT_TRUE(protocol::for_each_record(batch, {}, take));
  return made;
}

TEST(StoredValues, InLayoutRecord_ComeBackAsTheValues) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    SeededRng rng(seed);
    const RecordBatch batch = random_batch(rng, 100);
    const StoredValues stored = some_of(batch, seed % 2);
    RecordChunkBuilder builder;
    builder.add(batch.header, batch.bytes, {}, 1000, &stored);
    ASSERT_EQ(builder.opaque(), 0U);
    const SharedBuffer chunk = builder.take().front();
    RecordChunkReader reader(chunk, {.value_of = value_of});
    auto back = reader.next();
    ASSERT_TRUE(back && *back) << back->error().message;
    EXPECT_EQ(seen(**back), seen(batch));
    FrameReader frames(chunk);
    for (const auto& one : stored.values) {
      const auto entry = frames.next();
      if (one) EXPECT_EQ(as_text((*entry)->data), *one);
    }
  }
}

TEST(StoredValues, InLayoutRecord_WhoCannotGiveThemBackFindsDamage) {
  SeededRng rng(1);
  RecordBatch batch = random_batch(rng, 100);
  StoredValues stored = some_of(batch, 1);
  while (std::ranges::none_of(stored.values, [](const auto& one) { return one.has_value(); })) {
    batch = random_batch(rng, 100);
    stored = some_of(batch, 1);
  }
  RecordChunkBuilder builder;
  builder.add(batch.header, batch.bytes, {}, 1000, &stored);
  const SharedBuffer chunk = builder.take().front();
  auto back = RecordChunkReader(chunk).next();
  ASSERT_TRUE(back && !*back);
  EXPECT_EQ(back->error().code, ErrorCode::corrupt_message);
  auto headers = RecordChunkReader(chunk, {.headers_only = true}).next();
  EXPECT_TRUE(headers && *headers) << "who only looks needs no values";
}

TEST(StoredValues, OfAnotherCountThanTheRecords_AreNotBelieved) {
  SeededRng rng(1);
  const RecordBatch batch = random_batch(rng, 100);
  StoredValues stored = some_of(batch, 1);
  stored.values.emplace_back();
  RecordChunkBuilder builder;
  builder.add(batch.header, batch.bytes, {}, 1000, &stored);
  EXPECT_EQ(builder.opaque(), 1U);
}

TEST(StoredValues, AsMessages_ComeBackAndAreRecordValues) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    SeededRng rng(seed);
    RecordBatch batch = random_batch(rng, 100);
    if (batch.header.last_offset_delta != batch.header.records_count - 1) continue;
    const StoredValues stored = some_of(batch, 1);
    const auto made = record_messages(batch.header, batch.bytes, {}, 7, {}, &stored);
    ASSERT_FALSE(made.opaque);
    std::string bytes;
    for (std::size_t i = 0; i < made.messages.size(); ++i) {
      const LogEntry entry{
          .ts_ns = 1000, .offset = static_cast<Offset>(i), .key = as_bytes(made.messages[i].key)};
      put_frame_head(bytes, entry, made.messages[i].value.size());
      bytes += made.messages[i].value;
      if (!stored.values[i]) continue;
      // The first one's envelope is a field that nobody else knows.
      schema_pb::RecordValue record;
      ASSERT_TRUE(record.ParseFromString(made.messages[i].value));
      EXPECT_EQ(record.fields().size(), 1U);
    }
    const SharedBuffer chunk = SharedBuffer::copy_of(as_bytes(bytes));
    for (const bool knows : {true, false}) {
      RecordMessageReader reader(knows ? ValueOfStored(value_of) : ValueOfStored());
      FrameReader frames(chunk);
      std::optional<BatchMessage> back;
      std::optional<Error> damage;
      while (const auto entry = frames.next()) {
        auto taken = reader.take(**entry, chunk);
        if (taken.batch) back = std::move(taken.batch);
        if (taken.damage) damage = std::move(taken.damage);
      }
      const bool any = std::ranges::any_of(stored.values, [](const auto& one) { return one.has_value(); });
      EXPECT_EQ(damage.has_value(), any && !knows);
      ASSERT_EQ(back.has_value(), !damage);
      if (back) EXPECT_EQ(seen(back->batch), seen(batch));
    }
  }
}

TEST(StoredValues, ValueThatBeginsAsAFieldWithAnEnvelope_IsEscaped) {
  const std::string magic("\xF5Tideg\xFA\0", 8);
  const std::string value = "\xA2\x06\x7f" + magic + "\1\1 and more";
  protocol::NewRecord record;
  record.value = value;
  const std::vector<protocol::NewRecord> records{record, record};
  const RecordBatch batch = *protocol::build_batch(records, {.base_offset = 9});
  const auto made = record_messages(batch.header, batch.bytes, {}, 7);
  std::string bytes;
  for (const auto& message : made.messages) {
    put_frame_head(bytes, {.ts_ns = 1, .offset = 1, .key = as_bytes(message.key)}, message.value.size());
    bytes += message.value;
  }
  const SharedBuffer chunk = SharedBuffer::copy_of(as_bytes(bytes));
  RecordMessageReader reader;
  FrameReader frames(chunk);
  std::optional<BatchMessage> back;
  while (const auto entry = frames.next()) {
    if (auto taken = reader.take(**entry, chunk); taken.batch) back = std::move(taken.batch);
  }
  ASSERT_TRUE(back);
  EXPECT_EQ(seen(back->batch), seen(batch));
}

TEST(TopicColumns, AreInTheRecordAndInTopicConf) {
  TopicRecord record;
  record.topic = {.name = "t", .id = TopicId{1, 2}, .partitions = 1, .configs = {}};
  record.slots = 1;
  record.layout = Layout::record;
  const ColumnType text{.kind = ColumnKind::string, .parts = {}};
  record.columns = {
      .record_name = "a.R",
      .columns = {{.name = "flag", .type = {.kind = ColumnKind::boolean, .parts = {}}},
                  {.name = "s", .type = text},
                  {.name = "l", .type = {.kind = ColumnKind::list, .parts = {{.name = {}, .type = text}}}},
                  {.name = "r",
                   .type = {.kind = ColumnKind::record,
                            .parts = {{.name = "d", .type = {.kind = ColumnKind::decimal, .parts = {}}}}}}}};
  const auto back = parse_topic_record(encode_topic_record(record));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->columns, record.columns);
  const std::string conf = encode_topic_conf({.slots = 1, .generation_ns = 5, .columns = record.columns});
  EXPECT_TRUE(parse_topic_conf(conf));
  EXPECT_THAT(conf, testing::HasSubstr("\"messageRecordType\""));
  EXPECT_THAT(conf, testing::HasSubstr("\"scalarType\": \"BOOL\""));
  EXPECT_THAT(conf, testing::HasSubstr("\"elementType\""));
}

}  // namespace
}  // namespace tidegate::test
