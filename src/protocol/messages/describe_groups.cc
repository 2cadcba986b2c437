#include "tidegate/protocol/messages/describe_groups.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<DescribeGroupsRequest>;
template struct Codec<DescribeGroupsResponse>;

}  // namespace tidegate::protocol
