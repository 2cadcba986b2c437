#include "tidegate/protocol/messages/describe_configs.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<DescribeConfigsRequest>;
template struct Codec<DescribeConfigsResponse>;

}  // namespace tidegate::protocol
