// Files that schemas import without a reference to them: Protobuf's own, and those that Confluent's
// serializers have built in.
#pragma once

#include <optional>
#include <string_view>

#include <google/protobuf/descriptor.pb.h>

namespace tidegate::schema::protobuf {

// nullopt: none of them.
std::optional<google::protobuf::FileDescriptorProto> known_file(std::string_view name);

}  // namespace tidegate::schema::protobuf
