// Records of columns as SeaweedMQ has them: schema_pb.RecordValue and RecordType. Pure; any thread.
#pragma once

#include <string>

#include "tidegate/base/columns.h"

namespace tidegate::storage::seaweedmq {

class RecordValueFormat final : public ColumnFormat {
 public:
  // Records and lists within each other; schemas allow fewer.
  static constexpr int kMaxDepth = 200;
  std::string encode(const ColumnRecord& record) const override;
  Result<ColumnRecord> decode(ByteView bytes) const override;
};

}  // namespace tidegate::storage::seaweedmq
