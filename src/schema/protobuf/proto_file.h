// The text of one .proto file, or its descriptor in Base64, as libprotobuf's parser reads it, behind limits
// that the parser does not have: it recurses for each brace, and what a pool makes of names and ranges grows
// with their product. Used by Schema.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <google/protobuf/descriptor.pb.h>

#include "protobuf_schema.h"
#include "tidegate/base/result.h"

namespace tidegate::schema::protobuf {

// What is left of the limits of a schema with all its files.
struct Budget {
  explicit Budget(const CompileLimits& limits)
      : depth(limits.max_depth),
        types(limits.max_types),
        fields(limits.max_fields),
        name_bytes(limits.max_name_bytes) {}
  std::size_t depth;
  std::size_t types;
  std::size_t fields;
  std::size_t name_bytes;
};

// Without services and options, which say nothing about encoded messages. Takes from `budget`. invalid_record
// with the reason.
Result<google::protobuf::FileDescriptorProto> read_proto_file(const std::string& name, std::string_view text,
                                                              Budget& budget);

}  // namespace tidegate::schema::protobuf
