#include "tidegate/protocol/messages/describe_producers.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<DescribeProducersRequest>;
template struct Codec<DescribeProducersResponse>;

}  // namespace tidegate::protocol
