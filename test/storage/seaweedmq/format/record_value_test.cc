// SeaweedMQ's RecordValue: every kind there and back, and golden bytes.
#include <algorithm>

#include <gtest/gtest.h>

#include "format/record_value.h"
#include "tidegate/base/rng.h"

namespace tidegate::storage::seaweedmq {
namespace {

ColumnValue random_value(Rng& rng, int depth) {
  const auto kinds = static_cast<std::uint64_t>(ColumnKind::record) + (depth > 0 ? 1 : 0);
  ColumnValue made{.kind = static_cast<ColumnKind>(rng.below(depth > 0 ? kinds : kinds - 1))};
  const auto number = static_cast<std::int64_t>(rng.next());
  switch (*made.kind) {
    case ColumnKind::boolean:
      made.number = number & 1;
      break;
    case ColumnKind::int32:
    case ColumnKind::date:
      made.number = static_cast<std::int32_t>(number);
      break;
    case ColumnKind::float32:
      made.number = static_cast<std::uint32_t>(number);
      break;
    case ColumnKind::bytes:
    case ColumnKind::decimal:
      made.bytes = std::string(rng.below(20), static_cast<char>(number));
      if (*made.kind == ColumnKind::decimal) made.precision = 9, made.scale = 2;
      break;
    case ColumnKind::string:
      made.bytes = std::string(rng.below(20), 'x');
      break;
    case ColumnKind::timestamp:
      made.number = number;
      made.is_utc = (number & 1) != 0;
      break;
    case ColumnKind::list:
      for (auto i = rng.below(4); i-- > 0;)
        made.parts.push_back({.name = {}, .value = random_value(rng, depth - 1)});
      break;
    case ColumnKind::record:
      for (auto i = rng.below(4); i-- > 0;)
        made.parts.push_back({.name = "f" + std::to_string(i), .value = random_value(rng, depth - 1)});
      break;
    default:
      made.number = number;
  }
  return made;
}

void sort_fields(ColumnRecord& record) {
  for (auto& one : record) {
    if (one.value.kind == ColumnKind::record) sort_fields(one.value.parts);
    if (one.value.kind != ColumnKind::list) continue;
    for (auto& item : one.value.parts) sort_fields(item.value.parts);
  }
  std::ranges::sort(record, {}, &NamedColumnValue::name);
}

TEST(RecordValue, EveryKindComesBack) {
  SeededRng rng(20261123);
  const RecordValueFormat format;
  for (int i = 0; i < 2000; ++i) {
    ColumnRecord record;
    for (int field = 0; field < 4; ++field)
      record.push_back({.name = "c" + std::to_string(field), .value = random_value(rng, 4)});
    auto back = format.decode(as_bytes(format.encode(record)));
    ASSERT_TRUE(back);
    sort_fields(record);
    sort_fields(*back);
    EXPECT_EQ(record, *back);
  }
}

TEST(RecordValue, GoldenBytes) {
  const RecordValueFormat format;
  const ColumnRecord record{
      {.name = "n", .value = {.kind = ColumnKind::int64, .number = 7, .bytes = {}, .parts = {}}}};
  EXPECT_EQ(format.encode(record), std::string("\x0a\x07\x0a\x01n\x12\x02\x18\x07"));
}

TEST(RecordValue, NullIsAValueWithoutAKind) {
  const RecordValueFormat format;
  EXPECT_EQ(*format.decode(as_bytes(std::string("\x0a\x05\x0a\x01n\x12\x00", 7))), ColumnRecord{});
}

TEST(RecordValue, WhatIsNoneIsRefused) {
  const RecordValueFormat format;
  EXPECT_FALSE(format.decode(as_bytes(std::string("\x0a\x07\x0a\x01n"))));
  std::string deep;
  for (int i = 0; i < 100'000; ++i) {
    // Each a length of its own would take; one that reaches beyond its message is refused at any depth.
    deep += "\x0a\x7f\x12\x7f\x7a\x7f";
  }
  EXPECT_FALSE(format.decode(as_bytes(deep)));
}

}  // namespace
}  // namespace tidegate::storage::seaweedmq
