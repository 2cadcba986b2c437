#include "tidegate/protocol/messages/describe_quorum.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<DescribeQuorumRequest>;
template struct Codec<DescribeQuorumResponse>;

}  // namespace tidegate::protocol
