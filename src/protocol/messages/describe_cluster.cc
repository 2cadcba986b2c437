#include "tidegate/protocol/messages/describe_cluster.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<DescribeClusterRequest>;
template struct Codec<DescribeClusterResponse>;

}  // namespace tidegate::protocol
