// Avro values as typed columns and back. What columns there are follows from the schema alone; a value comes
// back from its columns byte for byte where it was written the shortest way and nothing of it is in a column
// of JSON text. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "avro_schema.h"
#include "tidegate/base/bytes.h"
#include "tidegate/base/columns.h"

namespace tidegate::schema::avro {

// Columns, those within records included, beyond which a schema has none.
inline constexpr std::size_t kMaxColumns = 2000;

// `schema` outlives it.
class ColumnPlan {
 public:
  explicit ColumnPlan(const Schema& schema);

  const std::vector<Column>& columns() const { return columns_; }
  // About what it takes in memory.
  std::size_t size_bytes() const;

  // `datum` has passed check(). False: something of it is in no column that write() could make it of; what
  // has a column is in `record` all the same.
  bool read(ByteView datum, ColumnRecord& record) const;
  // False: no value of the schema. Inverse of read(), in Avro's shortest form.
  bool write(const ColumnRecord& record, std::string& datum) const;

 private:
  // How a type becomes a column.
  enum class How : std::uint8_t {
    nothing,  // takes no bytes: null, records of nulls
    scalar,
    list,      // of scalars
    record,    // by field; of those that are something
    nullable,  // null or parts.front()
    single,    // a union of one branch
    choice,    // one column for each branch that is something
    text,      // JSON, which is not read back
  };
  struct Node {
    How how = How::nothing;
    std::uint32_t type = 0;
    ColumnKind kind = ColumnKind::boolean;
    std::vector<std::uint32_t> parts;  // nodes; of a choice and a record one for each branch or field
    std::vector<std::string> names;
    std::int64_t null_branch = -1;
  };
  class Reader;
  class Writer;
  class Maker;

  const Schema& schema_;
  std::vector<Node> nodes_;
  std::uint32_t root_ = 0;
  bool root_is_record_ = false;
  bool usable_ = true;
  std::vector<Column> columns_;
};

}  // namespace tidegate::schema::avro
