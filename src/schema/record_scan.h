// What the records of a batch say of their schemas: the 5 bytes in front of keys and values, or the id in
// a record header. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tidegate/base/result.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/schema/policy.h"

namespace tidegate::schema {

// A byte 0 and the id as a big-endian int32, in front of the encoded record.
inline constexpr std::size_t kPrefixBytes = 5;

// Where a record's field names its schema, and what is left of it.
struct Framed {
  std::int32_t id = 0;
  ByteView payload;
  std::string problem;  // set: the others mean nothing
};
// `value` is not null. Looks at `headers` first, as readers do.
Framed unframe(Field field, ByteView value, std::span<const protocol::HeaderView> headers);

struct SchemaUse {
  std::int32_t record = 0;
  Field field = Field::value;
  std::int32_t id = 0;
};
struct RecordScan {
  std::vector<SchemaUse> uses;  // in the order of the records
  struct Problem {
    std::int32_t record = 0;
    Field field = Field::value;
    std::string message;
  };
  std::vector<Problem> problems;  // at most `max_problems`
  std::size_t problems_total = 0;
};
// Of the fields that `policy` asks about; nulls are fine always. What for_each_record says of records
// that cannot be read.
Result<RecordScan> scan_records(const TopicPolicy& policy, const protocol::RecordBatch& batch,
                                const protocol::RecordLimits& limits, std::size_t max_problems);

}  // namespace tidegate::schema
