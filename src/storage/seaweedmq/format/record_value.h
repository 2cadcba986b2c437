// Records of columns as SeaweedMQ has them: schema_pb.RecordValue and RecordType. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/columns.h"

namespace schema_pb {
class RecordType;  // seaweedfs/schema.pb.h
}

namespace tidegate::storage::seaweedmq {

class RecordValueFormat final : public ColumnFormat {
 public:
  // Records and lists within each other; schemas allow fewer.
  static constexpr int kMaxDepth = 200;
  std::string encode(const ColumnRecord& record) const override;
  Result<ColumnRecord> decode(ByteView bytes) const override;
};

void put_record_type(schema_pb::RecordType& to, const std::vector<Column>& columns);
// As protobuf's JSON.
std::string record_type_json(const std::vector<Column>& columns);
// corrupt_message when it is none, or has a type that columns do not have.
Result<std::vector<Column>> parse_record_type(std::string_view json);

}  // namespace tidegate::storage::seaweedmq
