// Values of one record type as typed columns and back, whatever their format is. Immutable; any thread. Made
// with a compiled schema, and lives as long as it does.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/bytes.h"
#include "tidegate/base/columns.h"

namespace tidegate::schema {

class ValueColumns {
 public:
  virtual ~ValueColumns() = default;
  // Full name; may be empty.
  virtual std::string_view record_name() const = 0;
  virtual const std::vector<Column>& columns() const = 0;
  // `body` is a value of the schema, behind all framing. False: the columns do not have all of it; what they
  // have is in `record` all the same.
  virtual bool read(ByteView body, ColumnRecord& record) const = 0;
  // The value that has these columns, in the spelling that is taken for granted. False: none has.
  virtual bool write(const ColumnRecord& record, std::string& body) const = 0;
};

}  // namespace tidegate::schema
